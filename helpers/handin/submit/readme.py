"""The README of an archive: what is in it, how it is run, and with which versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.environment import installed_packages
from helpers.base.record import RunRecord
from helpers.handin.courses import Course, Part
from helpers.handin.results import results_markdown
from helpers.handin.template import render


def make_readme(
    course: Course,
    group: str,
    missing: Sequence[str],
    part: Part | None = None,
    records: Mapping[str, RunRecord] | None = None,
) -> bytes:
    """The README of an archive, in Markdown.

    Args:
        course: what is handed in.
        group: who hands it in; may be empty.
        missing: what makes it a draft.
        part: of it, this archive; None stands for the one that holds the others.
        records: the runs that it rests on, by notebook.
    """
    runs = list((records or {}).values())
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
