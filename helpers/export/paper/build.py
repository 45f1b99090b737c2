"""A notebook's paper: its source in ``paper/``, and ``paper.pdf`` once it is sound."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nbformat import NotebookNode

from helpers.base.errors import ExportError
from helpers.export.pages import read_notebook, source_folders, write_export
from helpers.export.pandoc import (
    PAPER_MARKDOWN,
    TEMPLATES,
    find_bibliography,
    pandoc,
)
from helpers.export.paper.latex import faults_of, set_with_latex
from helpers.export.paper.manuscript import read_manuscript

OWN_STYLE = TEMPLATES / "paper" / "paper.sty"


def make_paper(notebook: NotebookNode, folder: Path) -> dict[str, bytes]:
    """The files of the paper of an executed notebook in ``folder``, by path.

    Raises:
        ExportError: what ``read_manuscript`` and ``paper_files`` refuse; a bibliography
            that is not there.
    """
    text, about = read_manuscript(notebook, folder)
    bibliography = find_bibliography(notebook, folder)
    if (named := about.pop("bibliography", "")) and not bibliography:
        raise ExportError(
            f"The bibliography {named} is not in {folder.resolve()}: put the BibTeX "
            "file there, beside the notebook."
        )
    return paper_files(text, about, source_folders(notebook, folder), bibliography)


def paper_files(
    text: str,
    about: Mapping[str, Any],
    folders: Sequence[Path] = (),
    bibliography: Path | None = None,
) -> dict[str, bytes]:
    """The LaTeX files of a paper, by path.

    Args:
        text: Markdown.
        about: ``title``, ``authors`` and ``abstract``, in Markdown too.
        folders: where pictures, and NeurIPS's own style if it is there, lie.
        bibliography: the BibTeX file of what is cited.

    Raises:
        ExportError: code; a figure or table without caption; a picture that is missing
            or on the network.
    """
    theirs = sorted(file for folder in folders for file in folder.glob("neurips_*.sty"))
    style = theirs[-1] if theirs else OWN_STYLE
    templates = TEMPLATES / "paper"
    resources = os.pathsep.join(str(folder.resolve()) for folder in folders)
    with TemporaryDirectory(prefix="paper-") as name:
        work = Path(name)
        pandoc(
            f"--from={PAPER_MARKDOWN}",
            "--to=latex",
            "--wrap=none",
            "--natbib",
            "--fail-if-warnings",
            f"--template={templates / 'paper.tex'}",
            f"--lua-filter={templates / 'paper.lua'}",
            f"--resource-path={resources}",
            "--extract-media=.",
            f"--variable=style={style.stem}",
            *(["--variable=neurips"] if theirs else []),
            "--output=paper.tex",
            text=f"---\n{json.dumps(about, ensure_ascii=False)}\n---\n\n{text}",
            folder=work,
        )
        shutil.copy(style, work)
        source = (work / "paper.tex").read_text(encoding="utf-8")
        if bibliography and "\\bibliography{" in source:
            shutil.copy(bibliography, work / "references.bib")
        files = sorted(path for path in work.rglob("*") if path.is_file())
        return {file.relative_to(work).as_posix(): file.read_bytes() for file in files}


def write_paper(path: Path) -> Path:
    """Writes ``paper.pdf`` beside an executed notebook, and its source to ``paper/``.

    Raises:
        ExportError: the notebook makes no paper, or one with faults: then what was set
            is ``paper/draft.pdf``, and an earlier ``paper.pdf`` is gone.
    """
    target, folder = path.with_name("paper.pdf"), path.with_name("paper")
    for stale in (target, folder / "draft.pdf"):
        stale.unlink(missing_ok=True)
    notebook = read_notebook(path)
    files = make_paper(notebook, path.parent)
    for name, content in files.items():
        write_export(folder / name, content)
    try:
        pdf, log = set_with_latex(files)
    except ExportError as error:
        source = folder / "paper.tex"
        raise ExportError(f"{error} The paper's source is {source}.") from error
    limits = notebook.metadata["paper"].get("pages")
    if faults := faults_of(log, limits):
        draft = folder / "draft.pdf"
        write_export(draft, pdf)
        raise ExportError(
            f"The paper is not as it should be: {'; '.join(faults)}. See {draft}."
        )
    write_export(target, pdf)
    return target
