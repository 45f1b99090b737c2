"""Markdown of notebooks, for the pandoc that comes with ``pypandoc_binary``."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nbformat import NotebookNode

from helpers.base.errors import ExportError
from helpers.export.pages import source_folders

TEMPLATES = Path(__file__).parent / "templates"
# pandoc's own Markdown has what a paper needs; these are the habits of GitHub's that
# notebooks rely on.
PAPER_MARKDOWN = (
    "markdown+lists_without_preceding_blankline+autolink_bare_uris"
    "-blank_before_header-blank_before_blockquote-subscript-superscript-example_lists"
)


def find_bibliography(notebook: NotebookNode, folder: Path) -> Path | None:
    """The BibTeX file that a notebook in ``folder`` names, if it is there."""
    paper: Any = notebook.metadata.get("paper")
    name = paper.get("bibliography") if isinstance(paper, dict) else None
    places = [place / name for place in source_folders(notebook, folder) if name]
    return next((path for path in places if path.is_file()), None)


def markdown_of(cell: NotebookNode) -> str:
    """The text of a Markdown cell, with the pictures that are attached to it."""
    text: str = cell.source
    attached = cell.get("attachments", {})
    for name in sorted(attached, key=len, reverse=True):  # one may begin another
        for mime, content in attached[name].items():
            for written in (name, quote(name)):
                address = f"data:{mime};base64,{content}"
                text = text.replace(f"attachment:{written}", address)
    return text


def pandoc(*arguments: str | Path, text: str, folder: Path | None = None) -> str:
    """What pandoc makes of a text, called with ``arguments`` in a ``folder``."""
    import pypandoc

    try:
        done = subprocess.run(
            [pypandoc.get_pandoc_path(), *map(str, arguments)],
            input=text,
            capture_output=True,
            check=True,
            encoding="utf-8",
            cwd=folder,
        )
    except subprocess.CalledProcessError as error:
        raise ExportError(
            f"The notebook cannot be converted. {' '.join(error.stderr.split())}"
        ) from error
    except OSError as error:
        raise ExportError(
            f"pandoc did not start ({error}): pip install pypandoc_binary"
        ) from error
    return done.stdout
