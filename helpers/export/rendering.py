"""What is done to a notebook before its template prints it: Markdown becomes HTML,
widgets go, progress is folded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

from helpers.export.marks import resolve_marks
from helpers.export.pandoc import bibliography_works, markdown_to_html
from helpers.runner.progress import fold_progress

# Formats that need a running kernel or a script; their plain-text stand-in says nothing
# either.
INTERACTIVE = ("application/vnd.jupyter.widget-view+json", "application/javascript")
MARKDOWN = ("text/markdown", "text/latex")


class PreparePage(Preprocessor):
    """Renders every Markdown cell and output of a notebook in one call of pandoc, and
    leaves out what no page needs.
    """

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Replaces Markdown by HTML, a paper's marks resolved; removes widgets and
        folds progress; in place.
        """
        if "paper" in nb.metadata:
            resolve_marks(
                nb, _works(nb, Path(resources.get("metadata", {}).get("path") or "."))
            )
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs = [
                    output for output in cell.outputs if not _is_interactive(output)
                ]
                for output in cell.outputs:
                    if output.output_type == "stream":
                        output.text = fold_progress(output.text)
        pieces = list(_markdown_pieces(nb))
        html = markdown_to_html([text for text, _ in pieces])
        for (_, replace_by), rendered in zip(pieces, html, strict=True):
            replace_by(rendered)
        return nb, resources


def source_folders(nb: NotebookNode, folder: Path) -> list[Path]:
    """Where the relative paths of a notebook in ``folder`` start: there, or beside the
    notebook it was run from.
    """
    source = nb.metadata.get("papermill", {}).get("input_path")
    return [folder, Path(source).parent] if source else [folder]


def _works(nb: NotebookNode, folder: Path) -> dict[str, tuple[str, str]]:
    """What a paper may cite; nothing where its bibliography is not found, as that is no
    matter of this page.
    """
    paper = nb.metadata["paper"]
    name = paper.get("bibliography") if isinstance(paper, dict) else None
    paths = [place / name for place in source_folders(nb, folder)] if name else []
    found = next((path for path in paths if path.is_file()), None)
    return bibliography_works(found.read_text(encoding="utf-8")) if found else {}


def _is_interactive(output: NotebookNode) -> bool:
    return any(mime in output.get("data", {}) for mime in INTERACTIVE)


def _markdown_pieces(nb: NotebookNode) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Each Markdown text of a notebook, with the function that puts its HTML in its
    place.
    """
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            yield cell.source, partial(_replace_source, cell)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            mime = next((mime for mime in MARKDOWN if mime in data), None)
            if mime and "text/html" not in data:
                yield data[mime], partial(data.__setitem__, "text/html")


def _replace_source(cell: NotebookNode, html: str) -> None:
    for name, formats in cell.get("attachments", {}).items():
        mime, content = next(iter(formats.items()))
        html = html.replace(f'"attachment:{name}"', f'"data:{mime};base64,{content}"')
    cell.source = html
