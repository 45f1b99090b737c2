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


def write_paper(path: Path, authors: Sequence[Mapping[str, str]] = ()) -> Path:
    """Writes ``paper.pdf`` beside an executed notebook, and its source to ``paper/``.

    Args:
        path: of the notebook.
        authors: of each the ``name`` and, as far as there are, ``number``,
            ``affiliation`` and ``email``; a paper without authors is a draft.

    Raises:
        ExportError: the notebook makes no paper, or one with faults: then what was set
            is ``paper/draft.pdf``, and an earlier ``paper.pdf`` is gone.
    """
    target, folder = path.with_name("paper.pdf"), path.with_name("paper")
    draft = folder / "draft.pdf"
    for stale in (target, draft):
        stale.unlink(missing_ok=True)
    notebook = read_notebook(path)
    with TemporaryDirectory(prefix="paper-") as name:
        work = Path(name)
        make_source(notebook, path.parent, work, authors)
        for file in filter(Path.is_file, work.rglob("*")):
            write_export(folder / file.relative_to(work), file.read_bytes())
        try:
            pdf, log = set_with_latex(work)
        except ExportError as error:
            source = folder / "paper.tex"
            raise ExportError(f"{error} The paper's source is {source}.") from error
    faults = faults_of(log, notebook.metadata["paper"].get("pages"))
    if not authors:
        faults.append("it names nobody: write hand-in.toml, as README shows")
    if faults:
        write_export(draft, pdf)
        raise ExportError(
            f"The paper is not as it should be: {'; '.join(faults)}. See {draft}."
        )
    write_export(target, pdf)
    return target


def make_source(
    notebook: NotebookNode,
    folder: Path,
    work: Path,
    authors: Sequence[Mapping[str, str]],
) -> None:
    """Writes the source of the paper of an executed notebook in ``folder``.

    Raises:
        ExportError: what ``read_manuscript`` and ``write_source`` refuse; a
            bibliography that is not there.
    """
    text, about = read_manuscript(notebook, folder)
    bibliography = find_bibliography(notebook, folder)
    if (named := about.pop("bibliography", "")) and not bibliography:
        raise ExportError(
            f"The bibliography {named} is not in {folder.resolve()}: put the BibTeX "
            "file there, beside the notebook."
        )
    about["authors"] = authors
    write_source(work, text, about, source_folders(notebook, folder), bibliography)


def write_source(
    work: Path,
    text: str,
    about: Mapping[str, Any],
    folders: Sequence[Path] = (),
    bibliography: Path | None = None,
) -> None:
    """Writes ``paper.tex`` and what it includes.

    Args:
        work: an empty folder.
        text: Markdown.
        about: ``title``, ``authors`` and ``abstract``, in Markdown too.
        folders: where pictures, and NeurIPS's own style if it is there, lie.
        bibliography: the BibTeX file of what is cited.

    Raises:
        ExportError: code; a figure or table without caption; a picture that is missing,
            on the network or outside these.
    """
    theirs = sorted(file for folder in folders for file in folder.glob("neurips_*.sty"))
    templates = TEMPLATES / "paper"
    style = theirs[-1] if theirs else templates / "paper.sty"
    resources = os.pathsep.join(str(folder.resolve()) for folder in folders)
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
    cites = "\\bibliography{" in (work / "paper.tex").read_text(encoding="utf-8")
    if bibliography and cites:
        shutil.copy(bibliography, work / "references.bib")
