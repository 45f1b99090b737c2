"""Builds what is handed in for an assignment: all of it or, while something is missing,
nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.environment import commit, installed_packages
from helpers.base.errors import ConfigError, ExportError
from helpers.base.files import write_atomic
from helpers.base.record import RunRecord
from helpers.base.runs import exports_root
from helpers.handin.courses import Course, find_course
from helpers.handin.report import stamped
from helpers.handin.results import results_markdown
from helpers.handin.submit.gather import Gathered, gather
from helpers.handin.template import render

MANIFEST = "MANIFEST.json"
EPOCH = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # the oldest date in a ZIP: when it was built is not in it
PACKED = (".zip", ".pt", ".pdf", ".png")  # packing these again saves next to nothing


class IncompleteError(ExportError):
    """What a course asks for is ``missing``, a sentence each."""

    def __init__(self, assignment: str, missing: Sequence[str]) -> None:
        self.missing = missing
        faults = "; ".join(missing)
        super().__init__(f"{assignment} cannot be handed in yet. Missing: {faults}")


class Submission(NamedTuple):
    """The files that were built, what makes them a draft, and what to know of them."""

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
        draft: build it with what there is; names and contents say that it is a draft.
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
    missing = ["the real runs: these are quick ones"] if quick else []
    if course.bundled and not group:
        missing.append("the group, which names the archive: --group ID")
    for item in gathered:
        place = f"{item.part.name}.zip: " if course.bundled else ""
        missing += [f"{place}{fault}" for fault in item.missing]
    files = _assemble(assignment, course, gathered, group, missing)
    if too_large := list(_too_large(course, files)):
        missing += too_large
        files = _assemble(assignment, course, gathered, group, missing)
    if missing and not draft:
        raise IncompleteError(assignment, missing)
    folder = out or exports / "submit" / assignment
    _write(folder, files)
    if out is None:  # our own folder: what an earlier draft lacked may be there now
        for path in folder.glob("*-draft.*"):
            if path.name not in files:
                path.unlink()
    notes = tuple(note for item in gathered for note in item.notes)
    return Submission(tuple(folder / name for name in files), tuple(missing), notes)


def make_archive(files: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """A ZIP archive of files and of ``MANIFEST.json``, which lists them.

    Of the same files it is always the same, byte for byte.

    Args:
        files: contents by path, with ``/`` between folders.
        about: what else the manifest says.
    """
    listed = [
        {
            "path": path,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for path, content in sorted(files.items())
    ]
    manifest = json.dumps({**about, "files": listed}, indent=2, ensure_ascii=False)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted({**files, MANIFEST: manifest.encode()}.items()):
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = 0o644 << 16
            stored = zipfile.ZIP_STORED if path.endswith(PACKED) else None
            archive.writestr(entry, content, stored, compresslevel=9)
    return buffer.getvalue()


def _assemble(
    assignment: str,
    course: Course,
    gathered: Sequence[Gathered],
    group: str,
    missing: Sequence[str],
) -> dict[str, bytes]:
    """The files that are handed in, by name."""
    draft = "-draft" if missing else ""
    suffix = f"-{group}{draft}" if group and not course.bundled else draft
    about = {
        "assignment": assignment,
        "group": group,
        "draft": bool(missing),
        "missing": list(missing),
        "commit": commit(),
        "python": platform.python_version(),
    }
    archives: dict[str, bytes] = {}
    loose: dict[str, bytes] = {}
    for item in gathered:
        part, files = item.part, dict(item.files)
        if pdf := files.get(part.report):
            pdf = files[part.report] = stamped(pdf, "Draft") if missing else pdf
            if course.loose_report:
                loose[f"{part.name}{suffix}.pdf"] = pdf
        files["README.md"] = _readme(course, group, missing, item)
        own = {"title": part.title, "data": _origins(item), "notes": item.notes}
        archives[part.name] = make_archive(files, about | own)
    if not course.bundled:
        return {f"{name}{suffix}.zip": zip_ for name, zip_ in archives.items()} | loose
    inside = {f"{name}.zip": content for name, content in archives.items()}
    inside["README.md"] = _readme(course, group, missing)
    bundle = make_archive(inside, about | {"title": course.title})
    return {f"{group or 'group'}{suffix}.zip": bundle} | loose


def _origins(item: Gathered) -> dict[str, dict[str, Any]]:
    """Which data each run was about, and with which values and versions it ran."""
    return {
        name: {
            **record.data,
            "parameters": record.parameters,
            "reduced": record.reduced,
            "environment": record.environment,
        }
        for name, record in item.records.items()
    }


def _readme(
    course: Course, group: str, missing: Sequence[str], item: Gathered | None = None
) -> bytes:
    """The README of an archive; without ``item``, of the one that holds the others."""
    part, runs = (item.part, list(item.records.values())) if item else (None, [])
    needed = with_needs(part.notebooks, find_notebooks()) if part else ()
    text = render(
        "README.md.j2",
        course=course,
        part=part,
        group=group,
        missing=missing,
        needed=" ".join(needed),
        results=results_markdown(runs, "code/notebooks") if runs else "",
        runs=sorted(set(map(_versions, runs))),
        python=platform.python_version(),
        packages=sorted(installed_packages().items()),
    )
    return text.encode()


def _versions(record: RunRecord) -> str:
    """What a run ran with, in words."""
    known = {"device": "an unknown device"} | record.environment
    names = {"python": "Python", "torch": "torch", "torchvision": "torchvision"}
    words = [f"{word} {known[name]}" for name, word in names.items() if name in known]
    return ", ".join([*words, f"on {known['device']}"])


def _too_large(course: Course, files: Mapping[str, bytes]) -> Iterator[str]:
    limits = [part.most_bytes for part in course.parts if part.most_bytes]
    for name, content in files.items():
        if limits and len(content) > min(limits):
            yield (
                f"{name} has {len(content) / 1e6:.1f} MB, at most "
                f"{min(limits) / 1e6:g} MB are asked for: cells tagged `report` make "
                "its report shorter"
            )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files or, if one of them cannot be written, none."""
    try:
        # Each file takes its place only when all of them are written.
        with ExitStack() as stack:
            for name, content in files.items():
                stack.enter_context(write_atomic(folder / name)).write_bytes(content)
    except OSError as error:
        raise ExportError(
            f"{folder} cannot be written to ({error}): name another folder with --out."
        ) from error
