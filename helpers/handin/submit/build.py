"""Builds what is handed in for an assignment: all of it or, while something is missing,
nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.environment import commit
from helpers.base.errors import ConfigError, ExportError
from helpers.base.files import write_atomic
from helpers.base.runs import exports_root
from helpers.handin.courses import Course, find_course
from helpers.handin.results import results_markdown
from helpers.handin.submit.gather import Gathered, gather
from helpers.handin.template import render

MANIFEST = "MANIFEST.json"


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
    assignment: str, *, group: str = "", draft: bool = False, quick: bool = False
) -> Submission:
    """Builds and checks the files that the course wants: ``submit/<assignment>/``.

    Args:
        assignment: its name, ``lines``.
        group: which names the archive of ``lines``.
        draft: build it with what there is; names and README say that it is a draft.
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
    gathered = [gather(part, exports) for part in course.parts]
    missing = ["the real runs: these are quick ones"] if quick else []
    if course.bundled and not group:
        missing.append("the group, which names the archive: --group ID")
    for item in gathered:
        place = f"{item.part.name}.zip: " if course.bundled else ""
        missing += [f"{place}{fault}" for fault in item.missing]
    files = _assemble(assignment, course, gathered, group, missing)
    if too_large := _too_large(files, course.most_bytes):
        missing += too_large
        files = _assemble(assignment, course, gathered, group, missing)
    if missing and not draft:
        raise IncompleteError(assignment, missing)
    folder = exports / "submit" / assignment
    _write(folder, files)
    for path in folder.glob("*-draft.*"):  # what an earlier draft lacked may be there
        if path.name not in files:
            path.unlink()
    notes = tuple(note for item in gathered for note in item.notes)
    return Submission(tuple(folder / name for name in files), tuple(missing), notes)


def _archive(files: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """A ZIP archive of files by path and of ``MANIFEST.json``, which lists them: of the
    same files always the same, byte for byte.
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
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted({**files, MANIFEST: manifest.encode()}.items()):
            entry = zipfile.ZipInfo(path)  # of 1980: when it was built is not in it
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
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
    }
    archives: dict[str, bytes] = {}
    loose: dict[str, bytes] = {}
    for item in gathered:
        part = item.part
        readme = {"README.md": _readme(course, group, missing, item)}
        runs = {name: vars(record) for name, record in item.records.items()}
        own = {"title": part.title, "runs": runs, "notes": item.notes}
        archives[part.name] = _archive(item.files | readme, about | own)
        if course.loose_report and part.report in item.files:
            loose[f"{part.name}{suffix}.pdf"] = item.files[part.report]
    if not course.bundled:
        return {f"{name}{suffix}.zip": zip_ for name, zip_ in archives.items()} | loose
    inside = {f"{name}.zip": content for name, content in archives.items()}
    inside["README.md"] = _readme(course, group, missing)
    bundle = _archive(inside, about | {"title": course.subject})
    return {f"{group or 'group'}{suffix}.zip": bundle}


def _readme(
    course: Course, group: str, missing: Sequence[str], item: Gathered | None = None
) -> bytes:
    """Of an archive; without ``item``, of the one that holds the others."""
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
    )
    return text.encode()


def _too_large(files: Mapping[str, bytes], most: int | None) -> list[str]:
    return [
        f"{name} has {len(content) / 1e6:.1f} MB, at most {most / 1e6:g} MB are asked "
        "for: cells tagged `report` make its report shorter"
        for name, content in files.items()
        if most and len(content) > most
    ]


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files or, if one of them cannot be written, none."""
    try:
        # Each file takes its place only when all of them are written.
        with ExitStack() as stack:
            for name, content in files.items():
                stack.enter_context(write_atomic(folder / name)).write_bytes(content)
    except OSError as error:
        raise ExportError(f"{folder} cannot be written to: {error}") from error
