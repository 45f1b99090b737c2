"""Builds what is handed in: all of it or, while something is missing, nothing."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from helpers.base.environment import commit
from helpers.base.errors import ExportError, require_known
from helpers.base.files import exports_dir, hand_in_file, is_quick, write_whole
from helpers.base.markdown import escaped
from helpers.handin.authors import Team, read_team
from helpers.handin.courses import COURSES
from helpers.handin.gather import Gathered, gather
from helpers.handin.results import results_markdown
from helpers.handin.template import render

MANIFEST = "MANIFEST.json"


class Submission(NamedTuple):
    """The files that were built, what makes them a draft, and what to know of them."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def submit(assignment: str, *, draft: bool = False) -> Submission:
    """Builds and checks the files that the course wants: ``submit/<assignment>/``.

    While something is missing there are none, unless as a ``draft``: names and README
    say so. Quick runs make a draft only.

    Raises:
        ExportError: the assignment is unknown, or one of its runs is damaged.
    """
    require_known(ExportError, "There is no assignment", assignment, COURSES)
    team, course, exports = read_team(), COURSES[assignment], exports_dir()
    gathered = [gather(part, exports, team) for part in course.parts]
    missing = ["the real runs: these are quick ones"] if is_quick() else []
    if not team.authors:
        missing.append(f"who hands it in: write {hand_in_file()}, as README shows")
    if course.bundled and not team.group:
        missing.append(
            f"the group, which names the archive: write it in {hand_in_file()}"
        )
    for item in gathered:
        place = f"{item.part.name}.zip: " if course.bundled else ""
        missing += [f"{place}{fault}" for fault in item.missing]
    files = _assemble(assignment, gathered, team, missing)
    most = course.most_bytes or float("inf")
    if too_large := [name for name in files if len(files[name]) > most]:
        missing += [
            f"{name} has {len(files[name]) / 1e6:.1f} MB, at most {most / 1e6:g} MB "
            "are asked for: cells tagged `report` make its report shorter"
            for name in too_large
        ]
        files = _assemble(assignment, gathered, team, missing)
    notes = tuple(note for item in gathered for note in item.notes)
    if missing and not draft:
        return Submission((), tuple(missing), notes)
    folder = exports / "submit" / assignment
    for name, content in files.items():
        write_whole(folder / name, content)
    drafts = {f"{assignment}-draft.zip", f"{assignment}-draft.pdf", "group-draft.zip"}
    drafts |= {name.replace(".", "-draft.") for name in files}
    for name in drafts - files.keys():  # what one lacked may be there
        (folder / name).unlink(missing_ok=True)
    return Submission(tuple(folder / name for name in files), tuple(missing), notes)


def _assemble(
    assignment: str, gathered: Sequence[Gathered], team: Team, missing: Sequence[str]
) -> dict[str, bytes]:
    """The files that are handed in, by name; a draft while something is missing."""
    course, draft = COURSES[assignment], "-draft" if missing else ""
    about = {
        "assignment": assignment,
        **team._asdict(),
        "draft": bool(missing),
        "missing": missing,
        "commit": commit(),
    }
    suffix = f"-{team.group}{draft}" if team.group else draft
    by = escaped(str(team))
    readme = partial(render, "README.md.j2", course=course, by=by, **about)
    files = {}
    for item in gathered:
        part, runs = item.part, item.records
        table = results_markdown(runs, "code/notebooks") if runs else ""
        text = readme(part=part, results=table, notes=item.notes)
        item.files["README.md"] = text.encode()
        records = {name: record.content() for name, record in runs.items()}
        own = {"title": part.title, "runs": records, "notes": item.notes}
        name = part.name if course.bundled else f"{part.name}{suffix}"
        files[f"{name}.zip"] = _archive(item.files, {**about, **own})
        if course.loose_report and part.report in item.files:
            files[f"{name}.pdf"] = item.files[part.report]
    if not course.bundled:
        return files
    files["README.md"] = readme(part=None, results="").encode()
    bundle = _archive(files, {**about, "title": course.subject})
    return {f"{team.group or 'group'}{draft}.zip": bundle}


def _archive(files: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """A ZIP archive of files by path and of ``MANIFEST.json``, which lists them: of the
    same files always the same, byte for byte.
    """
    listed = []
    for path, content in sorted(files.items()):
        digest = hashlib.sha256(content).hexdigest()
        listed.append({"path": path, "bytes": len(content), "sha256": digest})
    manifest = json.dumps({**about, "files": listed}, indent=2, ensure_ascii=False)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted({**files, MANIFEST: manifest.encode()}.items()):
            entry = zipfile.ZipInfo(path)  # of 1980: when it was built is not in it
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
