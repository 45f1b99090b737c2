"""What of an executed notebook goes into its paper: no code, progress or widgets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from helpers.base.errors import ExportError
from helpers.export.pandoc import (
    LEFT_OUT,
    is_left_out,
    labelled_table,
    markdown_of,
    pandoc_marks,
)

EXAMPLE = '{"bibliography": "….bib", "pages": [6, 8]}'
KEYS = {"bibliography", "pages"}
TITLE = re.compile(r"^# +(.+?) *#*$", re.MULTILINE)


def read_manuscript(notebook: NotebookNode, folder: Path) -> tuple[str, dict[str, Any]]:
    """Gathers the text of the paper of an executed notebook in ``folder``.

    Cells tagged ``not-in-paper`` are left out, one tagged ``abstract`` is the abstract.

    Returns:
        The text, in Markdown, its pictures being files beside the notebook; and the
        notebook's entry ``paper``, with ``title`` and ``abstract``.

    Raises:
        ExportError: the metadata are wrong, there is no abstract or title, a cell
            failed or shows plain text, or a figure has no name or no file.
    """
    paper = notebook.metadata.get("paper")
    if not isinstance(paper, dict) or not paper.keys() <= KEYS:
        raise ExportError(
            f'The notebook\'s metadata need an entry "paper" such as {EXAMPLE}; they '
            f"have {paper!r}. Authors stand in hand-in.toml."
        )
    texts: dict[bool, list[str]] = {True: [], False: []}
    for number, cell in enumerate(notebook.cells, start=1):
        if not is_left_out(cell):
            is_abstract = "abstract" in cell.metadata.get("tags", [])
            texts[is_abstract] += _texts(cell, number, folder)
    sources = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = TITLE.search("\n".join(sources))
    abstract = re.sub(r"^#+ .*\n", "", "\n\n".join(texts[True])).strip()
    if not title:
        raise ExportError("The paper has no title: begin the notebook with `# Title`.")
    if not abstract:
        raise ExportError("The paper has no abstract: tag its cell `abstract`.")
    text = pandoc_marks("\n\n".join(texts[False]))
    return text, paper | {"title": title[1], "abstract": pandoc_marks(abstract)}


def _texts(cell: NotebookNode, number: int, folder: Path) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield markdown_of(cell)
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            raise ExportError(
                f"Cell {number} failed ({output.ename}): run the notebook again."
            )
        # Progress is for those who watch.
        if output.output_type != "stream" and "progress" not in output.metadata:
            yield _shown(output, number, folder)


def _shown(output: NotebookNode, number: int, folder: Path) -> str:
    """One output as Markdown."""
    match output.data:
        case {"application/vnd.jupyter.widget-view+json": _}:
            return ""
        case {"text/markdown": text}:
            about = output.metadata.get("text/markdown", {})
            if "caption_of" in about:
                return ""  # the figure has it
            return labelled_table(about) if "table" in about else str(text)
        case {"image/png": _}:
            return _figure(output.metadata.get("image/png", {}), number, folder)
    raise ExportError(
        f"Cell {number} shows plain text or HTML, which is no part of a paper "
        f"({_line(output.data.get('text/plain', ''))[:60]}): use run.say or run.table, "
        f"or tag the cell `{LEFT_OUT}`."
    )


def _figure(about: Mapping[str, str], number: int, folder: Path) -> str:
    name = about.get("figure")
    if not name:
        raise ExportError(
            f"A picture of cell {number} has no caption: run.figure(…, caption=…)."
        )
    vector = folder / "figures" / f"{name}.pdf"
    if not vector.is_file():
        raise ExportError(
            f"Figure {name!r} is not in {vector.parent}: run the notebook again."
        )
    alt = re.sub(r"([\[\]\\])", r"\\\1", _line(about.get("alt", "")))
    caption = _line(about.get("caption", ""))
    return f"::: {{#fig:{name}}}\n![{alt}](figures/{name}.pdf)\n\n{caption}\n:::"


def _line(text: str) -> str:
    return " ".join(text.split())
