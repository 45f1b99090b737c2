"""nbconvert's view of a paper: ``jupyter nbconvert --to paper_pdf``, ``paper_tex`` or
``paper_typst``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbconvert.exporters.exporter import Exporter
from nbformat import NotebookNode
from traitlets import default

from helpers.base.errors import ExportError
from helpers.export.paper.build import SOURCES, Paper, Route, make_paper, set_paper


class _PaperExporter(Exporter):
    """What the three have in common.

    Attributes:
        route: that the paper takes.
    """

    output_mimetype = "application/pdf"
    route: Route = "latex"

    @default("file_extension")
    def _file_extension(self) -> str:
        return ".pdf"

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[Any, dict[str, Any]]:
        """The paper of a notebook, and nbconvert's resources.

        Raises:
            ExportError: the notebook makes no paper, or not one that passes the checks.
        """
        nb, resources = super().from_notebook_node(nb, resources, **kw)
        folder = Path(resources.get("metadata", {}).get("path") or ".")
        return self._output(make_paper(nb, folder, self.route), resources), resources

    def _output(self, paper: Paper, _resources: dict[str, Any]) -> str | bytes:
        pdf, faults = set_paper(paper)
        if faults:
            raise ExportError(f"The paper is not as it should be: {'; '.join(faults)}.")
        return pdf


class PaperPDFExporter(_PaperExporter):
    """A PDF, by LaTeX."""

    export_from_notebook = "Paper (PDF, LaTeX)"


class PaperTypstExporter(_PaperExporter):
    """A PDF without LaTeX, by Typst."""

    export_from_notebook = "Paper (PDF, Typst)"
    route: Route = "typst"


class PaperTexExporter(_PaperExporter):
    """The LaTeX source; figures, bibliography and style are written beside it."""

    export_from_notebook = "Paper (LaTeX source)"
    output_mimetype = "text/latex"

    @default("file_extension")
    def _file_extension(self) -> str:
        return ".tex"

    def _output(self, paper: Paper, resources: dict[str, Any]) -> str:
        source = SOURCES[paper.route]
        # nbconvert cannot write into the current folder unless it is named.
        resources["outputs"] = {
            f"./{name}": content
            for name, content in paper.files.items()
            if name != source
        }
        return paper.source
