"""A notebook as one HTML page that opens offline.

nbconvert's own template loads MathJax, require.js and mermaid from the network. Here
maths is MathML, which browsers draw by themselves, and images are embedded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from traitlets.config import Config

from helpers.export.marks import (
    find_bibliography,
    is_left_out,
    labelled_table,
    markdown_of,
    pandoc_marks,
)
from helpers.export.page import finish_page
from helpers.export.pages import source_folders
from helpers.export.pandoc import TEMPLATES, markdown_to_html, paper_to_html
from helpers.runner.progress import fold_progress

# The first of them that an output has is shown; of a widget and a script, nothing.
SHOWN = [
    "application/vnd.jupyter.widget-view+json",
    "application/javascript",
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/plain",
]


class PreparePage(Preprocessor):
    """Renders all Markdown of a notebook in one call of pandoc, and folds progress."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Replaces Markdown by HTML, in place; in a paper, with its marks resolved."""
        pieces = [(cell, *piece) for cell in nb.cells for piece in _pieces(cell)]
        texts = [text for _, text, _ in pieces]
        if "paper" in nb.metadata:
            bibliography = find_bibliography(nb, _folder(resources))
            absent = [is_left_out(cell) for cell, *_ in pieces]
            html = paper_to_html([*map(pandoc_marks, texts)], absent, bibliography)
        else:
            html = markdown_to_html(texts)
        for (*_, replace_by), rendered in zip(pieces, html, strict=True):
            replace_by(rendered)
        return nb, resources


class OfflineHTMLExporter(TemplateExporter):
    """nbconvert's exporter ``offline_html``: a self-contained page."""

    export_from_notebook = "HTML (offline)"
    output_mimetype = "text/html"

    @property
    def default_config(self) -> Config:
        """The template, what is done before it, and which formats are shown."""
        config = Config(super().default_config)
        config.OfflineHTMLExporter.update(
            file_extension=".html",
            template_name="cnn_html",
            template_extension=".html.j2",
            extra_template_basedirs=[str(TEMPLATES)],
            preprocessors=[PreparePage],
            filters={"fold_progress": fold_progress},
        )
        config.PreparePage.enabled = True
        config.CoalesceStreamsPreprocessor.enabled = True
        config.NbConvertBase.display_data_priority = SHOWN
        return config

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[Any, dict[str, Any]]:
        """The page of a notebook, and nbconvert's resources.

        Raises:
            ExportError: the notebook shows an image file that is not there.
        """
        html, resources = super().from_notebook_node(nb, resources, **kw)
        page = BeautifulSoup(html, "html.parser")
        undescribed = finish_page(page, source_folders(nb, _folder(resources)))
        if undescribed:
            self.log.warning("%d image(s) have no alternative text.", undescribed)
        return str(page), resources


def _folder(resources: dict[str, Any]) -> Path:
    return Path(resources.get("metadata", {}).get("path") or ".")


def _pieces(cell: NotebookNode) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Each Markdown text of a cell, and what puts its HTML in its place."""
    if cell.cell_type == "markdown":
        yield markdown_of(cell), partial(cell.__setitem__, "source")
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        text = data.get("text/markdown", data.get("text/latex"))
        about = output.get("metadata", {}).get("text/markdown", {})
        if "caption_of" in about:
            caption = text.removeprefix("*").removesuffix("*")
            text = f"::: {{#fig:{about['caption_of']}}}\n{caption}\n:::"
        elif about.get("table") and about.get("caption"):
            text = labelled_table(about)
        if text and "text/html" not in data:
            yield text, partial(data.__setitem__, "text/html")
