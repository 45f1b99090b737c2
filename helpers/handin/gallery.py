"""A web page of all notebooks and their runs, which opens offline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from helpers.base.declared import DeclaredNotebook, find_notebooks
from helpers.base.record import RunRecord, reached, said
from helpers.base.runs import exports_root, load_records, run_command
from helpers.export.pages import write_export
from helpers.handin import reference
from helpers.handin.caveats import caveats_of
from helpers.handin.courses import COURSES, subject_of
from helpers.handin.results import count_verdicts, describe_data, format_time
from helpers.handin.template import render

# Where files lie, by the names of the notebook and of its figure: of a run here, and
# those that git keeps.
RUN = {
    "figure": "{0}/figures/{1}.png",
    "Web page": "{0}/notebook.html",
    "PDF": "{0}/notebook.pdf",
    "Paper": "{0}/paper.pdf",
    "Notebook": "{0}/notebook.ipynb",
}
KEPT = {"figure": "{0}.png", "Web page": "{0}.html", "PDF": "{0}.pdf"}
NOTES = {"stand-in": "; not a result", "reduced": "; reduced run"}
WORDS = (count_verdicts, describe_data, format_time, reached, said, subject_of)


def write_gallery(*, quick: bool = False) -> Path:
    """Writes the page of all notebooks, ``index.html`` in the folder of their runs.

    Raises:
        ExportError: a record cannot be read, or the page cannot be written.
    """
    root, notebooks = exports_root(quick=quick), find_notebooks()
    own = load_records(root, [notebook.name for notebook in notebooks])
    # What git keeps stands for what has not been run here.
    records = ({} if quick else reference.collect_reference()) | own
    caveats = caveats_of(records)
    cards = []
    for notebook in notebooks:
        name, record = notebook.name, records.get(notebook.name)
        kinds = {caveat.kind for caveat in caveats.get(name, ())}
        kind = next((kind for kind in NOTES if kind in kinds), "complete")
        card = {
            "name": name,
            "title": notebook.title or name,
            "assignment": name.partition("/")[0],
            "record": record,
            "kind": kind if record else "absent",
            "caveats": caveats.get(name, ()),
            "command": run_command(name, quick=quick),
            **_files(notebook, name in own, root),
        }
        if record and (headline := _headline(notebook, record)):
            card["headline"] = (headline[0], headline[1] + NOTES.get(kind, ""))
        cards.append(card)
    words = {word.__name__: word for word in WORDS}
    page = render("gallery.html.j2", cards=cards, courses=COURSES, quick=quick, **words)
    write_export(root / "index.html", page.encode())
    return root / "index.html"


def _files(notebook: DeclaredNotebook, own: bool, root: Path) -> dict[str, Any]:
    """Links to the documents of a run here, or to those that git keeps; its figure."""
    name, figure = notebook.name, notebook.figure or "figure"
    folder, layout = (root, RUN) if own else (reference.reference_dir(), KEPT)
    paths = {text: folder / path.format(name, figure) for text, path in layout.items()}
    there = {text: path for text, path in paths.items() if path.is_file()}
    links = {text: quote(os.path.relpath(there[text], root)) for text in there}
    found: dict[str, Any] = {"links": links}
    if url := links.pop("figure", ""):
        from PIL import Image

        words = figure.replace("_", " ").capitalize()
        with Image.open(there["figure"]) as opened:
            found["figure"] = (url, f"{words} of {name}", *opened.size)
    return found


def _headline(notebook: DeclaredNotebook, record: RunRecord) -> tuple[str, str] | None:
    """The number that stands for a run, and what it is."""
    model, metric = notebook.headline or ("", "")
    if metric in record.results.get(model, {}):
        label = f"{metric.replace('_', ' ')} of {model}"
        return str(record.estimate(model, metric)), label
    if record.findings:
        return reached(record.findings[0]), record.findings[0]["text"]
    return None
