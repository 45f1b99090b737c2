"""A web page of all notebooks and their runs, which opens offline."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from helpers.base.declared import DeclaredNotebook, find_notebooks
from helpers.base.record import RunRecord, reached, said
from helpers.base.runs import exports_root, load_records, run_command
from helpers.export.pages import write_export
from helpers.handin import reference
from helpers.handin.caveats import Caveat, caveats_of
from helpers.handin.courses import COURSES, subject_of
from helpers.handin.results import count_verdicts, describe_data, format_time
from helpers.handin.template import render

FILES = {
    "notebook.html": "Web page",
    "notebook.pdf": "PDF",
    "paper.pdf": "Paper",
    "notebook.ipynb": "Notebook",
}
NOTES = {"stand-in": "; not a result", "reduced": "; reduced run"}
WORDS = (count_verdicts, describe_data, format_time, reached, said, subject_of)


def write_gallery(*, quick: bool = False) -> Path:
    """Writes the page of all notebooks, ``index.html`` in the folder of their runs.

    Raises:
        ExportError: a record cannot be read, or the page cannot be written.
    """
    root, notebooks = exports_root(quick=quick), find_notebooks()
    records = load_records(root, [notebook.name for notebook in notebooks])
    own = set(records)
    if not quick:  # what git keeps stands for what has not been run here
        records = {r.notebook: r for r in reference.collect_reference()} | records
    caveats = caveats_of(records, notebooks, quick=quick)
    cards = []
    for notebook in notebooks:
        name, record = notebook.name, records.get(notebook.name)
        card = {
            "name": name,
            "title": notebook.title or name,
            "assignment": name.partition("/")[0],
            "record": record,
            "kind": "absent",
            "command": run_command(name, quick=quick),
            "links": _links(name, name in own, root),
        }
        if record:
            picture = _picture(notebook, name in own, root)
            card |= _shown(notebook, record, caveats[name], picture, root)
        cards.append(card)
    words = {word.__name__: word for word in WORDS}
    page = render("gallery.html.j2", cards=cards, courses=COURSES, quick=quick, **words)
    write_export(root / "index.html", page.encode())
    return root / "index.html"


def _links(name: str, own: bool, root: Path) -> dict[str, str]:
    """The documents of a run here, or those that git keeps."""
    files = {text: root / name / file for file, text in FILES.items()}
    if not own:
        kept = reference.reference_dir()
        files = {"Web page": kept / f"{name}.html", "PDF": kept / f"{name}.pdf"}
    return {text: _url(file, root) for text, file in files.items() if file.is_file()}


def _url(file: Path, root: Path) -> str:
    return quote(Path(os.path.relpath(file, root)).as_posix())


def _picture(notebook: DeclaredNotebook, own: bool, root: Path) -> Path:
    if not own:
        return reference.reference_dir() / f"{notebook.name}.png"
    figure = notebook.gallery.figure if notebook.gallery else ""
    return root / notebook.name / "figures" / f"{figure}.png"


def _shown(
    notebook: DeclaredNotebook,
    record: RunRecord,
    caveats: Sequence[Caveat],
    picture: Path,
    root: Path,
) -> dict[str, Any]:
    """What a run adds: caveats, a figure and a number."""
    kinds = {caveat.kind for caveat in caveats}
    kind = next((kind for kind in NOTES if kind in kinds), "complete")
    shown: dict[str, Any] = {"kind": kind, "caveats": caveats}
    model, metric = (notebook.gallery and notebook.gallery.headline) or ("", "")
    if picture.is_file():
        from PIL import Image

        with Image.open(picture) as opened:
            figure = notebook.gallery.figure if notebook.gallery else "figure"
            alt = f"{figure.replace('_', ' ').capitalize()} of {notebook.name}"
            shown["figure"] = (_url(picture, root), alt, *opened.size)
    if metric in record.results.get(model, {}):
        number = str(record.estimate(model, metric))
        label = f"{metric.replace('_', ' ')} of {model}"
    elif record.findings:
        number, label = reached(record.findings[0]), record.findings[0]["text"]
    else:
        return shown
    return shown | {"headline": (number, label + NOTES.get(kind, ""))}
