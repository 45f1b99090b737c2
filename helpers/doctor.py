"""What this machine can do: its packages and its device."""

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from helpers.base.files import ROOT


class Check(NamedTuple):
    """What was looked at, whether it is as it should be, and what to do if not."""

    name: str
    ok: bool
    detail: str


def examine() -> Iterator[Check]:
    """One check at a time, and which interpreter runs the notebooks."""
    yield Check("python", True, sys.executable)
    yield from check_packages()
    yield check_device()


def check_packages(path: Path = ROOT / "requirements.txt") -> Iterator[Check]:
    """Whether each package that a file of requirements names is in its range."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text or text.startswith("-"):
            continue
        wanted = Requirement(text)
        try:
            detail = metadata.version(wanted.name)
            fits = wanted.specifier.contains(detail, prereleases=True)
        except metadata.PackageNotFoundError:
            detail, fits = "missing", False
        if not fits:
            detail += f", wanted {wanted.specifier}: pip install -r requirements.txt"
        yield Check(wanted.name, fits, detail)


def check_device() -> Check:
    """What torch computes on, and whether torch and torchvision fit together."""
    try:
        import torch
        import torchvision  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        both = "pip install --upgrade torch torchvision (both at once)"
        return Check("device", False, f"{error}: {both}")
    if torch.cuda.is_available():
        return Check("device", True, f"cuda, {torch.cuda.get_device_name()}")
    threads = torch.get_num_threads()
    return Check("device", True, f"cpu, {os.cpu_count()} cores, {threads} threads")
