"""The picture that stands for a notebook: one of the figures that its run has shown,
made small.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from helpers.base.errors import ExportError
from helpers.export.pages import read_notebook

WIDTH, HEIGHT = 720, 480  # pixels at most: sharp where a card is half as wide


@dataclass(frozen=True)
class Thumbnail:
    """A small picture within the page.

    Attributes:
        url: ``data:`` and the picture itself, so that the page needs no other file for
            it.
        alt: what the figure shows.
        width: in pixels.
        height: in pixels.
    """

    url: str
    alt: str
    width: int
    height: int


def find_thumbnail(path: Path, name: str) -> Thumbnail | None:
    """The figure that an executed notebook shows under ``name``; None if it shows none.

    Args:
        path: of the executed notebook.
        name: of the figure, as ``run.figure`` was given it.

    Raises:
        ExportError: the file is no notebook, or the figure is no picture.
    """
    for cell in read_notebook(path).cells:
        for output in cell.get("outputs", []):
            shown = output.get("metadata", {}).get("image/png", {})
            if shown.get("figure") == name and "image/png" in output.get("data", {}):
                try:
                    return _small(
                        base64.b64decode(output.data["image/png"]),
                        str(shown.get("alt") or name),
                    )
                except (OSError, ValueError) as error:
                    raise ExportError(
                        f"The figure {name} in {path} is no picture: {error}"
                    ) from error
    return None


def _small(png: bytes, alt: str) -> Thumbnail:
    from PIL import Image  # noqa: PLC0415

    with Image.open(io.BytesIO(png)) as picture:
        opaque = Image.new("RGBA", picture.size, "white")
        opaque.alpha_composite(picture.convert("RGBA"))
    opaque.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    small = io.BytesIO()
    opaque.convert("RGB").save(small, "WEBP", quality=85, method=6)
    url = f"data:image/webp;base64,{base64.b64encode(small.getvalue()).decode('ascii')}"
    return Thumbnail(url, alt, opaque.width, opaque.height)
