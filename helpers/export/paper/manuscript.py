"""What of an executed notebook goes into its paper: no code, progress or widgets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from helpers.base.errors import ExportError
from helpers.export.marks import LEFT_OUT, labelled_table, markdown_of, pandoc_marks

ABSTRACT = "abstract"
EXAMPLE = (
    '{"authors": [{"name": "…", "affiliation": "…", "email": "…"}], '
    '"bibliography": "….bib", "pages": [6, 8]}'
)
TITLE = re.compile(r"^# +(.+?) *#*$", re.MULTILINE)


@dataclass(frozen=True)
class Manuscript:
    """A paper before it is set.

    Attributes:
        title: of the paper.
        authors: each with ``name`` and, if given, ``affiliation`` and ``email``.
        abstract: Markdown.
        text: Markdown; its pictures are files beside the notebook.
        pages: the least and the most pages allowed; None means any number.
    """

    title: str
    authors: list[dict[str, str]]
    abstract: str
    text: str
    pages: tuple[int, int] | None


def read_manuscript(notebook: NotebookNode, folder: Path) -> Manuscript:
    """Gathers the text of a paper.

    Args:
        notebook: executed; cells tagged ``not-in-paper`` are left out, one tagged
            ``abstract`` is the abstract.
        folder: the run folder, where ``figures/`` has the pictures as vectors.

    Raises:
        ExportError: the metadata are wrong, there is no abstract or title, a cell
            failed or shows plain text, or a figure or table has no caption or no file.
    """
    paper = _metadata(notebook)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for number, cell in enumerate(notebook.cells, start=1):
        tags = cell.metadata.get("tags", [])
        if LEFT_OUT not in tags:
            texts[ABSTRACT in tags] += _texts(cell, number, folder)
    cells = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = [found[1] for source in cells if (found := TITLE.search(source))]
    title = paper.get("title") or next(iter(headings), "")
    abstract = re.sub(r"^#+ .*\n", "", "\n\n".join(texts[True])).strip()
    if not title:
        raise ExportError(
            "The paper has no title: start the notebook with a heading, `# Title`."
        )
    if not abstract:
        raise ExportError(
            "The paper has no abstract: tag the cell that says or shows it "
            f"`{ABSTRACT}`."
        )
    text = pandoc_marks("\n\n".join(texts[False]))
    pages = tuple(paper["pages"]) if "pages" in paper else None
    return Manuscript(title, paper["authors"], abstract, text, pages)


def _metadata(notebook: NotebookNode) -> dict[str, Any]:
    paper = notebook.metadata.get("paper")
    if isinstance(paper, dict) and _is_sound(**paper):
        return paper
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
                f"Cell {number} failed ({output.ename}): run the notebook again before "
                "it becomes a paper."
            )
        if output.output_type != "stream":  # progress, for those who watch
            yield _shown(output.data, output.metadata, number, folder)


def _shown(
    data: NotebookNode, metadata: NotebookNode, number: int, folder: Path
) -> str:
    """One output as Markdown."""
    if "application/vnd.jupyter.widget-view+json" in data:
        return ""
    if "text/markdown" in data:
        return _markdown(data["text/markdown"], metadata.get("text/markdown", {}))
    if "text/latex" in data:
        return str(data["text/latex"])
    if "image/png" in data:
        return _figure(metadata.get("image/png", {}), number, folder)
    if "text/html" in data:
        return f"```{{=html}}\n{data['text/html']}\n```"
    raise ExportError(
        f"Cell {number} shows plain text, which is no part of a paper "
        f"({_line(data.get('text/plain', ''))[:60]}). Show it with run.say or "
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
