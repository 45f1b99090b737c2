"""Which file a model is in that the command line names."""

from __future__ import annotations

from pathlib import Path

from helpers.base.declared import resolve
from helpers.base.errors import ModelError, NotebookError
from helpers.base.runs import exports_root, run_command


def find_model(name: str, *, quick: bool = False) -> Path:
    """The file of a model.

    Args:
        name: a ``.pt`` file; the notebook that saved the model (``03_multi_head``); or,
            where a notebook saves several, with the file's name
            (``lines/01_foundations/model_mnist``).
        quick: take that of the notebook's quick run.

    Raises:
        NotebookError: no notebook has this name, or it is an assignment with several.
        ModelError: the notebook has not saved it.
    """
    if Path(name).suffix in (".pt", ".pth"):
        return Path(name)
    named, file = name.rpartition("/")[::2] if name.count("/") > 1 else (name, "model")
    notebooks = resolve(named)
    if len(notebooks) > 1:
        known = ", ".join(notebook.name for notebook in notebooks)
        raise NotebookError(f"{name} has several models: choose one of {known}.")
    notebook = notebooks[0].name
    path = exports_root(quick=quick) / notebook / f"{file}.pt"
    if path.is_file():
        return path
    saved = sorted(other.stem for other in path.parent.glob("*.pt"))
    if saved:
        raise ModelError(
            f"{notebook} has saved no {file}.pt: known are {', '.join(saved)}."
        )
    raise ModelError(
        f"{notebook} has saved no model yet: {run_command(notebook, quick=quick)}"
    )
