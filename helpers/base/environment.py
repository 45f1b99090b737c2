"""What a run ran on: recorded with its results, for nobody remembers it later."""

import platform
import subprocess
from pathlib import Path

from helpers.base.files import ROOT


def cpu_name() -> str:
    """The processor's name as its maker gives it, or at least its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return "".join(names[:1]).strip() or platform.processor() or platform.machine()


def commit() -> str:
    """The commit that the repository is at, with ``+changes`` if tracked files differ;
    empty without git.
    """
    how = "--always", "--exclude=*", "--abbrev=12", "--dirty=+changes"
    return git(ROOT, "describe", *how).decode().strip()


def git(folder: Path, *command: str) -> bytes:
    """What git answers in a folder; nothing where it cannot."""
    try:
        done = subprocess.run(["git", *command], cwd=folder, capture_output=True)  # noqa: PLW1510
    except OSError:
        return b""
    return b"" if done.returncode else done.stdout
