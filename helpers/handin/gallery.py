"""A web page of all notebooks and their runs, which opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from helpers.base.declared import DeclaredNotebook, find_notebooks
from helpers.base.record import RunRecord, reached, said
from helpers.base.runs import exports_root, load_records, run_command
from helpers.export.pages import write_export
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
            "links": {
                text: quote(f"{name}/{file}")
                for file, text in FILES.items()
                if (root / name / file).is_file()
            },
        }
        if record:
            card |= _shown(notebook, record, caveats[name], root)
        cards.append(card)
    words = {word.__name__: word for word in WORDS}
    page = render("gallery.html.j2", cards=cards, courses=COURSES, quick=quick, **words)
    write_export(root / "index.html", page.encode())
    return root / "index.html"


def _shown(
    notebook: DeclaredNotebook,
    record: RunRecord,
    caveats: Sequence[Caveat],
    root: Path,
) -> dict[str, Any]:
    """What a run adds: caveats, a figure and a number."""
    kinds = {caveat.kind for caveat in caveats}
    kind = next((kind for kind in NOTES if kind in kinds), "complete")
    shown: dict[str, Any] = {"kind": kind, "caveats": caveats}
    figure, model, metric = "", "", ""
    if notebook.gallery:
        figure = notebook.gallery.figure
        model, metric = notebook.gallery.headline or ("", "")
    file = f"{notebook.name}/figures/{figure}.png"
    if (root / file).is_file():
        from PIL import Image

        with Image.open(root / file) as picture:
            alt = f"{figure.replace('_', ' ').capitalize()} of {notebook.name}"
            shown["figure"] = (quote(file), alt, *picture.size)
    if metric in record.results.get(model, {}):
        number = str(record.estimate(model, metric))
        label = f"{metric.replace('_', ' ')} of {model}"
    elif record.findings:
        number, label = reached(record.findings[0]), record.findings[0]["text"]
    else:
        return shown
    return shown | {"headline": (number, label + NOTES.get(kind, ""))}
