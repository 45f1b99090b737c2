"""Sets a paper with XeLaTeX, if this machine has it, and reads what its log says."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from helpers.base.errors import ExportError

INSTALL = (
    "apt-get install -y --no-install-recommends texlive-xetex "
    "texlive-latex-recommended texlive-fonts-recommended texlive-plain-generic "
    "lmodern fonts-texgyre (macOS: brew install --cask mactex-no-gui)"
)
# Unbroken lines in the log, the same bytes from the same source, and no files from
# outside the folder.
SETTINGS = {
    "max_print_line": "10000",
    "SOURCE_DATE_EPOCH": "0",
    "FORCE_SOURCE_DATE": "1",
    "openin_any": "p",
}
TOLERANCE = 5.0  # points that a line may stick out: under two millimetres are not seen

ERROR = re.compile(r"^(?:\./)?paper\.tex:\d+: .+|^! .+", re.MULTILINE)
PAGES = re.compile(r"^Output written on .*?\((\d+) pages?", re.MULTILINE)
OVERFULL = re.compile(
    r"^Overfull \\hbox \(([\d.]+)pt too wide\).*?( at lines? [\d-]+)?$", re.MULTILINE
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
    r"^Package paper Warning: Table (\S+) is": (
        "Table {} is too wide: leave out columns, or turn rows into columns"
    ),
}


def set_with_latex(folder: Path) -> tuple[bytes, str]:
    """Sets ``paper.tex`` in a folder, with its references and citations; returns the
    PDF, and the log of the last run.

    Raises:
        ExportError: TeX is not installed, or stopped at an error.
    """
    if shutil.which("xelatex") is None:
        raise ExportError(f"LaTeX is not installed: {INSTALL}")
    _latex(folder)
    if (folder / "references.bib").is_file():
        _call(folder, "bibtex", "paper")
    for _ in range(3):  # citations, what moves because of them, and then nothing
        log = _latex(folder)
    return (folder / "paper.pdf").read_bytes(), log


def faults_of(log: str, limits: Sequence[int] | None) -> list[str]:
    """What is wrong with a paper though TeX was content, from its log; ``limits`` are
    the least and the most pages.
    """
    faults = []
    for pattern, message in FAULTS.items():
        if names := dict.fromkeys(re.findall(pattern, log, re.MULTILINE)):
            faults.append(message.format(", ".join(names)))
    faults += [
        f"a line sticks out by {float(points):.0f} pt{place}: word it otherwise"
        for points, place in OVERFULL.findall(log)
        if float(points) > TOLERANCE
    ]
    pages = int(found[1]) if (found := PAGES.search(log)) else 0
    if limits and not limits[0] <= pages <= limits[1]:
        faults.append(f"it has {pages} pages, expected are {limits[0]} to {limits[1]}")
    return faults


def _latex(folder: Path) -> str:
    options = ("-interaction=nonstopmode", "-halt-on-error", "-file-line-error")
    done = _call(folder, "xelatex", *options, "paper.tex")
    path = folder / "paper.log"
    log = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if done.returncode != 0:
        error = ERROR.search(log)
        why = error[0].removeprefix("./") if error else done.stdout[-200:]
        raise ExportError(
            f"LaTeX stopped at an error: {why}. If a file or font is missing: "
            f"{INSTALL} (for NeurIPS's own style also texlive-latex-extra)."
        )
    return log


def _call(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | SETTINGS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
