"""The README of an archive: what is in it, how it is run, and with which versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.environment import installed_packages
from helpers.base.record import RunRecord
from helpers.export.template import render
from helpers.handin.courses import Course, Part
from helpers.handin.results import results_markdown

OLDEST_PYTHON = "3.11"


def part_readme(
    course: Course,
    part: Part,
    *,
    group: str,
    missing: Sequence[str],
    records: Mapping[str, RunRecord],
) -> str:
    """The README of one archive, in Markdown.

    Args:
        course: what is handed in.
        part: of it, this archive.
        group: who hands it in; may be empty.
        missing: what makes it a draft.
        records: the runs that it rests on, by notebook.
    """
    needed = " ".join(with_needs(part.notebooks, find_notebooks()))
    commands = (
        f"python -m helpers run --quick {needed}  # a first look, in quick form",
        f"python -m helpers run {needed}  # the real experiments",
        *part.commands,
    )
    return _readme(
        course,
        title=part.title if course.bundled else course.title,
        contents=list(_contents(part)),
        commands=commands,
        results=results_markdown(list(records.values()), "code/notebooks")
        if records
        else "",
        runs=sorted({_versions(record) for record in records.values()}),
        group=group,
        missing=missing,
    )


def bundle_readme(course: Course, *, group: str, missing: Sequence[str]) -> str:
    """The README of the archive that holds the others."""
    contents = [
        (f"{part.name}.zip", f"{part.title}; its README says how it is run")
        for part in course.parts
    ]
    return _readme(
        course, title=course.title, contents=contents, group=group, missing=missing
    )


def _readme(course: Course, **values: object) -> str:
    return render(
        "submission/README.md.j2",
        **{"commands": (), "results": "", "runs": ()} | values,
        asked=course.asked,
        oldest_python=OLDEST_PYTHON,
        python=platform.python_version(),
        packages=sorted(installed_packages().items()),
    )


def _versions(record: RunRecord) -> str:
    """What a run ran with, in words."""
    known = record.environment
    words = [f"Python {known['python']}"] if "python" in known else []
    words += [
        f"{name} {known[name]}" for name in ("torch", "torchvision") if name in known
    ]
    return ", ".join([*words, f"on {known.get('device', 'an unknown device')}"])


def _contents(part: Part) -> list[tuple[str, str]]:
    rows = [("code/", "the library and the notebooks, which run by themselves")]
    if part.executed:
        rows += [
            ("*.ipynb", "the notebooks as executed"),
            ("*.pdf, *.html", "the same as pages"),
        ]
    if part.report:
        rows.append((part.report.file, "the report"))
    rows += [
        (path, f"from `{source}` of the runs") for path, source in part.results.items()
    ]
    return [
        *rows,
        (
            "MANIFEST.json",
            (
                "every file with its size and SHA-256, the commit, and the data of each "
                "run"
            ),
        ),
    ]
