"""The pages of real runs that git keeps beside their records, small, without faces."""

from __future__ import annotations

from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from helpers.base.files import write_atomic
from helpers.base.record import RunRecord
from helpers.export.pages import export_notebook, read_notebook

MOST_BYTES = 600_000  # of a file
COLOURS = (128, 48, 24)  # of a picture's palette, until the pages are small enough
THUMBNAIL = 480  # pixels along the longer side


def keep_pages(
    record: RunRecord, run: Path, kept: Path, figure: str = ""
) -> list[Path]:
    """Keeps HTML, PDF and one figure of a run, its pictures compressed.

    Args:
        record: the run; one on photographs of people keeps nothing.
        run: its folder, with the executed notebook.
        kept: where its record is kept, ``<notebook>.json``.
        figure: the one that stands for it.

    Returns:
        The files.

    Raises:
        ExportError: the notebook cannot be read or exported.
    """
    source = run / "notebook.ipynb"
    if "facescrub" in record.data.get("name", "") or not source.is_file():
        return []
    import nbformat

    for colours in COLOURS:
        notebook = read_notebook(source)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if png := output.get("data", {}).get("image/png"):
                    smaller = _smaller(b64decode(png), colours)
                    output.data["image/png"] = b64encode(smaller).decode()
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{kept.stem}.ipynb"
            nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
            files = export_notebook(path, folder=kept.parent)
        if all(file.stat().st_size <= MOST_BYTES for file in files):
            break
    picture = run / "figures" / f"{figure}.png"
    if picture.is_file():
        files.append(kept.with_suffix(".png"))
        with write_atomic(files[-1]) as temporary:
            smaller = _smaller(picture.read_bytes(), COLOURS[0], THUMBNAIL)
            temporary.write_bytes(smaller)
    return files


def _smaller(png: bytes, colours: int, side: int | None = None) -> bytes:
    """The same picture with a palette, which leaves text and lines sharp."""
    from PIL import Image

    file = BytesIO()
    with Image.open(BytesIO(png)) as picture:
        reduced = picture.convert("RGB")
        if side:
            reduced.thumbnail((side, side))
        reduced.quantize(colours).save(file, "png", optimize=True)
    return file.getvalue() if side else min(png, file.getvalue(), key=len)
