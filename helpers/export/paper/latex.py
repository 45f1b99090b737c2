"""Sets a paper with XeLaTeX, if this machine has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from helpers.base.errors import ExportError
from helpers.export.paper.log import Log

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
PASSES = 4  # labels, citations, and what moves because of them
SECONDS = 180


def missing_programs() -> list[str]:
    """What LaTeX lacks on this machine."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def set_with_latex(files: dict[str, bytes]) -> tuple[bytes, Log]:
    """Runs XeLaTeX, and BibTeX where there is a bibliography, until nothing moves any
    more.

    Args:
        files: ``paper.tex`` and what it includes.

    Returns:
        The PDF and the log of the last run.

    Raises:
        ExportError: TeX is not installed, or not completely, or stopped at an error in
            the text.
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
        log = _latex(folder)
        if "references.bib" in files:
            _call(folder, "bibtex", "paper")
            log = _latex(folder)
        for _ in range(PASSES):
            if not log.wants_rerun:
                break
            log = _latex(folder)
        return (folder / "paper.pdf").read_bytes(), log


def _latex(folder: Path) -> Log:
    done = _call(
        folder,
        "xelatex",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-file-line-error",
        "paper.tex",
    )
    path = folder / "paper.log"
    log = Log(
        path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    )
    if done.returncode == 0:
        return log
    if log.lacks_packages or not log.text:
        cause = log.error or " ".join(done.stdout.split())[-200:]
        raise ExportError(
            f"LaTeX is not installed completely: {cause}. Install it: {INSTALL} "
            "(NeurIPS's own style, if it is used, needs texlive-latex-extra as well)."
        )
    raise ExportError(f"LaTeX stopped at an error: {log.error or 'see its log'}")


def _call(
    folder: Path, program: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    # Unbroken lines in the log, and the same bytes from the same source.
    environment = os.environ | {
        "max_print_line": "10000",
        "SOURCE_DATE_EPOCH": "0",
        "FORCE_SOURCE_DATE": "1",
    }
    try:
        return subprocess.run(  # the programs are our own choice  # noqa: S603
            [program, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExportError(f"{program} did not end within {SECONDS} s.") from error
