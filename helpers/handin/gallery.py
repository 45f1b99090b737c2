"""A web page of all notebooks and their runs, which opens offline."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from helpers.base.declared import DeclaredNotebook, find_notebooks
from helpers.base.errors import ExportError
from helpers.base.record import RunRecord, reached, said
from helpers.base.runs import exports_root, load_records, run_command
from helpers.export.pages import read_notebook, write_export
from helpers.handin.caveats import Caveat, inherited, own_caveats
from helpers.handin.courses import COURSES
from helpers.handin.results import count_verdicts, describe_data, format_time
from helpers.handin.template import render

FILES = {
    "notebook.html": "Web page",
    "notebook.pdf": "PDF",
    "paper.pdf": "Paper",
    "notebook.ipynb": "Notebook",
}
STATES = {
    "absent": "Not run yet",
    "running": "Still running",
    "failed": "Failed",
    "killed": "Killed",
    "timeout": "Out of time",
}
NOTES = {"stand-in": "; not a result", "reduced": "; reduced run"}
WORDS = (reached, said, count_verdicts, describe_data, format_time)
WIDTH, HEIGHT = 720, 480  # pixels at most: sharp where a card is half as wide


class Thumbnail(NamedTuple):
    """A small picture as a ``data:`` URL, what it shows, and its size in pixels."""

    url: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Card:
    """One notebook in the gallery.

    Attributes:
        notebook: what its file declares.
        record: of its run; None if there is none.
        kind: ``complete``, ``reduced`` or ``stand-in``; else one of ``STATES``.
        command: what starts it.
        links: addresses of the files that there are, relative to the page, by kind.
        caveats: of a complete run, like what follows.
        figure: the picture that stands for it.
        headline: a number, how many values it is the mean of, and what it measures.
    """

    notebook: DeclaredNotebook
    record: RunRecord | None
    kind: str
    command: str
    links: Mapping[str, str]
    caveats: Sequence[Caveat] = ()
    figure: Thumbnail | None = None
    headline: tuple[str, str, str] | None = None

    @property
    def assignment(self) -> str:
        """The folder that the notebook lies in."""
        return self.notebook.name.partition("/")[0]


def write_gallery(
    *, quick: bool = False, folder: Path | None = None
) -> tuple[Path, int]:
    """Writes the page of all notebooks, ``index.html`` in the folder of their runs.

    Args:
        quick: show the quick runs.
        folder: the folder of notebooks; None takes the project's own.

    Returns:
        The page, and how many of its notebooks have been run.

    Raises:
        ExportError: a record or an executed notebook cannot be read, or the page cannot
            be written; an earlier page stays as it was.
    """
    root, notebooks = exports_root(quick=quick), find_notebooks(folder)
    records = load_records(root, [notebook.name for notebook in notebooks])
    own = {name: [*own_caveats(run, quick=quick)] for name, run in records.items()}
    cards = []
    for notebook in notebooks:
        name = notebook.name
        caveats = [*own.get(name, ()), *inherited(name, notebooks, own)]
        cards.append(_card(notebook, records.get(name), root, caveats, quick=quick))
    page = render(
        "gallery.html.j2",
        sections=_sections(cards),
        archives=list(_archives(root)),
        states=STATES,
        quick=quick,
        **{words.__name__: words for words in WORDS},
    )
    write_export(root / "index.html", page.encode())
    return root / "index.html", len(records)


def _sections(cards: Sequence[Card]) -> list[tuple[str, str, str, list[Card]]]:
    """Name, subject, course and cards of each assignment, in the order of ``COURSES``;
    one that is not among them follows under its own name.
    """
    sections = []
    for name in dict.fromkeys((*COURSES, *(card.assignment for card in cards))):
        course, own = COURSES.get(name), [c for c in cards if c.assignment == name]
        subject, source = (course.subject, course.source) if course else (name, "")
        sections.append((name, subject, source, own))
    return [section for section in sections if section[-1]]


def _card(
    notebook: DeclaredNotebook,
    record: RunRecord | None,
    root: Path,
    caveats: Sequence[Caveat],
    *,
    quick: bool,
) -> Card:
    folder = root / notebook.name
    links = {
        text: _url(folder / file, root)
        for file, text in FILES.items()
        if (folder / file).is_file()
    }
    command = run_command(notebook.name, quick=quick)
    if record is None or record.status != "complete":
        state = record.status if record else "absent"
        return Card(notebook, record, state, command, links)
    kinds = {caveat.kind for caveat in caveats}
    kind = next((kind for kind in NOTES if kind in kinds), "complete")
    figure, executed = None, folder / "notebook.ipynb"
    if notebook.gallery and executed.is_file():
        figure = _thumbnail(executed, notebook.gallery.figure)
    number = _headline(notebook, record, NOTES.get(kind, ""))
    return Card(notebook, record, kind, command, links, caveats, figure, number)


def _headline(
    notebook: DeclaredNotebook, record: RunRecord, note: str
) -> tuple[str, str, str] | None:
    """Value, how many values it is the mean of, and what it measures."""
    model, metric = (notebook.gallery and notebook.gallery.headline) or ("", "")
    if metric in record.results.get(model, {}):
        text = str(record.estimate(model, metric))
        label = f"{metric.replace('_', ' ')} of {model}"
    elif record.findings:
        first = record.findings[0]
        text, label = reached(first), first["text"]
    else:
        return None
    value, _, count = text.partition(" (")
    return value, count.rstrip(")"), label + note


def _thumbnail(path: Path, name: str) -> Thumbnail | None:
    """The figure that an executed notebook shows under ``name``; None if none."""
    for cell in read_notebook(path).cells:
        for output in cell.get("outputs", []):
            shown = output.get("metadata", {}).get("image/png", {})
            if shown.get("figure") == name:
                alt = str(shown.get("alt") or name)
                try:
                    return _small(base64.b64decode(output.data["image/png"]), alt)
                except (OSError, ValueError) as error:
                    raise ExportError(
                        f"The figure {name} in {path} is no picture: {error}"
                    ) from error
    return None


def _small(png: bytes, alt: str) -> Thumbnail:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        opaque = Image.new("RGBA", picture.size, "white")
        opaque.alpha_composite(picture.convert("RGBA"))
    opaque.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    small = io.BytesIO()
    opaque.convert("RGB").save(small, "WEBP", quality=85, method=6)
    url = f"data:image/webp;base64,{base64.b64encode(small.getvalue()).decode()}"
    return Thumbnail(url, alt, opaque.width, opaque.height)


def _archives(root: Path) -> Iterator[dict[str, Any]]:
    """What lies in ``submit/<assignment>/`` below the folder of runs."""
    for path in sorted((root / "submit").glob("[!.]*/[!.]*")):
        if path.is_file() and path.suffix in (".zip", ".pdf"):
            yield {
                "name": path.relative_to(root / "submit").as_posix(),
                "url": _url(path, root),
                "bytes": path.stat().st_size,
                "draft": path.stem.endswith("-draft"),
            }


def _url(path: Path, root: Path) -> str:
    return quote(path.relative_to(root).as_posix())
