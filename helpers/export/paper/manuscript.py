"""What of an executed notebook goes into its paper: no code, progress or widgets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from helpers.base.errors import ExportError
from helpers.export.marks import (
    LEFT_OUT,
    is_left_out,
    labelled_table,
    markdown_of,
    pandoc_marks,
)

EXAMPLE = (
    '{"authors": [{"name": "…", "affiliation": "…", "email": "…"}], '
    '"bibliography": "….bib", "pages": [6, 8]}'
)
TITLE = re.compile(r"^# +(.+?) *#*$", re.MULTILINE)


def read_manuscript(notebook: NotebookNode, folder: Path) -> tuple[str, dict[str, Any]]:
    """Gathers the text of a paper.

    Args:
        notebook: executed; cells tagged ``not-in-paper`` are left out, one tagged
            ``abstract`` is the abstract.
        folder: the run folder, where ``figures/`` has the pictures as vectors.

    Returns:
        The text, in Markdown, its pictures being files beside the notebook; and the
        notebook's entry ``paper``, with ``title`` and ``abstract``.

    Raises:
        ExportError: the metadata are wrong, there is no abstract or title, a cell
            failed or shows plain text, or a figure or table has no caption or no file.
    """
    paper = _metadata(notebook)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for number, cell in enumerate(notebook.cells, start=1):
        if not is_left_out(cell):
            is_abstract = "abstract" in cell.metadata.get("tags", [])
            texts[is_abstract] += _texts(cell, number, folder)
    sources = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = TITLE.findall("\n".join(sources))
    title = paper.get("title") or next(iter(headings), "")
    abstract = re.sub(r"^#+ .*\n", "", "\n\n".join(texts[True])).strip()
    if not title:
        raise ExportError("The paper has no title: begin the notebook with `# Title`.")
    if not abstract:
        raise ExportError("The paper has no abstract: tag its cell `abstract`.")
    text = pandoc_marks("\n\n".join(texts[False]))
    return text, paper | {"title": title, "abstract": abstract}


def _metadata(notebook: NotebookNode) -> dict[str, Any]:
    paper = notebook.metadata.get("paper")
    if isinstance(paper, dict) and _is_sound(**paper):
        return dict(paper)
    raise ExportError(
        f'The notebook\'s metadata need an entry "paper" such as {EXAMPLE}, "title" '
        f"beside these if the first heading is none; they have {paper!r}."
    )


def _is_sound(
    authors: Any = (),
    title: Any = "",
    bibliography: Any = "",
    pages: Any = (1, 1),
    **unknown: Any,
) -> bool:
    if unknown or not (isinstance(title, str) and isinstance(bibliography, str)):
        return False
    match pages:
        case [int(least), int(most)] if 1 <= least <= most:
            return bool(authors) and all(map(_is_author, authors))
    return False


def _is_author(author: Any) -> bool:
    match author:
        case {"name": str(name), **more} if name:
            return set(more) <= {"affiliation", "email"}
    return False


def _texts(cell: NotebookNode, number: int, folder: Path) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield markdown_of(cell)
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            raise ExportError(
                f"Cell {number} failed ({output.ename}): run the notebook again."
            )
        if output.output_type != "stream":  # progress, for those who watch
            yield _shown(output, number, folder)


def _shown(output: NotebookNode, number: int, folder: Path) -> str:
    """One output as Markdown."""
    match output.data:
        case {"application/vnd.jupyter.widget-view+json": _}:
            return ""
        case {"text/markdown": text}:
            return _markdown(text, output.metadata.get("text/markdown", {}))
        case {"text/latex": text}:
            return str(text)
        case {"image/png": _}:
            return _figure(output.metadata.get("image/png", {}), number, folder)
        case {"text/html": html}:
            return f"```{{=html}}\n{html}\n```"
    raise ExportError(
        f"Cell {number} shows plain text, which is no part of a paper "
        f"({_line(output.data.get('text/plain', ''))[:60]}). Show it with run.say or "
        "run.table, end the cell's last line with a semicolon, or tag the cell "
        f"`{LEFT_OUT}`."
    )


def _markdown(text: str, about: Mapping[str, str]) -> str:
    if "caption_of" in about:
        return ""  # the figure has it
    if "table" not in about:
        return text
    if not about["caption"]:
        raise ExportError(
            f"Table {about['table']!r} has no caption: run.table(…, caption=…)."
        )
    return labelled_table(about)


def _figure(about: Mapping[str, str], number: int, folder: Path) -> str:
    name, caption = about.get("figure"), about.get("caption")
    if not (name and caption):
        figure = f"Figure {name!r}" if name else f"A picture of cell {number}"
        raise ExportError(f"{figure} has no caption: run.figure(…, caption=…).")
    vector = folder / "figures" / f"{name}.pdf"
    if not vector.is_file():
        raise ExportError(
            f"Figure {name!r} is not in {vector.parent}: run the notebook again."
        )
    alt = re.sub(r"([\[\]\\])", r"\\\1", _line(about.get("alt", "")))
    return f"::: {{#fig:{name}}}\n![{alt}](figures/{name}.pdf)\n\n{_line(caption)}\n:::"


def _line(text: str) -> str:
    return " ".join(text.split())
