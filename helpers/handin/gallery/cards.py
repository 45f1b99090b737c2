"""What a reader is told of one notebook and its run, and above all: whether its numbers
are results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from helpers.base.declared import DeclaredNotebook
from helpers.base.record import RunRecord, format_metric
from helpers.base.runs import run_command
from helpers.handin.caveats import Caveat, own_caveats
from helpers.handin.gallery.thumbnail import Thumbnail, find_thumbnail
from helpers.handin.results import format_time

Status = Literal[
    "met", "unmet", "complete", "reduced", "stand-in", "running", "failed", "absent"
]
# The words of the filter, from the best that can be said of a run to the least.
STATUSES: dict[Status, str] = {
    "met": "All requirements met",
    "unmet": "Some requirements not met",
    "complete": "Complete, nothing required",
    "reduced": "Reduced run",
    "stand-in": "Stand-in, not a result",
    "running": "Still running",
    "failed": "Failed or broken off",
    "absent": "Not run yet",
}
ENDINGS = {"failed": "Failed", "killed": "Killed", "timeout": "Out of time"}
FILES = {
    "notebook.html": "Web page",
    "notebook.pdf": "PDF",
    "paper.pdf": "Paper",
    "notebook.ipynb": "Notebook",
}
NOTES = {"stand-in": "; not a result", "reduced": "; reduced run"}
SPLITS = {"train": "training", "valid": "validation", "test": "test"}


@dataclass(frozen=True)
class Headline:
    """The number that stands for a notebook: its value, how many seeds it is the mean
    of, and what it measures.
    """

    value: str
    seeds: str
    label: str


@dataclass(frozen=True)
class Requirement:
    """What is asked, what was reached, and ``met``, ``not met`` or ``not judged``."""

    text: str
    value: str
    verdict: str


@dataclass(frozen=True)
class Link:
    """A file that a reader can open: its kind and its address, relative to the page."""

    text: str
    url: str


@dataclass(frozen=True)
class Card:
    """One notebook in the gallery. What a run has not left is None or empty.

    Attributes:
        name: assignment and notebook.
        title: its heading.
        status: the one category of ``STATUSES`` that it is in.
        summary: the same for this run, in words.
        caveats: why its numbers are no results, or those of a smaller experiment.
        error: why it did not complete.
        command: what starts it (again), where it is not complete.
        figure: the picture that stands for it.
        headline: the number that stands for it.
        requirements: what the course and the project ask.
        facts: data, device and time, in words, by name.
        links: the files that there are.
    """

    name: str
    title: str
    status: Status
    summary: str
    caveats: tuple[Caveat, ...] = ()
    error: str = ""
    command: str = ""
    figure: Thumbnail | None = None
    headline: Headline | None = None
    requirements: tuple[Requirement, ...] = ()
    facts: Mapping[str, str] | None = None
    links: tuple[Link, ...] = ()

    @property
    def assignment(self) -> str:
        """The folder that the notebook lies in."""
        return self.name.partition("/")[0]


def make_card(
    notebook: DeclaredNotebook,
    record: RunRecord | None,
    root: Path,
    *,
    based_on: Sequence[Caveat],
    quick: bool,
) -> Card:
    """The card of a notebook.

    Figure, number and requirements are those of a complete run only.

    Args:
        notebook: what its file declares.
        record: of its run; None if there is none.
        root: the folder of run folders, which links start from.
        based_on: the caveats of the runs whose models or results it loads, as
            ``inherited`` gives them.
        quick: whether the runs in ``root`` are quick ones.

    Raises:
        ExportError: the executed notebook cannot be read.
    """
    title = notebook.title or notebook.name
    command = run_command(notebook.name, quick=quick)
    if record is None:
        return Card(notebook.name, title, "absent", STATUSES["absent"], command=command)
    folder = root / notebook.name
    links = tuple(
        Link(text, _url(folder / file, root))
        for file, text in FILES.items()
        if (folder / file).is_file()
    )
    facts = {
        "Data": describe_data(record),
        "Device": str(record.environment.get("device", "unknown")),
    }
    if record.status == "running":
        # Its time is that of the last result, and its notebook may be half written.
        return Card(
            notebook.name,
            title,
            "running",
            STATUSES["running"],
            facts=facts,
            links=links,
        )
    facts["Time"] = format_time(record)
    if record.status != "complete":
        ending, error = ENDINGS[record.status], record.error or "It left no reason."
        return Card(
            notebook.name,
            title,
            "failed",
            ending,
            error=error,
            command=command,
            facts=facts,
            links=links,
        )
    caveats = (*own_caveats(record, quick=quick), *based_on)
    status = _status(record, caveats)
    executed = folder / "notebook.ipynb"
    return Card(
        notebook.name,
        title,
        status,
        _summary(record, status),
        caveats,
        figure=find_thumbnail(executed, notebook.gallery.figure)
        if notebook.gallery and executed.is_file()
        else None,
        headline=_headline(notebook, record, NOTES.get(status, "")),
        requirements=tuple(_requirements(record)),
        facts=facts,
        links=links,
    )


def describe_data(record: RunRecord) -> str:
    """The data of a run, and the pretrained network that it starts from, in words."""
    text = (
        f"{record.data.get('source', 'unknown')} {record.data.get('name', '')}".strip()
    )
    if backbone := record.data.get("backbone"):
        weights = "random weights" if record.untrained else "pretrained"
        text += f"; {backbone}, {weights}"
    return text


def _status(record: RunRecord, caveats: Sequence[Caveat]) -> Status:
    kinds = {caveat.status for caveat in caveats}
    if kinds:
        return "stand-in" if "stand-in" in kinds else "reduced"
    if not record.requirements:
        return "complete"
    return "met" if all(row["met"] for row in record.requirements) else "unmet"


def _summary(record: RunRecord, status: Status) -> str:
    if status in ("stand-in", "complete"):
        return "Requirements not judged" if record.requirements else "Complete"
    met = sum(bool(row["met"]) for row in record.requirements)
    return f"{met} of {len(record.requirements)} requirements met"


def _headline(
    notebook: DeclaredNotebook, record: RunRecord, note: str
) -> Headline | None:
    model, metric = (notebook.gallery and notebook.gallery.headline) or ("", "")
    if metric in record.results.get(model, {}):
        text, label = (
            format_metric(metric, record.results[model][metric]),
            f"{_in_words(metric)} of {model}",
        )
    elif record.requirements:
        first = record.requirements[0]
        text, label = record.reached(first), f"{first['section']}: {first['text']}"
    else:
        return None
    value, _, seeds = text.partition(" (")
    return Headline(value, seeds.rstrip(")"), label + note)


def _in_words(metric: str) -> str:
    split, _, measure = metric.partition("_")
    return f"{SPLITS.get(split, split)} {measure.replace('_', ' ')}"


def _requirements(record: RunRecord) -> Iterator[Requirement]:
    verdicts = {True: "met", False: "not met", None: "not judged"}
    for row in record.requirements:
        yield Requirement(
            f"{row['section']}: {row['text']}",
            record.reached(row),
            verdicts[row["met"]],
        )


def _url(path: Path, root: Path) -> str:
    return quote(path.relative_to(root).as_posix())
