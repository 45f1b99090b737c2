"""The answers to the notebooks' exercises, measured: EXERCISES.md.

    python tests/exercises/measure.py caltech101/01_lenet5 caltech101/04_resnet18:2

runs these notebooks once for each of their exercises that names parameters, or for the
second alone, keeps the records in exports/reference/exercises, and writes the page.
Without names it only writes the page. A notebook of hours is measured smaller on a CPU,
as it is and with the exercise (SMALLER). Others' models are taken from exports, and so
is what has been trained; what is trained is kept there.
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
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from helpers.base.declared import find_notebooks, resolve, with_needs
from helpers.base.estimate import words_of
from helpers.base.files import ROOT, data_dir, exports_dir, notebooks_dir
from helpers.base.markdown import markdown_table
from helpers.base.record import RunRecord, reached
from helpers.base.runs import REFERENCE
from helpers.handin.reference import collect_reference
from helpers.handin.results import describe_data

KEPT = REFERENCE / "exercises"
PAGE = ROOT / "EXERCISES.md"
HEAD = """\
# Exercises, measured

What the notebooks' exercises come to in numbers (what has to be looked at, the page of
the run shows): on the left as the notebook is, on the right with the parameter. Of
both, what is asked and claimed, with the 95 % interval and the verdict; what is the
same for both is left out. What takes hours was measured **smaller**, on both sides: the
line below a table says how, and its numbers are not the notebook's. Predict before you
look. Written by `python tests/exercises/measure.py` from
[exports/reference](exports/reference).
"""
# What makes a notebook short enough for two CPU cores, with the exercise and without.
NARROW = {"hidden_sizes": [32, 128, 128, 128, 128], "train_limit": 4000}
NARROWER = {"hidden_sizes": [16, 64, 64, 64, 64], "valid_limit": 1000}
SMALLER: dict[str, dict[str, Any]] = {
    "artists_faces/03_architecture": {"epochs": 40},
    "artists_faces/05_face_mlp": {"epochs": 100, "seeds": 3},
    "artists_faces/07_alexnet_finetuning": {"size": 160},
    "caltech101/02_improved_cnn": {
        "epochs": 10,
        "ablation_epochs": 10,
        "train_limit": 1000,
    },
    "caltech101/04_resnet18": {"epochs": 6, "train_limit": 1000},
    "cifar10/01_convnet": NARROW | {"epochs": 10},
    "cifar10/02_batch_norm": NARROWER
    | {"train_limit": 2000, "epochs": 12, "compared_epochs": 5, "seeds": 3},
    "cifar10/03_augmentation": NARROWER
    | {"train_limit": 2000, "alone_epochs": 4, "alone_seeds": 3, "epochs": 5},
    "cifar10/04_dropout": NARROWER
    | {"train_limit": 3000, "epochs": 10, "probabilities": [0.05, 0.1, 0.2, 0.3, 0.5]},
    "cifar10/05_pretrained_vgg": {"frozen_limit": 1000, "train_limit": 1000}
    | {"epochs": 3, "seeds": 3},
    "clipart/01_resnet50": {"size": 64, "epochs": 6, "train_limit": 1000},
    "clipart/02_own_network": {"size": 96, "epochs": 8, "train_limit": 600},
    "lines/02_own_network": {"variation_epochs": 1, "variation_seeds": 1}
    | {"train_limit": 4800, "lines_epochs": 2, "mnist_epochs": 4, "seeds": 3},
}


def exercises(name: str) -> dict[int, tuple[str, list[str]]]:
    """A notebook's exercises by number: the text, and the parameters that it names."""
    [declared] = resolve(name)
    known = declared.parameters
    notebook = json.loads((notebooks_dir() / f"{name}.ipynb").read_text("utf-8"))
    sources = ("".join(cell["source"]) for cell in notebook["cells"])
    text = next(source for source in sources if source.startswith("## Exercises"))
    found = {}
    for number, item in re.findall(r"^(\d+)\. (.*)", text, re.MULTILINE):
        named = re.search(r"`(-p [^`]+)`", item)
        values = shlex.split(named[1].replace("-p ", "")) if named else []
        own = all(value.partition("=")[0] in known for value in values)
        # Some ask for a run of another notebook, or leave the value to the reader.
        measured = own and not any(value.endswith("=") for value in values)
        found[int(number)] = item, values if measured else []
    return found


def measure(name: str, only: str) -> None:
    """Runs a notebook with the parameters of its exercises, and keeps the records."""
    needs = [need for need in with_needs([name], find_notebooks()) if need != name]
    # As the kept run was, with the pretrained network that it had.
    smaller = {} if torch.cuda.is_available() else SMALLER.get(name, {})
    base = reference()[name].parameters | smaller
    asked = {
        number: values for number, (_, values) in exercises(name).items() if values
    }
    work = exports_dir() / ".work"
    work.mkdir(parents=True, exist_ok=True)
    for number, values in (({0: []} if smaller else {}) | asked).items():
        there = (KEPT / f"{name}-{number}.json").is_file()
        if only not in ("", str(number)) and (number or there):
            continue
        with TemporaryDirectory(prefix="exercise-") as folder:
            (Path(folder) / ".work").symlink_to(work)
            for need in needs:
                if not (exports_dir() / need).is_dir():
                    sys.exit(f"{name} takes models from {need}: run that first.")
                shutil.copytree(exports_dir() / need, Path(folder) / need)
            given = base | dict(value.split("=", 1) for value in values)
            settings = _settings(name, given)
            if "jobs" in given and not torch.cuda.is_available():
                settings.append("jobs=3")
            options = (f"-p{setting}" for setting in settings)
            command = "-m", "helpers", "run", name, *options, "--no-export"
            env = os.environ | {"CNN_EXPORTS": folder, "CNN_DATA": str(data_dir())}
            done = subprocess.run([sys.executable, *command], check=False, env=env)
            run = Path(folder, ".unfinished" if done.returncode else "", name)
            record = RunRecord.load(run / "metrics.json")
        if done.returncode and not diverged(record):
            sys.exit(f"{name} with {values}: {record.error or 'the run failed'}")
        record.save(KEPT / f"{name}-{number}.json")


def diverged(record: RunRecord) -> bool:
    """Whether its training left the numbers, which may be an exercise's answer."""
    return "diverged" in (record.error or "")


@cache
def reference() -> Mapping[str, RunRecord]:
    """The notebooks' own kept runs, read once."""
    return collect_reference()


def kept() -> dict[Path, RunRecord]:
    """The kept records by file, in order."""
    return {path: RunRecord.load(path) for path in sorted(KEPT.glob("*/*.json"))}


def number_of(path: Path) -> int:
    """Which of its notebook's exercises a kept record is of; 0: as it is, smaller."""
    return int(path.stem.rpartition("-")[2])


def base_of(record: RunRecord) -> RunRecord:
    """What an exercise's record is compared with: the notebook's kept run, or that of
    the notebook made smaller, whichever has more of its parameters.
    """
    name, file = record.notebook, KEPT / f"{record.notebook}-0.json"
    bases = [reference()[name]]
    bases += [RunRecord.load(file)] if file.is_file() else []
    return min(bases, key=lambda base: len(changes(base, record)))


def changes(base: RunRecord, record: RunRecord) -> set[str]:
    """The parameters in which two runs differ, but for how they were run."""
    return {
        key
        for key, value in record.parameters.items()
        if key not in ("source", "jobs") and value != base.parameters.get(key, ...)
    }


def page() -> str:
    """EXERCISES.md."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    before = ""
    for path, record in kept().items():
        name, number, base = record.notebook, number_of(path), base_of(record)
        if number == 0:
            continue
        if name != before:
            before = name
            yield f"## [{name}](notebooks/{name}.ipynb)\n"
        text, values = exercises(name)[number]
        yield f"**{number}.** {text}\n"
        if diverged(record):
            yield f"{record.error}\n"
        rows = [row for row in _rows(base, record) if row[1] != row[2]]
        if rows:
            smaller = ", smaller" if changes(reference()[name], base) else ""
            header = "measured", f"as it is{smaller}", f"`{' '.join(values)}`{smaller}"
            yield f"{markdown_table(header, rows)}\n"
        elif not diverged(record):
            yield "No accuracy, requirement or claim changes: run it to see the rest.\n"
        about = [describe_data(record), record.replaced, record.environment["device"]]
        other = {value.partition("=")[0] for value in values}
        for side, keys in (
            ("both sides", base.parameters.keys() - other),
            ("the left side", other),
        ):
            given = {k: v for k, v in base.parameters.items() if k in keys}
            if settings := _settings(name, given):
                shown = (f"-p {shlex.quote(setting)}" for setting in settings)
                about.append(f"{side} with `{' '.join(shown)}`")
        caveats = dict.fromkeys([*base.caveats(), *record.caveats()])
        about += [text.lower() for kind, text in caveats if kind == "earlier run"]
        yield f"*{', '.join(filter(None, about)).rstrip('.')}.*\n"


def _settings(name: str, values: Mapping[str, Any]) -> list[str]:
    """Those of a notebook's parameters that differ from its own, as ``epochs=3``."""
    [declared] = resolve(name)
    return [
        f"{key}={value}"
        for key, value in values.items()
        if key not in ("source", "jobs") and value != declared.parameters[key].default
    ]


def _rows(own: RunRecord, other: RunRecord) -> Iterator[tuple[str, ...]]:
    """What the exercise has measured: of the model in the gallery, the validation
    accuracy of every other one but for learning rates tried, and all that both judge.
    """
    [declared] = resolve(own.notebook)
    model = declared.headline[0] if declared.headline else ""
    for name, metrics in (own.results | other.results).items():
        for metric in filter(other.results.get(name, {}).__contains__, metrics):
            measured = metric.endswith(("accuracy", "loss")) and "_class_" not in metric
            tried = re.search(r", [\d.]+(e-?\d+)?$", name)
            if measured if name == model else metric == "valid_accuracy" and not tried:
                both = (run if name in run.results else None for run in (own, other))
                values = (str(r.estimate(name, metric)) if r else "–" for r in both)
                yield f"{name}: {words_of(metric)}", *values
    there = {finding["text"]: finding for finding in other.findings}
    for finding in own.findings:
        if changed := there.get(finding["text"]):
            both = (f"{reached(row)}, {row['verdict']}" for row in (finding, changed))
            yield finding["text"], *both


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        named, _, wanted = argument.partition(":")
        for declared in resolve(named):
            measure(declared.name, wanted)
    PAGE.write_text(page(), encoding="utf-8")
