"""A picture of what a saved network sees, as a file."""

from __future__ import annotations

from pathlib import Path

from helpers.base.errors import ExportError
from helpers.base.files import write_atomic
from helpers.viewer.models import find_model

SUFFIXES = (".png", ".pdf", ".svg")


def write_picture(
    model: str,
    kind: str,
    output: Path,
    *,
    image: Path | None = None,
    layer: str | None = None,
    target: str | None = None,
    quick: bool = False,
) -> tuple[str, ...]:
    """Draws one picture with ``viewer.draw_picture`` and writes it.

    Args:
        model: a ``.pt`` file, or the notebook that saved it, as ``find_model`` takes
            it.
        kind: ``activations``, ``filters``, ``heatmap`` or ``saliency``.
        output: a ``.png``, ``.pdf`` or ``.svg`` file.
        image: an image file of any size and mode.
        layer: a layer's name.
        target: a class by name or number, a head, or ``head=class``.
        quick: take the model of the notebook's quick run.

    Returns:
        A sentence for each thing that was chosen or converted.

    Raises:
        ModelError: the model is missing or damaged, or has no such layer, class or
            head.
        DataError: the image is missing or damaged.
        NotebookError: no notebook has this name.
        ExportError: the file cannot be written, or is of an unknown kind.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise ExportError(
            f"{output} is no picture that can be written: name a {', '.join(SUFFIXES)} "
            "file."
        )
    import matplotlib as mpl  # the command line starts without it  # noqa: PLC0415

    mpl.use("Agg")  # there may be no screen
    from helpers.models.saved import load_model  # noqa: PLC0415
    from helpers.plots import use_style  # noqa: PLC0415
    from helpers.viewer.pictures import draw_picture  # noqa: PLC0415

    use_style()
    saved = load_model(find_model(model, quick=quick))
    picture = draw_picture(saved, kind, image=image, layer=layer, target=target)
    try:
        with write_atomic(output) as temporary:
            picture.figure.savefig(temporary, format=output.suffix[1:].lower(), dpi=150)
    except OSError as error:
        raise ExportError(
            f"{output} cannot be written ({error.strerror}): name a file in a folder "
            "of yours."
        ) from error
    return picture.notes
