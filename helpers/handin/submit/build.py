"""Builds what is handed in for an assignment, all of it or, while something is missing,
nothing.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.base.environment import commit
from helpers.base.errors import ConfigError, ExportError
from helpers.base.files import write_atomic
from helpers.base.record import RunRecord
from helpers.base.runs import exports_root
from helpers.handin.courses import Course, find_course
from helpers.handin.report import stamped
from helpers.handin.submit.archive import check_archive, make_archive
from helpers.handin.submit.gather import Gathered, gather
from helpers.handin.submit.readme import bundle_readme, part_readme

NO_GROUP = "group"


class IncompleteError(ExportError):
    """Something that a course asks for is missing.

    Attributes:
        missing: all of it, a sentence each.
    """

    def __init__(self, assignment: str, missing: Sequence[str]) -> None:
        self.missing = list(missing)
        super().__init__(
            f"{assignment} cannot be handed in yet. Missing: {'; '.join(missing)}. As "
            "a draft all the same: --draft"
        )


@dataclass(frozen=True)
class Submission:
    """What was built.

    Attributes:
        files: that are handed in.
        missing: what makes them a draft; empty if they are none.
        notes: what whoever hands them in should know.
    """

    files: tuple[Path, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def submit(
    assignment: str,
    *,
    group: str = "",
    out: Path | None = None,
    draft: bool = False,
    quick: bool = False,
) -> Submission:
    """Builds the files that the course wants, checks them, and writes them.

    Args:
        assignment: its name, ``lines``.
        group: the group's identifier, which names the archive of ``lines``.
        out: the folder; None takes ``exports/submit/<assignment>``.
        draft: build it with what there is; the files say in their names and inside that
            they are a draft.
        quick: take the quick runs, which make a draft only.

    Raises:
        IncompleteError: something is missing, and it is to be no draft; nothing is
            written.
        ExportError: the assignment is unknown, a record or notebook is damaged, or a
            file cannot be written.
        ConfigError: the group is no name for a file.
    """
    course = find_course(assignment)
    if group and not re.fullmatch(r"[\w-]{1,64}", group):
        raise ConfigError(
            f"The group {group!r} is no name for a file: use letters, digits, hyphens "
            "and underscores."
        )
    exports = exports_root(quick=quick)
    gathered = [gather(part, exports, quick=quick) for part in course.parts]
    missing = [
        *_general_faults(course, group, quick=quick),
        *_faults_of_parts(gathered),
    ]
    files = _assemble(assignment, course, gathered, group, missing)
    if faults := list(_faults_of_archives(course, files)):
        missing += faults
        files = _assemble(
            assignment, course, gathered, group, missing
        )  # which says so inside
    if missing and not draft:
        raise IncompleteError(assignment, missing)
    folder = out or exports / "submit" / assignment
    _write(folder, files)
    for stale in (
        {path for path in folder.glob("*-draft.*") if path.name not in files}
        if out is None
        else ()
    ):
        stale.unlink()  # in a folder of our own: what it lacked is there now, or something else is
    notes = [note for item in gathered for note in item.notes]
    return Submission(
        tuple(folder / name for name in files), tuple(missing), tuple(notes)
    )


def _general_faults(course: Course, group: str, *, quick: bool) -> Iterator[str]:
    if quick:
        yield "the real runs: these are quick ones"
    if course.bundled and not group:
        yield "the group, which names the archive: --group ID"


def _faults_of_parts(gathered: Sequence[Gathered]) -> Iterator[str]:
    for item in gathered:
        place = f"{item.part.name}.zip: " if len(gathered) > 1 else ""
        yield from (f"{place}{fault}" for fault in item.missing)


def _assemble(
    assignment: str,
    course: Course,
    gathered: Sequence[Gathered],
    group: str,
    missing: Sequence[str],
) -> dict[str, bytes]:
    """The files that are handed in, by name."""
    suffix = (f"-{group}" if group and not course.bundled else "") + (
        "-draft" if missing else ""
    )
    about = {
        "assignment": assignment,
        "group": group,
        "draft": bool(missing),
        "missing": list(missing),
    }
    about |= {"commit": commit(), "python": platform.python_version()}
    archives: dict[str, bytes] = {}
    loose: dict[str, bytes] = {}
    for item in gathered:
        files = dict(item.files)
        report = item.part.report and item.part.report.file
        if report and report in files:
            files[report] = (
                stamped(files[report], "Draft") if missing else files[report]
            )
            loose |= (
                {f"{item.part.name}{suffix}.pdf": files[report]}
                if course.loose_report
                else {}
            )
        readme = part_readme(
            course, item.part, group=group, missing=missing, records=item.records
        )
        data = {name: _origin(record) for name, record in item.records.items()}
        own = {"title": item.part.title, "data": data, "notes": item.notes}
        archives[item.part.name] = make_archive(
            files | {"README.md": readme.encode()}, about | own
        )
    if not course.bundled:
        return {
            f"{name}{suffix}.zip": content for name, content in archives.items()
        } | loose
    readme = bundle_readme(course, group=group, missing=missing)
    inside = {"README.md": readme.encode()} | {
        f"{name}.zip": content for name, content in archives.items()
    }
    return {
        f"{group or NO_GROUP}{suffix}.zip": make_archive(
            inside, about | {"title": course.title}
        )
    } | loose


def _origin(record: RunRecord) -> dict[str, Any]:
    """Which data a run was about, on what it ran, and with which code and versions."""
    return {
        **record.data,
        "parameters": record.parameters,
        "reduced": record.reduced,
        "environment": record.environment,
    }


def _faults_of_archives(course: Course, files: Mapping[str, bytes]) -> Iterator[str]:
    """What is wrong with archives that are built."""
    limits = [part.most_bytes for part in course.parts if part.most_bytes]
    for name, content in files.items():
        if not name.endswith(".zip"):
            continue
        yield from (f"{name}: {fault}" for fault in check_archive(content))
        if limits and len(content) > min(limits):
            yield (
                f"{name} has {len(content) / 1e6:.1f} MB, at most "
                f"{min(limits) / 1e6:g} MB are asked for: cells "
                "tagged `report` make its report shorter"
            )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files or, if one of them cannot be written, none."""
    try:
        with (
            ExitStack() as stack
        ):  # each file takes its place only when all of them are written
            for name, content in files.items():
                stack.enter_context(write_atomic(folder / name)).write_bytes(content)
    except OSError as error:
        raise ExportError(
            f"{folder} cannot be written to ({error}): name another folder with --out."
        ) from error
