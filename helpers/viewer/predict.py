"""A file of predictions for images, as courses ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import torch

from helpers.base.declared import resolve
from helpers.base.errors import DataError, ExportError, ModelError, NotebookError
from helpers.base.files import write_atomic
from helpers.base.runs import exports_root, find_run, kind_of, run_command
from helpers.data.images import identified_files, load_image
from helpers.models.saved import load_model

CHUNK = 1024  # images decoded at a time


def write_predictions(
    model: str, images: Path, output: Path, *, names: bool = False, quick: bool = False
) -> tuple[int, str]:
    """Labels images with a saved model.

    Args:
        model: as of ``find_model``.
        images: one image, or a folder of images.
        output: the file, with the header ``id,label`` and rows ``0001, 2`` sorted by
            identifier (the file's name without its suffix).
        names: write class names instead of class indices.
        quick: as of ``find_model``.

    Returns:
        The number of images, and what the model was trained on: ``real`` data or a
            ``synthetic`` stand-in.

    Raises:
        ModelError: the model is missing or damaged; or as ``find_model``.
        DataError: an image is missing or damaged, or two have the same identifier;
            nothing is written.
        ExportError: the file cannot be written.
    """
    if not images.exists():
        raise DataError(
            f"{images} is not there. Expected an image or a folder of images."
        )
    files = list(identified_files(images).values()) if images.is_dir() else [images]
    saved = load_model(find_model(model, quick=quick))
    labels: list[int] = []
    for start in range(0, len(files), CHUNK):
        chunk = [
            load_image(file, size=saved.image_size, channels=saved.channels)
            for file in files[start : start + CHUNK]
        ]
        labels += saved.predict(torch.stack(chunk)).argmax(dim=1).tolist()
    rows = [
        f"{file.stem}, {saved.classes[label] if names else label}\n"
        for file, label in zip(files, labels, strict=True)
    ]
    with written_whole(output) as temporary:
        temporary.write_text("id,label\n" + "".join(rows), encoding="utf-8")
    return len(files), saved.trained_on


def find_model(name: str, *, quick: bool = False) -> Path:
    """The file of a model, of the best run of the notebook that there is.

    Args:
        name: a ``.pt`` file; the notebook that saved the model (``03_multi_head``); or,
            where a notebook saves several, with the file's name
            (``lines/01_foundations/model_mnist``).
        quick: take that of its quick run.

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
    folder = exports_root(quick=True) / notebook if quick else find_run(notebook)
    path = folder / f"{file}.pt"
    if path.is_file():
        if not quick and (kind := kind_of(folder)) != "full":
            click.echo(f"note: {notebook} has only a {kind} run", err=True)
        return path
    if saved := sorted(other.stem for other in folder.glob("*.pt")):
        raise ModelError(
            f"{notebook} has saved no {file}.pt: known are {', '.join(saved)}."
        )
    raise ModelError(
        f"{notebook} has saved no model yet: {run_command(notebook, quick=quick)}"
    )


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """As ``write_atomic``; raises ``ExportError`` where that is impossible."""
    try:
        with write_atomic(output) as temporary:
            yield temporary
    except OSError as error:
        raise ExportError(
            f"{output} cannot be written ({error.strerror}): name a file in a folder "
            "of yours."
        ) from error
