"""A web page of all notebooks and their runs, which opens offline."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from helpers.base.declared import DeclaredNotebook, find_notebooks
from helpers.base.estimate import words_of
from helpers.base.files import exports_dir, is_quick, write_whole
from helpers.base.record import RunRecord, finding_rows
from helpers.base.runs import REFERENCE, command, load_records
from helpers.handin.caveats import caveats_of
from helpers.handin.courses import COURSES, subject_of
from helpers.handin.reference import collect_reference
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
WORDS = (count_verdicts, describe_data, finding_rows, format_time, subject_of)


def write_gallery(*, kept: bool = False) -> Path:
    """Writes the page of all notebooks, ``index.html`` in the folder of their runs; or
    git's, of the runs that it keeps.
    """
    root, quick = REFERENCE.parent if kept else exports_dir(), is_quick() and not kept
    notebooks = find_notebooks()
    own = {} if kept else load_records(root)
    # What git keeps stands for what has not been run here.
    records = ({} if quick else collect_reference()) | own
    caveats = caveats_of(records)
    cards = []
    for notebook in notebooks:
        name, record = notebook.name, records.get(notebook.name)
        card = {
            "name": name,
            "title": notebook.title or name,
            "assignment": name.partition("/")[0],
            "record": record,
            "caveats": caveats.get(name, ()),
            "command": command("run", name),
            "headline": _headline(notebook, record) if record else None,
        }
        folder, layout = (root, RUN) if quick or name in own else (REFERENCE, KEPT)
        cards.append(card | _files(notebook, folder, layout, root))
    words = {word.__name__: word for word in WORDS}
    page = render("gallery.html.j2", cards=cards, courses=COURSES, quick=quick, **words)
    write_whole(root / "index.html", page.encode())
    return root / "index.html"


def _files(
    notebook: DeclaredNotebook, folder: Path, layout: dict[str, str], root: Path
) -> dict[str, Any]:
    """What there is of documents, as links, and of a figure: its address and text."""
    name, figure = notebook.name, notebook.figure or "figure"
    paths = {text: folder / path.format(name, figure) for text, path in layout.items()}
    links = {
        text: quote(Path(os.path.relpath(path, root)).as_posix())
        for text, path in paths.items()
        if path.is_file()
    }
    words = figure.replace("_", " ")
    url, alt = links.pop("figure", ""), f"{notebook.title or name}: {words}"
    return {"links": links, "figure": {"url": url, "alt": alt}}


def _headline(notebook: DeclaredNotebook, record: RunRecord) -> tuple[str, str] | None:
    model, metric = notebook.headline or ("", "")
    if metric in record.results.get(model, {}):
        found = record.estimate(model, metric)
        kind = "cross-" if found.over == "repeats" else ""
        return str(found), f"{kind}{words_of(metric)} of {model}"
    if not record.findings:
        return None
    _, text, number, verdict = finding_rows(record)[0]
    return number, f"{verdict}: {text}"
