"""Sets a paper with XeLaTeX, if this machine has it, and reads what its log says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from helpers.base.errors import ExportError

PROGRAMS = ("xelatex", "bibtex")
PACKAGES = (
    "texlive-xetex texlive-latex-recommended texlive-fonts-recommended "
    "texlive-plain-generic lmodern fonts-texgyre"
)
INSTALL = (
    "brew install --cask mactex-no-gui"
    if sys.platform == "darwin"
    else f"apt-get install -y --no-install-recommends {PACKAGES}"
)
# Unbroken lines in the log, and the same bytes from the same source.
SETTINGS = {
    "max_print_line": "10000",
    "SOURCE_DATE_EPOCH": "0",
    "FORCE_SOURCE_DATE": "1",
}
SECONDS = 180  # that one run of a program may take
TOLERANCE = 5.0  # points that a line may stick out: under two millimetres are not seen

ERROR = re.compile(r"^(?:\./)?paper\.tex:(\d+): (.+)|^! (.+)", re.MULTILINE)
NOT_INSTALLED = re.compile(
    r"File `[^']+\.(?:sty|cls|def|fd|clo)' not found|font \"[^\"]+\" cannot be found|"
    r"Metric \(TFM\) file"
)
PAGES = re.compile(r"^Output written on .*?\((\d+) pages?", re.MULTILINE)
OVERFULL = re.compile(
    r"^Overfull \\hbox \(([\d.]+)pt too wide\) .*?(?:at lines? (\d+)(?:--(\d+))?)?$",
    re.MULTILINE,
)
# What else TeX only notes, and what it means.
FAULTS = {
    r"^Missing character: There is no (\S+)": (
        "its font has no {}: write it as maths or in words"
    ),
    r"^LaTeX Warning: (?:Hyper r|R)eference `([^']+)' on page": (
        "it refers to {}, which is not there (??)"
    ),
    r"^(?:LaTeX|Package natbib) Warning: Citation `([^']+)' on page": (
        "it cites {}, not in the bibliography (?)"
    ),
    r"^LaTeX Warning: Label `([^']+)' multiply defined": (
        "two things have the label {}: give one of them another name"
    ),
    r"^Package paper Warning: Table (\S+) is": (
        "Table {} is too wide: leave out columns, or turn rows into columns"
    ),
    r"^LaTeX Warning: Float too large for page by ([\d.]+pt)": (
        "a figure or table is {} too high for the page: make it smaller"
    ),
}


def missing_programs() -> list[str]:
    """What LaTeX lacks on this machine."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def set_with_latex(files: dict[str, bytes]) -> tuple[bytes, str]:
    """Runs XeLaTeX until references and citations are settled.

    Args:
        files: ``paper.tex`` and what it includes, by path.

    Returns:
        The PDF and the log of the last run.

    Raises:
        ExportError: TeX is not (completely) installed, or stopped at an error.
    """
    if missing := missing_programs():
        raise ExportError(
            f"LaTeX is not installed ({', '.join(missing)}). Install it: {INSTALL}"
        )
    with TemporaryDirectory(prefix="paper-") as name:
        folder = Path(name)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        _latex(folder)
        if "references.bib" in files:
            _call(folder, "bibtex", "paper")
        for _ in range(3):  # citations, what moves because of them, and then nothing
            log = _latex(folder)
        return (folder / "paper.pdf").read_bytes(), log


def faults_of(log: str, source: str, limits: Sequence[int] | None) -> list[str]:
    """What is wrong with a paper though TeX was content, a sentence each.

    Args:
        log: of the last run, its lines unbroken.
        source: the text that was set, to say where a line is too long.
        limits: the least and the most pages; None means any number.
    """
    faults = []
    for pattern, message in FAULTS.items():
        if names := dict.fromkeys(re.findall(pattern, log, re.MULTILINE)):
            faults.append(message.format(", ".join(names)))
    for points, first, last in OVERFULL.findall(log):
        if float(points) > TOLERANCE:
            lines = source.splitlines()[int(first or 1) - 1 : int(last or first or 0)]
            place = f" (“{' '.join(' '.join(lines).split())[:70]}…”)" if lines else ""
            faults.append(
                f"a line sticks out by {float(points):.0f} pt{place}: word it otherwise"
            )
    pages = int(found[1]) if (found := PAGES.search(log)) else 0
    if limits and not limits[0] <= pages <= limits[1]:
        faults.append(f"it has {pages} pages, expected are {limits[0]} to {limits[1]}")
    return faults


def error_of(log: str) -> str:
    """What TeX stopped at; empty if it did not."""
    if found := ERROR.search(log):
        return f"{found[2]} (line {found[1]})" if found[2] else found[3]
    return ""


def _latex(folder: Path) -> str:
    """Runs XeLaTeX once and returns its log."""
    options = ("-interaction=nonstopmode", "-halt-on-error", "-file-line-error")
    done = _call(folder, "xelatex", *options, "paper.tex")
    path = folder / "paper.log"
    log = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if done.returncode == 0:
        return log
    error = error_of(log) or " ".join(done.stdout.split())[-200:]
    if NOT_INSTALLED.search(error) or not log:
        raise ExportError(
            f"LaTeX is not installed completely: {error}. Install it: {INSTALL} "
            "(NeurIPS's own style, if it is used, needs texlive-latex-extra as well)."
        )
    raise ExportError(f"LaTeX stopped at an error: {error}")


def _call(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # the programs are our own choice  # noqa: S603
            command,
            cwd=folder,
            env=os.environ | SETTINGS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExportError(f"{command[0]} did not end within {SECONDS} s.") from error
