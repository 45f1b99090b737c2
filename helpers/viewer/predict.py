"""A file of predictions for images, as courses ask for it."""

from __future__ import annotations

from pathlib import Path

from helpers.base.errors import DataError, ExportError
from helpers.base.files import write_atomic
from helpers.viewer.models import find_model

CHUNK = 1024  # images decoded at a time


def write_predictions(
    model: str, images: Path, output: Path, *, names: bool = False, quick: bool = False
) -> tuple[int, str]:
    """Labels images with a saved model.

    Args:
        model: a ``model.pt``, or the notebook that saved it.
        images: one image, or a folder of images.
        output: the file, with the header ``id,label`` and rows ``0001, 2`` sorted by
            identifier (the file's name without its suffix).
        names: write class names instead of class indices.
        quick: take the model of the notebook's quick run.

    Returns:
        The number of images, and what the model was trained on: ``real`` data or a
            ``synthetic`` stand-in.

    Raises:
        ModelError: the model is missing or damaged.
        DataError: an image is missing or damaged, or two have the same identifier;
            nothing is written.
        NotebookError: no notebook has this name.
        ExportError: the file cannot be written.
    """
    import torch  # the command line starts without it  # noqa: PLC0415

    from helpers.data.images import load_image  # noqa: PLC0415
    from helpers.models.saved import load_model  # noqa: PLC0415

    files = _files(images)
    saved = load_model(find_model(model, quick=quick))
    labels: list[int] = []
    for start in range(0, len(files), CHUNK):
        chunk = [
            load_image(f, size=saved.image_size, channels=saved.channels)
            for f in files[start : start + CHUNK]
        ]
        labels += saved.predict(torch.stack(chunk)).argmax(dim=1).tolist()
    rows = [
        f"{file.stem}, {saved.classes[label] if names else label}\n"
        for file, label in zip(files, labels, strict=True)
    ]
    try:
        with write_atomic(output) as temporary:
            temporary.write_text("id,label\n" + "".join(rows), encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"{output} cannot be written ({error.strerror}): name a file in a folder "
            "of yours."
        ) from error
    return len(files), saved.trained_on


def _files(images: Path) -> list[Path]:
    from helpers.data.images import identified_files  # noqa: PLC0415

    if not images.exists():
        raise DataError(
            f"{images} is not there. Expected an image or a folder of images."
        )
    return list(identified_files(images).values()) if images.is_dir() else [images]
