"""The real runs that count, kept in git: ``exports/reference``.

Of each its record and, small and without faces, its pages and one figure.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from helpers.base.declared import read_checked_in
from helpers.base.errors import ExportError
from helpers.base.files import ROOT, exports_dir, notebooks_dir, write_whole
from helpers.base.record import RunRecord
from helpers.base.runs import REFERENCE, amount, command, other_values
from helpers.base.terminal import say
from helpers.export.pages import read_notebook
from helpers.handin.courses import PREDICTIONS

LOCAL_PATH = re.compile(rf'"(?:/|[^"]*{re.escape(str(ROOT))})[^"]*"')
MOST_BYTES = 600_000  # of a page
THUMBNAIL = 480  # pixels along the figure's longer side
EMBEDDED = re.compile('data:image/png;base64,([^"]+)')


def collect_reference() -> dict[str, RunRecord]:
    """The kept records by notebook, in order."""
    records = map(RunRecord.load, sorted(REFERENCE.glob("*/*.json")))
    return {record.notebook: record for record in records}


def save_reference(name: str) -> Path:
    """Keeps a notebook's run: record, pages (but of photographs of people), one figure,
    and predictions of an unlabelled set.

    Raises:
        ExportError: there is none, or it is no evidence: a stand-in, another experiment
            than the notebook's own (but of its backbone, or with fewer epochs, seeds or
            images), it holds a path of this machine, or has no executed notebook.
    """
    path, run = REFERENCE / f"{name}.json", exports_dir() / name
    record = RunRecord.load(run / "metrics.json")
    if fault := next(_faults(record), None):
        again = command("run", name)
        raise ExportError(f"It is no reference: {fault}. Run it anew: {again}")
    source = run / "notebook.ipynb"
    pages: dict[str, bytes] = {}
    if "facescrub" not in record.data.get("name", ""):
        pages = _small_pages(source, path)
        declared = read_checked_in(notebooks_dir() / f"{name}.ipynb")
        picture = run / "figures" / f"{declared.figure}.png"
        if picture.is_file():
            pages[".png"] = _reduce(picture.read_bytes(), "png", 128, THUMBNAIL)
    for suffix in (".html", ".pdf", ".png"):
        path.with_suffix(suffix).unlink(missing_ok=True)  # of an earlier run
        if page := pages.get(suffix):
            write_whole(path.with_suffix(suffix), page)
    predictions = run / PREDICTIONS
    if predictions.is_file():
        write_whole(path.with_name(PREDICTIONS), predictions.read_bytes())
    record.save(path)
    return path


def _faults(record: RunRecord) -> Iterator[str]:
    for kind, text in record.caveats():
        if kind == "stand-in":
            yield text.rstrip(".")
    if changed := other_values(record):
        yield f"it did not run with the notebook's own values of {', '.join(changed)}"
    kept = REFERENCE / f"{record.notebook}.json"
    reduced = record.reduced and kept.is_file()
    if reduced and amount(RunRecord.load(kept)) > amount(record):
        yield f"{kept} is of a larger run, this one is reduced: {record.reduction}"
    if local := LOCAL_PATH.search(json.dumps(record.content(), ensure_ascii=False)):
        yield f"it holds the path {local[0]}, which is of this machine only"


def _small_pages(source: Path, kept: Path) -> dict[str, bytes]:
    """The pages of a notebook, as they lie beside the record ``kept``; by suffix."""
    from helpers.export.html import notebook_to_html
    from helpers.export.typst import html_to_pdf

    html, pages = notebook_to_html(read_notebook(source), kept), {}
    for suffix, form, finish in (
        (".html", "webp", str.encode),
        (".pdf", "jpeg", html_to_pdf),
    ):
        for way in ("png", 128), ("png", 48), (form, 60, 900), (form, 40, 600):
            page = finish(EMBEDDED.sub(partial(_embed_smaller, way), html))
            if len(page) <= MOST_BYTES:
                pages[suffix] = page
                break
        else:
            say(f"{source}: its pages are too large")
            return {}
    return pages


def _embed_smaller(way: tuple[Any, ...], embedded: re.Match[str]) -> str:
    smaller = b64encode(_reduce(b64decode(embedded[1]), *way)).decode()
    return f"data:image/{way[0]};base64,{smaller}"


def _reduce(png: bytes, form: str, detail: int, side: int = 2000) -> bytes:
    """The picture, not larger than ``side``: PNG with so many colours (text stays
    sharp), or JPEG or WebP of that quality.
    """
    from PIL import Image

    file = BytesIO()
    with Image.open(BytesIO(png)) as picture:
        reduced = picture.convert("RGB")
        reduced.thumbnail((side, side))
        if form == "png":
            reduced = reduced.quantize(detail)
        reduced.save(file, form, quality=detail, optimize=True)
    return file.getvalue()
