"""A notebook's paper: its source with the figures in ``paper/``, and ``paper.pdf`` once
every check has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nbformat import NotebookNode

from helpers.base.errors import ExportError
from helpers.export.pages import read_notebook, write_export
from helpers.export.pandoc import (
    TEMPLATES,
    bibliography_keys,
    document_to_source,
    markdown_to_document,
)
from helpers.export.paper.document import check_document, cites_anything, place_pictures
from helpers.export.paper.latex import set_with_latex
from helpers.export.paper.log import problems
from helpers.export.paper.manuscript import read_manuscript
from helpers.export.paper.typst_pdf import set_with_typst
from helpers.export.rendering import source_folders

Route = Literal["latex", "typst"]
SOURCES: dict[Route, str] = {"latex": "paper.tex", "typst": "paper.typ"}
NOTE = "Set with Typst, without LaTeX."
OWN_STYLE = "paper.sty"


@dataclass(frozen=True)
class Paper:
    """A paper that can be set.

    Attributes:
        route: ``latex`` or ``typst``.
        files: the source, the figures, the bibliography and the style, by path.
        limits: the least and the most pages; None means any number.
    """

    route: Route
    files: dict[str, bytes]
    limits: tuple[int, int] | None

    @property
    def source(self) -> str:
        """The text that is set."""
        return self.files[SOURCES[self.route]].decode()


def make_paper(notebook: NotebookNode, folder: Path, route: Route) -> Paper:
    """Turns an executed notebook into the source of its paper, and checks all that
    needs no setting.

    Args:
        notebook: executed.
        folder: where it lies, with ``figures/`` beside it.
        route: ``latex`` or ``typst``.

    Raises:
        ExportError: what ``read_manuscript``, ``check_document`` and ``place_pictures``
            refuse; a bibliography that is not there.
    """
    folders = source_folders(notebook, folder)
    manuscript = read_manuscript(notebook, folder)
    settings, files = manuscript.settings, manuscript.files
    metadata = {
        "title": manuscript.title,
        "authors": list(settings.authors),
        "abstract": manuscript.abstract,
    }
    document = markdown_to_document(manuscript.text, metadata)
    bibliography = (
        _find(settings.bibliography, folders) if settings.bibliography else None
    )
    check_document(
        document,
        bibliography_keys(bibliography.read_text(encoding="utf-8"))
        if bibliography
        else (),
    )
    place_pictures(document, files, folders)

    variables = {"note": NOTE}
    if bibliography and cites_anything(document):
        files["references.bib"] = bibliography.read_bytes()
        variables["cites"] = "yes"
    if route == "latex":
        style = _neurips_style(folders)
        variables |= {"style": style.stem} | (
            {"neurips": "yes"} if style.name != OWN_STYLE else {}
        )
        files[style.name] = style.read_bytes()
    files[SOURCES[route]] = document_to_source(document, route, variables).encode()
    return Paper(route, files, settings.pages)


def set_paper(paper: Paper) -> tuple[bytes, list[str]]:
    """The PDF of a paper, and what is wrong with it, a sentence each.

    Raises:
        ExportError: it cannot be set at all.
    """
    if paper.route == "latex":
        pdf, log = set_with_latex(paper.files)
        pages, faults = log.pages, problems(log, paper.source)
    else:
        pdf, pages = set_with_typst(paper.files)
        faults = []
    if paper.limits and not paper.limits[0] <= pages <= paper.limits[1]:
        faults.append(
            f"it has {pages} pages, expected are {paper.limits[0]} to {paper.limits[1]}"
        )
    return pdf, faults


def write_paper(path: Path, route: Route = "latex") -> Path:
    """Writes ``paper.pdf`` beside an executed notebook, and what it is made of to
    ``paper/``.

    Args:
        path: of the notebook.
        route: ``latex``, or ``typst`` where there is no TeX; the paper says so then.

    Returns:
        The PDF.

    Raises:
        ExportError: the notebook makes no paper, or not one that passes the checks:
            then the source is there, if it could be made, and what was set, as
            ``paper/draft.pdf``; an earlier ``paper.pdf`` is gone.
    """
    target, folder = path.with_name("paper.pdf"), path.with_name("paper")
    for stale in (target, folder / "draft.pdf"):
        stale.unlink(missing_ok=True)
    paper = make_paper(read_notebook(path), path.parent, route)
    for name, content in paper.files.items():
        write_export(folder / name, content)
    try:
        pdf, faults = set_paper(paper)
    except ExportError as error:
        other = " The same without LaTeX: --route typst." if route == "latex" else ""
        raise ExportError(
            f"{error} The paper's source is {folder / SOURCES[route]}.{other}"
        ) from error
    if faults:
        write_export(folder / "draft.pdf", pdf)
        raise ExportError(
            f"The paper is not as it should be: {'; '.join(faults)}. See "
            f"{folder / 'draft.pdf'}."
        )
    write_export(target, pdf)
    return target


def _find(name: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise ExportError(
        f"The bibliography {name} is not in {folders[-1].resolve()}: put the BibTeX "
        "file there, beside the notebook."
    )


def _neurips_style(folders: Sequence[Path]) -> Path:
    """NeurIPS's own style, if the user has put it beside the notebook: it is not ours
    to ship.
    """
    theirs = sorted(file for folder in folders for file in folder.glob("neurips_*.sty"))
    return theirs[-1] if theirs else TEMPLATES / "paper" / OWN_STYLE
