"""The marks of a paper in a notebook: references, labels, captions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from helpers.export.pages import source_folders

LEFT_OUT = "not-in-paper"
EQUATION = re.compile(r"(\$\$(?:(?!\$\$).)+\$\$)\s*(\{#eq:[\w-]+\})", re.DOTALL)
BEFORE_BRACKET = re.compile(r"(@(?:fig|tab|sec|eq):[\w-]+)(?=\s+\[)")


def is_left_out(cell: NotebookNode) -> bool:
    """Whether the paper of a notebook lacks a cell."""
    return LEFT_OUT in cell.metadata.get("tags", [])


def pandoc_marks(text: str) -> str:
    """Puts marks as pandoc reads them.

    It knows labels of spans, not of formulas, and takes a bracket behind
    ``@fig:curves`` for a part of it.
    """
    return BEFORE_BRACKET.sub(r"[\1]", EQUATION.sub(r"[\1]\2", text))


def labelled_table(about: Mapping[str, str]) -> str:
    """A table that ``run.table`` has shown, with its caption and label."""
    caption = " ".join(about["caption"].split())
    return f"{about['source']}\n\n: {caption} {{#tab:{about['table']}}}"


def find_bibliography(notebook: NotebookNode, folder: Path) -> Path | None:
    """The BibTeX file that a notebook in ``folder`` names, if it is there."""
    paper: Any = notebook.metadata.get("paper")
    name = paper.get("bibliography") if isinstance(paper, dict) else None
    places = [place / name for place in source_folders(notebook, folder) if name]
    return next((path for path in places if path.is_file()), None)


def markdown_of(cell: NotebookNode) -> str:
    """The text of a Markdown cell, with the pictures that are attached to it."""
    text: str = cell.source
    for name, formats in cell.get("attachments", {}).items():
        mime, content = next(iter(formats.items()))
        text = text.replace(f"(attachment:{name})", f"(data:{mime};base64,{content})")
    return text
