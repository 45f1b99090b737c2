"""The gallery itself: cards under their courses, filters, what is handed in, as one
page that loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from helpers.base.declared import DeclaredNotebook, find_notebooks
from helpers.base.record import RunRecord
from helpers.base.runs import exports_root
from helpers.export.pages import write_export
from helpers.export.pandoc import TEMPLATES
from helpers.export.template import render
from helpers.handin.caveats import inherited, own_caveats
from helpers.handin.courses import COURSES
from helpers.handin.gallery.cards import STATUSES, Card, make_card

ARCHIVES = (".zip", ".pdf")


@dataclass(frozen=True)
class Section:
    """The cards of one assignment.

    Attributes:
        assignment: its name.
        subject: what it is about, in a word or two.
        source: the course that sets it; empty if that is not known.
        cards: of its notebooks.
    """

    assignment: str
    subject: str
    source: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Archive:
    """A file that was made to be handed in.

    Attributes:
        name: its folder and its own name.
        url: its address, relative to the page.
        size: in words.
        draft: whether something is missing in it.
    """

    name: str
    url: str
    size: str
    draft: bool


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
        ExportError: the record or the executed notebook of a run cannot be read, or the
            page cannot be written; the message names the file, and an earlier page
            stays as it was.
        NotebookError: a notebook is not declared as it should be.
    """
    root = exports_root(quick=quick)
    notebooks = {notebook.name: notebook for notebook in find_notebooks(folder)}
    paths = {name: root / name / "metrics.json" for name in notebooks}
    records = {
        name: RunRecord.load(path) for name, path in paths.items() if path.is_file()
    }
    cards = make_cards(notebooks, records, root, quick=quick)
    page = make_page(list(sections(cards)), list(archives(root)), quick=quick)
    target = root / "index.html"
    write_export(target, page.encode("utf-8"))
    return target, len(records)


def make_cards(
    notebooks: Mapping[str, DeclaredNotebook],
    records: Mapping[str, RunRecord],
    root: Path,
    *,
    quick: bool,
) -> list[Card]:
    """A card for each notebook; what holds for a run holds for those that are based on
    it.

    Raises:
        ExportError: an executed notebook cannot be read.
    """
    caveats = {
        name: own_caveats(record, quick=quick)
        for name, record in records.items()
        if record.status == "complete"
    }
    declared = notebooks.values()
    return [
        make_card(
            notebook,
            records.get(name),
            root,
            based_on=inherited(name, declared, caveats),
            quick=quick,
        )
        for name, notebook in notebooks.items()
    ]


def sections(cards: Sequence[Card]) -> Iterator[Section]:
    """The cards by assignment, in the order of ``COURSES``; one that is not among them
    follows under its own name.
    """
    there = dict.fromkeys(card.assignment for card in cards)
    for assignment in dict.fromkeys((*COURSES, *there)):
        if assignment in there:
            course = COURSES.get(assignment)
            subject, source = (
                (course.subject, course.source) if course else (assignment, "")
            )
            yield Section(
                assignment,
                subject,
                source,
                tuple(card for card in cards if card.assignment == assignment),
            )


def archives(root: Path) -> Iterator[Archive]:
    """What lies in ``submit/<assignment>/`` below the folder of runs."""
    for path in sorted((root / "submit").glob("[!.]*/[!.]*")):
        if path.is_file() and path.suffix in ARCHIVES:
            name = path.relative_to(root / "submit").as_posix()
            url, size = (
                quote(path.relative_to(root).as_posix()),
                _size(path.stat().st_size),
            )
            yield Archive(name, url, size, draft=path.stem.endswith("-draft"))


def make_page(
    parts: Sequence[Section], handed_in: Sequence[Archive], *, quick: bool
) -> str:
    """The page as HTML. Every text in it is escaped; its own style and script are the
    only ones that it allows.
    """
    from markupsafe import Markup  # noqa: PLC0415

    style, script = (
        (TEMPLATES / "gallery" / name).read_text(encoding="utf-8")
        for name in ("style.css", "script.js")
    )
    found = Counter(card.status for part in parts for card in part.cards)
    return render(
        "gallery/index.html.j2",
        parts=parts,
        statuses={
            status: (words, found[status])
            for status, words in STATUSES.items()
            if found[status]
        },
        count=found.total(),
        handed_in=handed_in,
        quick=quick,
        style=Markup(style),
        script=Markup(script),
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
            f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
        ),
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return (
        f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
    )
