"""The answers to the notebooks' exercises, measured: EXERCISES.md.

    python tests/exercises/measure.py caltech101/01_lenet5 caltech101/04_resnet18:2

runs these notebooks once for each of their exercises that names parameters, or for the
second alone, keeps the records in exports/reference/exercises, and writes the page.
Without names it only writes the page. Others' models are taken from exports, and so is
what has been trained; what is trained is kept there.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from helpers.base.declared import find_notebooks, resolve, with_needs
from helpers.base.files import ROOT, data_dir, exports_dir, notebooks_dir
from helpers.base.markdown import markdown_table
from helpers.base.record import RunRecord, reached, said
from helpers.base.runs import REFERENCE
from helpers.handin.caveats import own_caveats
from helpers.handin.reference import collect_reference
from helpers.handin.results import describe_data

KEPT = REFERENCE / "exercises"
PAGE = ROOT / "EXERCISES.md"
HEAD = """\
# Exercises, measured

What the notebooks' exercises come to in numbers (what has to be looked at, the page of
the run shows): on the left as the notebook is, on the right with the parameter. Of
both, what is asked and claimed, with the 95 % interval and the verdict; what is the
same for both is left out. Predict before you look. Written by
`python tests/exercises/measure.py` from [exports/reference](exports/reference); what is
not here has not been measured yet.
"""


def exercises(name: str) -> dict[int, tuple[str, list[str]]]:
    """A notebook's exercises by number: the text, and the parameters that it names."""
    notebook = json.loads((notebooks_dir() / f"{name}.ipynb").read_text("utf-8"))
    sources = ("".join(cell["source"]) for cell in notebook["cells"])
    text = next(source for source in sources if source.startswith("## Exercises"))
    found = {}
    for number, item in re.findall(r"^(\d+)\. (.*)", text, re.MULTILINE):
        named = re.search(r"`(-p [^`]+)`", item)
        values = shlex.split(named[1].replace("-p ", "")) if named else []
        if all("=" in value for value in values):  # one leaves the value to the reader
            found[int(number)] = item, values
    return found


def measure(name: str, only: str) -> None:
    """Runs a notebook with the parameters of its exercises, and keeps the records."""
    needs = [need for need in with_needs([name], find_notebooks()) if need != name]
    # With the pretrained network that the kept run had, and as much side by side.
    own = collect_reference()[name].parameters
    same = ("backbone", "layer", "weights", "jobs")
    usual = {key: own[key] for key in same if key in own}
    work = exports_dir() / ".work"
    work.mkdir(parents=True, exist_ok=True)
    for number, (_, values) in exercises(name).items():
        if not values or only not in ("", str(number)):
            continue
        with TemporaryDirectory(prefix="exercise-") as folder:
            (Path(folder) / ".work").symlink_to(work)
            for need in needs:
                if not (exports_dir() / need).is_dir():
                    sys.exit(f"{name} takes models from {need}: run that first.")
                shutil.copytree(exports_dir() / need, Path(folder) / need)
            given = usual | dict(value.split("=", 1) for value in values)
            options = [f"-p{key}={value}" for key, value in given.items()]
            command = "-m", "helpers", "run", name, *options, "--no-export"
            env = os.environ | {"CNN_EXPORTS": folder, "CNN_DATA": str(data_dir())}
            subprocess.run([sys.executable, *command], env=env, check=True)
            record = RunRecord.load(Path(folder) / name / "metrics.json")
        record.save(KEPT / f"{name}-{number}.json")


def kept() -> dict[Path, RunRecord]:
    """The kept records by file, in order."""
    return {path: RunRecord.load(path) for path in sorted(KEPT.glob("*/*.json"))}


def number_of(path: Path) -> int:
    """Which of its notebook's exercises a kept record is of."""
    return int(path.stem.rpartition("-")[2])


def page() -> str:
    """EXERCISES.md."""
    return "\n".join([HEAD, *_sections(collect_reference())])


def _sections(reference: Mapping[str, RunRecord]) -> Iterator[str]:
    before = ""
    for path, record in kept().items():
        name, number = record.notebook, number_of(path)
        if name != before:
            before = name
            yield f"## [{name}](notebooks/{name}.ipynb)\n"
        text, values = exercises(name)[number]
        rows = [row for row in _rows(reference[name], record) if row[1] != row[2]]
        table = markdown_table(("measured", "as it is", f"`{' '.join(values)}`"), rows)
        about = [describe_data(record), record.environment["device"]]
        caveats = own_caveats(record)
        about += [text.lower() for kind, text in caveats if kind == "earlier run"]
        yield f"**{number}.** {text}\n\n{table}\n"
        yield f"*{', '.join(about).rstrip('.')}.*\n"


def _rows(own: RunRecord, other: RunRecord) -> Iterator[tuple[str, ...]]:
    """What both runs have measured: of the model in the gallery, and all that is judged
    in both.
    """
    [declared] = resolve(own.notebook)
    model = declared.headline[0] if declared.headline else ""
    for metric in own.results.get(model, {}):
        if metric.endswith(("accuracy", "loss")) and "_class_" not in metric:
            values = (str(run.estimate(model, metric)) for run in (own, other))
            yield f"{model}: {metric.replace('_', ' ')}", *values
    there = {finding["text"]: finding for finding in other.findings}
    for finding in own.findings:
        if changed := there.get(finding["text"]):
            pairs = (finding, own), (changed, other)
            both = (f"{reached(f)}, {said(f, run.replaced)}" for f, run in pairs)
            yield finding["text"], *both


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        named, _, wanted = argument.partition(":")
        for declared in resolve(named):
            measure(declared.name, wanted)
    PAGE.write_text(page(), encoding="utf-8")
