"""Where runs lie, and which of them a user means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from helpers.base.declared import resolve
from helpers.base.errors import NotebookError
from helpers.base.files import exports_dir
from helpers.base.record import RunRecord


def run_command(name: str, *, quick: bool = False) -> str:
    """What a user types to run notebook ``name``."""
    return f"python -m helpers run {name}{' --quick' if quick else ''}"


def exports_root(*, quick: bool) -> Path:
    """Where run folders go; quick runs have a folder of their own."""
    return exports_dir() / "quick" if quick else exports_dir()


def executed_notebooks(names: Sequence[str], *, quick: bool = False) -> list[Path]:
    """The executed notebooks that a user means.

    Args:
        names: assignments, notebooks or paths of ``.ipynb`` files; none means every run
            there is.
        quick: take quick runs.

    Raises:
        NotebookError: a name is unknown, or that notebook has not been run.
    """
    root = exports_root(quick=quick)
    if not names:
        return sorted(root.glob("*/*/notebook.ipynb"))
    found = []
    for name in names:
        if name.endswith(".ipynb") and Path(name).is_file():
            found.append(Path(name))
            continue
        for notebook in resolve(name):
            found.append(root / notebook.name / "notebook.ipynb")
            if not found[-1].is_file():
                command = run_command(notebook.name, quick=quick)
                raise NotebookError(f"{notebook.name} has not been run: {command}")
    return found


def load_records(root: Path, names: Iterable[str]) -> dict[str, RunRecord]:
    """The record of each of these notebooks that has been run, by name.

    Args:
        root: the folder of run folders.
        names: of notebooks.

    Raises:
        ExportError: a record is damaged or of another version.
    """
    paths = {name: root / name / "metrics.json" for name in names}
    return {
        name: RunRecord.load(path) for name, path in paths.items() if path.is_file()
    }
