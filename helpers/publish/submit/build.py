"""Builds what is handed in for an assignment, all of it or, while something is missing, nothing."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.environment import commit
from helpers.base.errors import ConfigError, ExportError
from helpers.base.files import write_atomic
from helpers.base.record import RunRecord
from helpers.publish.caveats import Caveat, inherited, own_caveats
from helpers.publish.courses import Course, Part, Report, find_course
from helpers.publish.plan import exports_root, run_command
from helpers.publish.report import count_pages, fault_of_length, make_report, stamped
from helpers.publish.results import other_values
from helpers.publish.submit.archive import check_archive, make_archive
from helpers.publish.submit.contents import code_files, executed_files, faults_of_result, not_executed
from helpers.publish.submit.readme import bundle_readme, part_readme

NO_GROUP = "group"


class IncompleteError(ExportError):
    """Something that a course asks for is missing.

    Attributes:
        missing: all of it, a sentence each.
    """

    def __init__(self, assignment: str, missing: Sequence[str]) -> None:
        self.missing = list(missing)
        super().__init__(
            f"{assignment} cannot be handed in yet. Missing: {'; '.join(missing)}. As a draft all the same: --draft"
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
    assignment: str, *, group: str = "", out: Path | None = None, draft: bool = False, quick: bool = False
) -> Submission:
    """Builds the files that the course wants, checks them, and writes them.

    Args:
        assignment: its name, ``lines``.
        group: the group's identifier, which names the archive of ``lines``.
        out: the folder; None takes ``exports/submit/<assignment>``.
        draft: build it with what there is; the files say in their names and inside that they are a draft.
        quick: take the quick runs, which make a draft only.

    Raises:
        IncompleteError: something is missing, and it is to be no draft; nothing is written.
        ExportError: the assignment is unknown, a record or notebook is damaged, or a file cannot be written.
        ConfigError: the group is no name for a file.
    """
    course = find_course(assignment)
    if group and not re.fullmatch(r"[\w-]{1,64}", group):
        raise ConfigError(f"The group {group!r} is no name for a file: use letters, digits, hyphens and underscores.")
    exports = exports_root(quick=quick)
    gathered = [_gather(part, exports, quick=quick) for part in course.parts]
    missing = [*_general_faults(course, group, quick=quick), *_faults_of_parts(gathered)]
    files = _assemble(assignment, course, gathered, group, missing)
    if faults := list(_faults_of_archives(course, files)):
        missing += faults
        files = _assemble(assignment, course, gathered, group, missing)  # which says so inside
    if missing and not draft:
        raise IncompleteError(assignment, missing)
    folder = out or exports / "submit" / assignment
    _write(folder, files)
    if out is None:  # a folder of our own: what an earlier call has left there is out of date
        for stale in (path for path in folder.iterdir() if path.is_file() and path.name not in files):
            stale.unlink()
    notes = [note for item in gathered for note in item.notes]
    return Submission(tuple(folder / name for name in files), tuple(missing), tuple(notes))


@dataclass(frozen=True)
class _Gathered:
    """What goes into an archive, but for its README and its manifest."""

    part: Part
    records: dict[str, RunRecord]
    files: dict[str, bytes]
    missing: list[str]
    notes: list[str]


def _general_faults(course: Course, group: str, *, quick: bool) -> Iterator[str]:
    if quick:
        yield "the real runs: these are quick ones"
    if course.bundled and not group:
        yield "the group, which names the archive: --group ID"


def _faults_of_parts(gathered: Sequence[_Gathered]) -> Iterator[str]:
    for item in gathered:
        place = f"{item.part.name}.zip: " if len(gathered) > 1 else ""
        yield from (f"{place}{fault}" for fault in item.missing)


def _gather(part: Part, exports: Path, *, quick: bool) -> _Gathered:
    needed = with_needs(part.notebooks, find_notebooks())
    paths = {name: exports / name / "metrics.json" for name in needed}
    records = {name: RunRecord.load(path) for name, path in paths.items() if path.is_file()}
    missing = [fault for name in part.notebooks for fault in _faults_of_run(name, records, quick=quick)]
    files = {f"code/{path}": content for path, content in code_files(part.notebooks).items()}
    for name in part.notebooks if part.executed else ():
        executed, faults = executed_files(exports, name, quick=quick)
        files |= executed
        missing += faults if name in records else []
    for path, source in part.results.items():
        missing += faults_of_result(path, exports / source, source.rpartition("/")[0], quick=quick)
        if (exports / source).is_file():
            files[path] = (exports / source).read_bytes()
    if part.report:
        pdf, faults = _report(part.report, exports, records, quick=quick)
        missing += [f"{part.report.file} {fault}" for fault in faults]
        files |= {part.report.file: pdf} if pdf else {}
    own = {name: record for name, record in records.items() if name in part.notebooks}
    notes = [note for name, record in own.items() for note in _notes(name, record, records)]
    return _Gathered(part, own, files, missing, notes)


def _faults_of_run(name: str, records: Mapping[str, RunRecord], *, quick: bool) -> Iterator[str]:
    """Why a run cannot be handed in, a sentence each."""
    again = run_command(name, quick=quick)
    if name not in records:
        yield f"{name} has not been run: {again}"
    elif records[name].status != "complete":
        yield f"{name} did not complete ({records[name].status}): {again}"
    else:
        for caveat in _caveats(name, records):
            if caveat.status == "stand-in":
                yield f"{name}: {caveat.text} With the real thing (data/README.md): {again}"


def _notes(name: str, record: RunRecord, records: Mapping[str, RunRecord]) -> Iterator[str]:
    """What whoever hands a run in should know of it."""
    yield from (f"{name}: {caveat.text}" for caveat in _caveats(name, records) if caveat.status == "reduced")
    if changed := other_values(record):
        yield f"{name}: not the notebook's own values of {', '.join(sorted(changed))}"


def _caveats(name: str, records: Mapping[str, RunRecord]) -> list[Caveat]:
    own = {known: own_caveats(record) for known, record in records.items()}
    needs = [need for need in with_needs([name], find_notebooks()) if need != name]
    return [*own[name], *inherited(needs, own)]


def _report(report: Report, exports: Path, records: Mapping[str, RunRecord], *, quick: bool) -> tuple[bytes, list[str]]:
    """The PDF, empty if it cannot be made, and what is wrong with it."""
    option = " --quick" if quick else ""
    if report.paper:
        path = exports / report.paper / "paper.pdf"
        if not path.is_file():
            return b"", [f"has not been made: python -m helpers paper {report.paper}{option}"]
        pdf, faults = path.read_bytes(), []
    else:
        paths = {name: exports / name / "notebook.ipynb" for name in report.notebooks}
        faults = [
            f"lacks a part: {not_executed(name, quick=quick)}"
            for name, path in paths.items()
            if name in records and not path.is_file()
        ]
        there = [path for name, path in paths.items() if path.is_file() and name in records and _is_done(records[name])]
        if not there:
            return b"", [*faults, "has no run to report on"]
        pdf = make_report(there, title=report.title, compact=report.pages is not None)
    if fault := fault_of_length(count_pages(pdf), report.pages):
        faults.append(f"{fault}: CONTRIBUTING.md says what a report is made of")
    return pdf, faults


def _is_done(record: RunRecord) -> bool:
    return record.status == "complete"


def _assemble(
    assignment: str, course: Course, gathered: Sequence[_Gathered], group: str, missing: Sequence[str]
) -> dict[str, bytes]:
    """The files that are handed in, by name."""
    suffix = (f"-{group}" if group and not course.bundled else "") + ("-draft" if missing else "")
    about = {"assignment": assignment, "group": group, "draft": bool(missing), "missing": list(missing)}
    about |= {"commit": commit(), "python": platform.python_version()}
    archives: dict[str, bytes] = {}
    loose: dict[str, bytes] = {}
    for item in gathered:
        files = dict(item.files)
        report = item.part.report and item.part.report.file
        if report and report in files:
            files[report] = stamped(files[report], "Draft") if missing else files[report]
            loose |= {f"{item.part.name}{suffix}.pdf": files[report]} if course.loose_report else {}
        readme = part_readme(course, item.part, group=group, missing=missing, records=item.records)
        data = {name: _origin(record) for name, record in item.records.items()}
        own = {"title": item.part.title, "data": data, "notes": item.notes}
        archives[item.part.name] = make_archive(files | {"README.md": readme.encode()}, about | own)
    if not course.bundled:
        return {f"{name}{suffix}.zip": content for name, content in archives.items()} | loose
    readme = bundle_readme(course, group=group, missing=missing)
    inside = {"README.md": readme.encode()} | {f"{name}.zip": content for name, content in archives.items()}
    return {f"{group or NO_GROUP}{suffix}.zip": make_archive(inside, about | {"title": course.title})} | loose


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
                f"{name} has {len(content) / 1e6:.1f} MB, at most {min(limits) / 1e6:g} MB are asked for: cells "
                "tagged `report` make its report shorter"
            )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files or, if one of them cannot be written, none."""
    try:
        with ExitStack() as stack:  # each file takes its place only when all of them are written
            for name, content in files.items():
                stack.enter_context(write_atomic(folder / name)).write_bytes(content)
    except OSError as error:
        raise ExportError(f"{folder} cannot be written to ({error}): name another folder with --out.") from error
