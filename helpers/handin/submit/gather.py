"""What goes into one archive: taken from the runs, looked at, and what is wrong with it
listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.record import RunRecord
from helpers.base.runs import run_command
from helpers.handin.caveats import Caveat, inherited, own_caveats
from helpers.handin.courses import Part, Report
from helpers.handin.report import count_pages, fault_of_length, make_report
from helpers.handin.results import other_values
from helpers.handin.submit.contents import (
    code_files,
    executed_files,
    faults_of_result,
    not_executed,
)


@dataclass(frozen=True)
class Gathered:
    """What goes into an archive, but for its README and its manifest.

    Attributes:
        part: what the archive is.
        records: of the runs that it is about, by notebook.
        files: contents by path.
        missing: what the course asks for and is not there, or not as it should be, a
            sentence each.
        notes: what whoever hands it in should know, likewise.
    """

    part: Part
    records: dict[str, RunRecord]
    files: dict[str, bytes]
    missing: list[str]
    notes: list[str]


def gather(part: Part, exports: Path, *, quick: bool) -> Gathered:
    """Gathers what there is for an archive, and what there is not.

    Args:
        part: what the archive is to be.
        exports: the folder of run folders.
        quick: whether these are quick runs.

    Raises:
        ExportError: a record, a notebook or a paper is damaged.
    """
    notebooks = find_notebooks()
    paths = {
        name: exports / name / "metrics.json"
        for name in with_needs(part.notebooks, notebooks)
    }
    records = {
        name: RunRecord.load(path) for name, path in paths.items() if path.is_file()
    }
    own = {name: own_caveats(record) for name, record in records.items()}
    caveats = {
        name: [*own.get(name, ()), *inherited(name, notebooks, own)]
        for name in part.notebooks
    }
    missing = [
        fault
        for name in part.notebooks
        for fault in _faults_of_run(name, records.get(name), caveats[name], quick=quick)
    ]
    files = {
        f"code/{path}": content for path, content in code_files(part.notebooks).items()
    }
    for name in part.notebooks if part.executed else ():
        executed, faults = executed_files(exports, name, quick=quick)
        files |= executed
        missing += faults if name in records else []
    for path, source in part.results.items():
        missing += faults_of_result(
            path, exports / source, source.rpartition("/")[0], quick=quick
        )
        if (exports / source).is_file():
            files[path] = (exports / source).read_bytes()
    if part.report:
        pdf, faults = _report(part.report, exports, records, quick=quick)
        missing += [f"{part.report.file} {fault}" for fault in faults]
        files |= {part.report.file: pdf} if pdf else {}
    reported = {
        name: record for name, record in records.items() if name in part.notebooks
    }
    notes = [
        note
        for name, record in reported.items()
        for note in _notes(name, record, caveats[name])
    ]
    return Gathered(part, reported, files, missing, notes)


def _faults_of_run(
    name: str, record: RunRecord | None, caveats: Sequence[Caveat], *, quick: bool
) -> Iterator[str]:
    """Why a run cannot be handed in, a sentence each."""
    again = run_command(name, quick=quick)
    if record is None:
        yield f"{name} has not been run: {again}"
    elif record.status != "complete":
        yield f"{name} did not complete ({record.status}): {again}"
    else:
        for caveat in caveats:
            if caveat.status == "stand-in":
                yield f"{name}: {caveat.text} With the real thing (data/README.md): {again}"


def _notes(name: str, record: RunRecord, caveats: Sequence[Caveat]) -> Iterator[str]:
    """What whoever hands a run in should know of it."""
    yield from (
        f"{name}: {caveat.text}" for caveat in caveats if caveat.status == "reduced"
    )
    if changed := other_values(record):
        yield f"{name}: not the notebook's own values of {', '.join(sorted(changed))}"


def _report(
    report: Report, exports: Path, records: Mapping[str, RunRecord], *, quick: bool
) -> tuple[bytes, list[str]]:
    """The PDF, empty if it cannot be made, and what is wrong with it."""
    option = " --quick" if quick else ""
    if report.paper:
        path = exports / report.paper / "paper.pdf"
        if not path.is_file():
            return b"", [
                f"has not been made: python -m helpers paper {report.paper}{option}"
            ]
        pdf, faults = path.read_bytes(), []
    else:
        paths = {name: exports / name / "notebook.ipynb" for name in report.notebooks}
        faults = [
            f"lacks a part: {not_executed(name, quick=quick)}"
            for name, path in paths.items()
            if name in records and not path.is_file()
        ]
        done = {name for name, record in records.items() if record.status == "complete"}
        there = [
            path for name, path in paths.items() if name in done and path.is_file()
        ]
        if not there:
            return b"", [*faults, "has no run to report on"]
        pdf = make_report(there, title=report.title, compact=report.pages is not None)
    if fault := fault_of_length(count_pages(pdf), report.pages):
        faults.append(f"{fault}: CONTRIBUTING.md says what a report is made of")
    return pdf, faults
