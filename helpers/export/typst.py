"""A notebook as a PDF without LaTeX: its HTML page, through pandoc, set by Typst."""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typst
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from traitlets.config import Config

from helpers.base.errors import ExportError
from helpers.export.html import OfflineHTMLExporter
from helpers.export.pandoc import TEMPLATES, pandoc


class TypstPDFExporter(OfflineHTMLExporter):
    """nbconvert's exporter ``typst_pdf``."""

    export_from_notebook = "PDF (Typst)"
    output_mimetype = "application/pdf"

    @property
    def default_config(self) -> Config:
        """As of the page; only the file is called otherwise."""
        config = super().default_config
        config.TypstPDFExporter.file_extension = ".pdf"
        return config

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[Any, dict[str, Any]]:
        """The PDF of a notebook, and nbconvert's resources; see ``html_to_pdf``."""
        html, resources = super().from_notebook_node(nb, resources, **kw)
        return html_to_pdf(html), resources


def html_to_pdf(html: str, *, compact: bool = False) -> bytes:
    """Sets an exported page, its images embedded, as a PDF without folded code.

    Args:
        html: what ``OfflineHTMLExporter`` makes of a notebook.
        compact: in two columns and a small type.

    Raises:
        ExportError: an image is broken, or Typst refuses the document.
    """
    page = BeautifulSoup(html, "html.parser")
    for element in page.select("nav, details.code"):
        element.decompose()
    with TemporaryDirectory(prefix="typst-") as name:
        folder = Path(name)
        _images_to_files(page, folder)
        source = folder / "report.typ"
        source.write_text(html_to_typst(str(page), compact=compact), encoding="utf-8")
        try:
            return typst.compile(source, root=folder)
        except typst.TypstError as error:
            raise ExportError(
                f"Typst could not set the notebook as a PDF: {error}"
            ) from error


def html_to_typst(page: str, *, compact: bool = False) -> str:
    """Turns an HTML page, its pictures being files, into a Typst document."""
    folder = TEMPLATES / "typst"
    return pandoc(
        "--from=html",
        "--to=typst",
        "--wrap=none",
        f"--template={folder / 'report.typ'}",
        f"--lua-filter={folder / 'keep.lua'}",
        *(["--variable=compact"] if compact else []),
        text=page,
    )


def _images_to_files(page: BeautifulSoup, folder: Path) -> None:
    """Writes embedded images to files: Typst wants them, and pandoc is faster so."""
    for number, image in enumerate(page("img"), start=1):
        kind, _, content = str(image["src"]).partition(",")
        mime = kind.removeprefix("data:").removesuffix(";base64")
        file = folder / f"image-{number}{mimetypes.guess_extension(mime) or ''}"
        file.write_bytes(base64.b64decode(content))
        image["src"] = file.name
