"""What lies in an archive: code that runs by itself, and what the runs have left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.errors import ExportError
from helpers.base.files import ROOT, notebooks_dir
from helpers.base.record import RunRecord
from helpers.publish.plan import read_quick_settings, run_command

PROJECT = ("pyproject.toml", "requirements.txt", "constraints.txt", "data/README.md")
PAGES = ("notebook.pdf", "notebook.html")  # a course takes either; both are handed in where both are there
PRIVATE = ("input_path", "output_path")  # papermill's note of where the notebook lay on this machine


def code_files(notebooks: Iterable[str]) -> dict[str, bytes]:
    """The library, the notebooks and all that they need, as they lie in the repository, by path.

    Args:
        notebooks: names; what they need comes along.
    """
    names = with_needs(notebooks, find_notebooks())
    folders = {notebooks_dir() / name.partition("/")[0] for name in names}
    paths = [ROOT / name for name in PROJECT]
    paths += [path for path in (ROOT / "helpers").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}
    quick = {name: values for name, values in read_quick_settings().items() if name in names}
    files["notebooks/quick.yaml"] = yaml.safe_dump(quick, sort_keys=False, allow_unicode=True).encode()
    files |= {f"notebooks/{name}.ipynb": (notebooks_dir() / f"{name}.ipynb").read_bytes() for name in names}
    for bibliography in (path for folder in folders for path in folder.glob("*.bib")):
        files[f"notebooks/{bibliography.parent.name}/{bibliography.name}"] = bibliography.read_bytes()
    return files


def executed_files(exports: Path, name: str) -> dict[str, bytes]:
    """An executed notebook, named like the original and without this machine's paths, and its pages.

    Raises:
        ExportError: the executed notebook is damaged.
    """
    short = name.partition("/")[2]
    path = exports / name / "notebook.ipynb"
    if not path.is_file():
        return {}
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        run = notebook["metadata"].get("papermill", {})
    except (ValueError, KeyError, AttributeError) as error:
        raise ExportError(f"{path} is damaged ({error}): {run_command(name)}") from error
    for key in PRIVATE:
        run.pop(key, None)
    files = {f"{short}.ipynb": (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()}
    pages = [path.with_name(page) for page in PAGES]
    return files | {f"{short}{page.suffix}": page.read_bytes() for page in pages if page.is_file()}


def faults_of_run(exports: Path, name: str) -> Iterator[str]:
    """Why a run cannot be handed in, a sentence each.

    Raises:
        ExportError: its record is truncated or of another version.
    """
    path = exports / name / "metrics.json"
    if not path.is_file():
        yield f"{name} has not been run: {run_command(name)}"
        return
    record = RunRecord.load(path)
    if record.status != "complete":
        yield f"{name} did not complete ({record.status}): {run_command(name)}"
        return
    if (source := record.data.get("source")) != "real":
        yield f"{name} was run on {source or 'unknown'} data, not on the real set: data/README.md says where it goes"
    if record.data.get("weights") == "random":
        yield f"{name} was run with random weights, not with pretrained ones: -p weights=FILE"


def runs(exports: Path, notebooks: Iterable[str]) -> dict[str, RunRecord]:
    """The records of the notebooks that have one, by name.

    Raises:
        ExportError: a record is truncated or of another version.
    """
    paths = {name: exports / name / "metrics.json" for name in notebooks}
    return {name: RunRecord.load(path) for name, path in paths.items() if path.is_file()}
