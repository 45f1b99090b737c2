"""Builds what is handed in for an assignment, all of it or, while something is missing, nothing."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.base.environment import commit
from helpers.base.errors import ConfigError, ExportError
from helpers.base.record import RunRecord
from helpers.publish.courses import Course, Part, Report, find_course
from helpers.publish.export import write_export
from helpers.publish.plan import exports_root, run_command
from helpers.publish.report import count_pages, fault_of_length, make_report
from helpers.publish.submit.archive import check_archive, make_archive
from helpers.publish.submit.contents import code_files, executed_files, faults_of_run, runs
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
    missing = ["the real runs: these are quick ones"] if quick else []
    if course.bundled and not group:
        missing.append("the group, which names the archive: --group ID")
    gathered = [_gather(part, exports, draft=draft) for part in course.parts]
    several = len(gathered) > 1
    missing += [f"{item.part.name}.zip: {fault}" if several else fault for item in gathered for fault in item.missing]
    files = _assemble(assignment, course, gathered, group, missing)
    if faults := [*_faults(course, files)]:
        missing += faults
        files = _assemble(assignment, course, gathered, group, missing)  # which says so inside
    if missing and not draft:
        raise IncompleteError(assignment, missing)
    folder = out or exports / "submit" / assignment
    for name, content in files.items():
        write_export(folder / name, content)
    notes = [note for item in gathered for note in item.notes]
    return Submission(tuple(folder / name for name in files), tuple(missing), tuple(notes))


@dataclass(frozen=True)
class _Gathered:
    """What goes into an archive, but for its README and its manifest."""

    part: Part
    records: dict[str, RunRecord]
    files: dict[str, bytes]
    missing: list[str]

    @property
    def notes(self) -> list[str]:
        return [
            f"{name} is a reduced run: {record.reduction}" for name, record in self.records.items() if record.reduced
        ]


def _gather(part: Part, exports: Path, *, draft: bool) -> _Gathered:
    missing = [fault for name in part.notebooks for fault in faults_of_run(exports, name)]
    files = {f"code/{path}": content for path, content in code_files(part.notebooks).items()}
    for name in part.notebooks if part.executed else ():
        executed = executed_files(exports, name)
        files |= executed
        if len(executed) == 1:
            missing.append(f"{name} has no page beside its notebook: python -m helpers export {name}")
    for path, source in part.results.items():
        if (exports / source).is_file():
            files[path] = (exports / source).read_bytes()
        else:
            missing.append(f"{path} is not there ({source}): {run_command(source.rpartition('/')[0])}")
    if part.report:
        pdf, faults = _report(part.report, exports, draft=draft and bool(missing))
        missing += [f"{part.report.file} {fault}" for fault in faults]
        files |= {part.report.file: pdf} if pdf else {}
    return _Gathered(part, runs(exports, part.notebooks), files, missing)


def _report(report: Report, exports: Path, *, draft: bool) -> tuple[bytes, list[str]]:
    """The PDF, empty if it cannot be made, and what is wrong with it."""
    if report.paper:
        path = exports / report.paper / "paper.pdf"
        if not path.is_file():
            return b"", [f"has not been made: python -m helpers paper {report.paper}"]
        pdf = path.read_bytes()
    else:
        paths = [exports / name / "notebook.ipynb" for name in report.notebooks]
        paths = [path for path in paths if path.is_file()]
        if not paths:
            return b"", ["has no run to report on"]
        notice = "Draft: what is missing stands in README.md beside this report." if draft else ""
        pdf = make_report(paths, title=report.title, compact=report.pages is not None, notice=notice)
    fault = fault_of_length(count_pages(pdf), report.pages)
    return pdf, [fault] if fault else []


def _assemble(
    assignment: str, course: Course, gathered: Sequence[_Gathered], group: str, missing: Sequence[str]
) -> dict[str, bytes]:
    """The files that are handed in, by name."""
    suffix = (f"-{group}" if group and not course.bundled else "") + ("-draft" if missing else "")
    about = {"assignment": assignment, "group": group, "draft": bool(missing), "missing": list(missing)}
    about |= {"commit": commit(), "python": platform.python_version()}
    archives, loose = {}, {}
    for item in gathered:
        readme = part_readme(course, item.part, group=group, missing=missing, records=item.records)
        data = {name: _origin(record) for name, record in item.records.items()}
        own = {"title": item.part.title, "data": data, "notes": item.notes}
        archives[item.part.name] = make_archive(item.files | {"README.md": readme.encode()}, about | own)
        if course.loose_report and item.part.report and item.part.report.file in item.files:
            loose[f"{item.part.name}{suffix}.pdf"] = item.files[item.part.report.file]
    if not course.bundled:
        return {f"{name}{suffix}.zip": content for name, content in archives.items()} | loose
    readme = bundle_readme(course, group=group, missing=missing)
    inside = {"README.md": readme.encode()} | {f"{name}.zip": content for name, content in archives.items()}
    return {f"{group or NO_GROUP}{suffix}.zip": make_archive(inside, about | {"title": course.title})} | loose


def _origin(record: RunRecord) -> dict[str, Any]:
    """Which data a run was about, and which code."""
    code = {name: value for name, value in record.environment.items() if name in ("commit", "device")}
    return {**record.data, **code, "parameters": record.parameters, "reduced": record.reduced}


def _faults(course: Course, files: Mapping[str, bytes]) -> Iterator[str]:
    """What is wrong with archives that are built."""
    limits = [part.most_bytes for part in course.parts if part.most_bytes]
    for name, content in files.items():
        if not name.endswith(".zip"):
            continue
        yield from (f"{name}: {fault}" for fault in check_archive(content))
        if limits and len(content) > min(limits):
            yield f"{name} has {len(content) / 1e6:.1f} MB, at most {min(limits) / 1e6:g} MB are asked for"
