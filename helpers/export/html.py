"""A notebook as one HTML page that opens offline: no script, no link to a style, font
or image.

nbconvert's own template loads MathJax, require.js and mermaid from the network. Here
maths is MathML, which browsers draw by themselves, images are embedded, and the page's
content security policy forbids the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbformat import NotebookNode
from traitlets import default
from traitlets.config import Config

from helpers.export.page import (
    describe_images,
    embed_images,
    highlight_code,
    name_page,
    remove_scripts,
    settle_anchors,
)
from helpers.export.pandoc import TEMPLATES
from helpers.export.rendering import PreparePage, source_folders


class OfflineHTMLExporter(TemplateExporter):
    """nbconvert exporter of a self-contained page: ``jupyter nbconvert --to
    offline_html``.
    """

    export_from_notebook = "HTML (offline)"
    output_mimetype = "text/html"

    def __init__(self, config: Config | None = None, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)  # type: ignore[no-untyped-call]
        self.register_preprocessor(PreparePage, enabled=True)  # type: ignore[no-untyped-call]

    @default("file_extension")
    def _file_extension(self) -> str:
        return ".html"

    @default("template_name")
    def _template_name(self) -> str:
        return "cnn_html"

    @default("template_extension")
    def _template_extension(self) -> str:
        return ".html.j2"

    @default("extra_template_basedirs")
    def _template_folders(self) -> list[str]:
        return [str(TEMPLATES)]

    @property
    def default_config(self) -> Config:
        """What is shown of an output that has several formats, and how streams are
        joined.
        """
        formats = [
            "text/html",
            "image/svg+xml",
            "image/png",
            "image/jpeg",
            "text/plain",
        ]
        config = Config(super().default_config)
        config.NbConvertBase.display_data_priority = formats
        config.CoalesceStreamsPreprocessor.enabled = True
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
        name_page(page)
        remove_scripts(page)
        settle_anchors(page)
        embed_images(
            page,
            source_folders(nb, Path(resources.get("metadata", {}).get("path") or ".")),
        )
        missing = describe_images(page)
        if missing:
            self.log.warning("%d image(s) have no alternative text.", missing)
        highlight_code(page)
        return str(page), resources
