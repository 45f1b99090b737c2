"""What lies in an archive: code that runs by itself, and what the runs have left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.errors import ExportError, ModelError
from helpers.base.files import ROOT, notebooks_dir
from helpers.base.runs import run_command
from helpers.runner.plan import read_quick_settings

PROJECT = ("pyproject.toml", "requirements.txt", "constraints.txt", "data/README.md")
CODE = (
    ".py",
    ".j2",
    ".css",
    ".js",
    ".json",
    ".lua",
    ".typ",
    ".tex",
    ".sty",
)  # what else lies about is nobody's
HANDED_IN = (
    "notebook.pdf",
    "notebook.html",
)  # a course takes either; both are handed in where both are there
PRIVATE = (
    "input_path",
    "output_path",
)  # papermill's note of where the notebook lay on this machine


def code_files(notebooks: Iterable[str]) -> dict[str, bytes]:
    """The library, the notebooks without outputs, and all that they need, by path.

    Args:
        notebooks: names; what they need comes along.

    Raises:
        ExportError: this copy of the project does not hold all of that.
    """
    names = with_needs(notebooks, find_notebooks())
    sources = [notebooks_dir() / f"{name}.ipynb" for name in names]
    paths = [ROOT / name for name in PROJECT] + [
        path for path in (ROOT / "helpers").rglob("*") if _is_code(path)
    ]
    if absent := [path for path in [*paths, *sources] if not path.is_file()]:
        raise ExportError(
            "This copy of the project has no "
            f"{absent[0].relative_to(absent[0].parents[2])}: what is handed in is "
            "built from the whole repository."
        )
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}
    quick = {
        name: values for name, values in read_quick_settings().items() if name in names
    }
    files["notebooks/quick.yaml"] = yaml.safe_dump(
        quick, sort_keys=False, allow_unicode=True
    ).encode()
    files |= {
        f"notebooks/{name}.ipynb": _cleared(path)
        for name, path in zip(names, sources, strict=True)
    }
    for bibliography in {
        path for source in sources for path in source.parent.glob("[!.]*.bib")
    }:
        files[f"notebooks/{bibliography.parent.name}/{bibliography.name}"] = (
            bibliography.read_bytes()
        )
    return files


def executed_files(
    exports: Path, name: str, *, quick: bool = False
) -> tuple[dict[str, bytes], list[str]]:
    """An executed notebook, named like the original and without this machine's paths,
    and its pages.

    Args:
        exports: the folder of run folders.
        name: of the notebook.
        quick: whether these are quick runs.

    Returns:
        The files by name, and what is missing.

    Raises:
        ExportError: the executed notebook is damaged.
    """
    short = name.partition("/")[2]
    path = exports / name / "notebook.ipynb"
    if not path.is_file():
        return {}, [not_executed(name, quick=quick)]
    notebook = _read(path)
    for key in PRIVATE:
        notebook["metadata"].get("papermill", {}).pop(key, None)
    pages = [
        path.with_name(page) for page in HANDED_IN if path.with_name(page).is_file()
    ]
    files = {f"{short}.ipynb": _written(notebook)} | {
        f"{short}{page.suffix}": page.read_bytes() for page in pages
    }
    command = f"python -m helpers export {name}{' --quick' if quick else ''}"
    return files, [] if pages else [
        f"{name} has no page beside its notebook: {command}"
    ]


def not_executed(name: str, *, quick: bool) -> str:
    """What is missing where a run has left no notebook."""
    return (
        f"{name} was not run headless, which leaves an executed notebook: "
        f"{run_command(name, quick=quick)}"
    )


def faults_of_result(
    path: str, source: Path, notebook: str, *, quick: bool
) -> Iterator[str]:
    """Why a file of a run cannot be handed in, a sentence each.

    Args:
        path: its path in the archive.
        source: the file.
        notebook: whose run leaves it.
        quick: whether that is a quick run.
    """
    again = run_command(notebook, quick=quick)
    if source.suffix == ".pt":
        from helpers.models.saved import load_model  # noqa: PLC0415

        try:
            load_model(source, trained_on="real")
        except ModelError as error:
            yield f"{path}: {str(error).rstrip('.')}: {again}"
    elif not source.is_file():
        yield f"{path} is not there: put the test set where data/README.md says, then {again}"
    else:
        header, *rows = source.read_text(encoding="utf-8").splitlines() or [""]
        if (
            header != "id,label"
            or not rows
            or not all(row.partition(", ")[2].isdecimal() for row in rows)
        ):
            yield f"{path} is not of the form that the course shows (id,label, then 0001, 2): {again}"


def _is_code(path: Path) -> bool:
    hidden = any(
        part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts
    )
    return (
        path.suffix in CODE and path.is_file() and not path.is_symlink() and not hidden
    )


def _cleared(path: Path) -> bytes:
    """A notebook as it is in the repository, also where somebody has run it in place:
    without outputs.
    """
    notebook = _read(path)
    for key in ("papermill", "widgets"):
        notebook["metadata"].pop(key, None)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return _written(notebook)


def _read(path: Path) -> dict[str, Any]:
    try:
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        notebook["metadata"].get("papermill")
        [cell["cell_type"] for cell in notebook["cells"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(
            f"{path} is damaged ({error!r}): run the notebook again."
        ) from error
    return notebook


def _written(notebook: dict[str, Any]) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
