"""What a run ran on: recorded with its results, for nobody remembers it later."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from helpers.base.files import ROOT


def cpu_name() -> str:
    """The processor's name as its maker gives it, or at least its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = (
        line.partition(":")[2].strip()
        for line in lines
        if line.startswith("model name")
    )
    return next(names, "") or platform.processor() or platform.machine()


def commit() -> str:
    """The commit that the repository is at, with ``+changes`` if tracked files differ;
    empty without git.
    """
    command = [
        "git",
        "-C",
        str(ROOT),
        "describe",
        "--always",
        "--exclude=*",
        "--abbrev=12",
        "--dirty=+changes",
    ]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, check=True, encoding="utf-8"
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def requirements(path: Path | None = None) -> Iterator[Requirement]:
    """The packages that a file of requirements names; None takes the project's own."""
    for line in (
        (path or ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    ):
        text = line.partition("#")[0].strip()
        if text and not text.startswith("-"):
            yield Requirement(text)
