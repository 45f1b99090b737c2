"""The real runs that count, kept in git: ``exports/reference``.

Of each its record and, small and without faces, its pages and one figure.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from helpers.base.declared import read_checked_in
from helpers.base.errors import ExportError
from helpers.base.files import ROOT, exports_dir, notebooks_dir
from helpers.base.record import RunRecord
from helpers.base.runs import REFERENCE, run_command
from helpers.base.terminal import say
from helpers.export.pages import read_notebook, write_export
from helpers.handin.caveats import own_caveats
from helpers.handin.courses import PREDICTIONS

# Neither of the first two changes what is trained; of the others, the table of results
# says which pretrained network was at hand.
FREE = {"source", "jobs", "backbone", "layer", "weights"}
LOCAL_PATH = re.compile(rf'"(?:/|[^"]*{re.escape(str(ROOT))})[^"]*"')
MOST_BYTES = 600_000  # of a page
# Colours and longest side of a picture, until the pages are small enough.
SMALLER = ((128, 2000), (48, 2000), (24, 2000), (24, 800))
THUMBNAIL = 480  # pixels along the figure's longer side


def collect_reference() -> dict[str, RunRecord]:
    """The kept records by notebook, in order."""
    records = map(RunRecord.load, sorted(REFERENCE.glob("*/*.json")))
    return {record.notebook: record for record in records}


def save_reference(record: RunRecord) -> Path:
    """Keeps a real run's record, pages (but of photographs of people), one figure, and
    predictions of an unlabelled set.

    Raises:
        ExportError: it is no evidence: a stand-in, another experiment than the
            notebook's own (another backbone may be used, and fewer epochs, seeds or
            images: the table says so), or it holds a path of this machine.
    """
    if fault := next(_faults(record), None):
        raise ExportError(
            f"The run of {record.notebook} is no reference: {fault}. On the real data: "
            f"{run_command(record.notebook)}"
        )
    path, run = REFERENCE / f"{record.notebook}.json", exports_dir() / record.notebook
    source = run / "notebook.ipynb"
    if source.is_file() and "facescrub" not in record.data.get("name", ""):
        _keep_pages(source, path)
        declared = read_checked_in(notebooks_dir() / f"{record.notebook}.ipynb")
        picture = run / "figures" / f"{declared.figure}.png"
        if picture.is_file():
            small = _with_palette(picture.read_bytes(), SMALLER[0][0], THUMBNAIL)
            write_export(path.with_suffix(".png"), small)
    predictions = run / PREDICTIONS
    if predictions.is_file():
        write_export(path.with_name(PREDICTIONS), predictions.read_bytes())
    record.save(path)
    return path


def other_values(record: RunRecord) -> list[str]:
    """The parameters that make a run neither the notebook's own experiment nor a
    reduced form of it.
    """
    declared = read_checked_in(notebooks_dir() / f"{record.notebook}.ipynb")
    own = {name: parameter.default for name, parameter in declared.parameters.items()}
    # A run from before a default was raised is smaller as well, but does not say so.
    reduced = set(record.reduced).intersection(declared.reductions(record.parameters))
    return [
        name
        for name in sorted({*own, *record.parameters} - FREE - reduced)
        if record.parameters.get(name, ...) != own.get(name, ...)
    ]


def _faults(record: RunRecord) -> Iterator[str]:
    for kind, text in own_caveats(record):
        if kind == "stand-in":
            yield text.rstrip(".")
    if changed := other_values(record):
        yield f"it did not run with the notebook's own values of {', '.join(changed)}"
    if local := LOCAL_PATH.search(json.dumps(record.content(), ensure_ascii=False)):
        yield f"it holds the path {local[0]}, which is of this machine only"


def _keep_pages(source: Path, kept: Path) -> None:
    """Keeps the pages of a notebook beside the record ``kept``."""
    from helpers.export.html import notebook_to_html
    from helpers.export.typst import html_to_pdf

    for colours, side in SMALLER:
        notebook = read_notebook(source)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if encoded := output.get("data", {}).get("image/png"):
                    png = b64decode(encoded)
                    smaller = min(png, _with_palette(png, colours, side), key=len)
                    output.data["image/png"] = b64encode(smaller).decode()
        html = notebook_to_html(notebook, kept)
        pages = {".html": html.encode(), ".pdf": html_to_pdf(html)}
        if max(map(len, pages.values())) <= MOST_BYTES:
            break
    else:
        say(f"{source}: its pages are too large")
        return
    for suffix, page in pages.items():
        write_export(kept.with_suffix(suffix), page)


def _with_palette(png: bytes, colours: int, side: int) -> bytes:
    """The picture, not larger than ``side``, with few colours: text stays sharp."""
    from PIL import Image

    file = BytesIO()
    with Image.open(BytesIO(png)) as picture:
        reduced = picture.convert("RGB")
        reduced.thumbnail((side, side))
        reduced.quantize(colours).save(file, "png", optimize=True)
    return file.getvalue()
