"""A report: what executed notebooks say and show, without their code, as one PDF."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from bs4 import BeautifulSoup
from nbformat import NotebookNode
from pikepdf import Pdf

from helpers.base.errors import ExportError, explained
from helpers.export.marks import is_left_out
from helpers.export.pages import outputs_of, read_notebook

TAG = "report"  # of the cells that make up a short report


def make_report(
    paths: Sequence[Path], *, title: str = "", by: str = "", compact: bool = False
) -> bytes:
    """The no-code view of executed notebooks as one PDF, always of the same bytes.

    It shows text, figures and tables, no code and no progress, and no cell tagged
    ``not-in-paper`` but the title. Of a notebook with cells tagged ``report`` it shows
    the title, those cells and all warnings.

    Its title, that of the first notebook if none is given, has below it whom it is
    ``by``; ``compact`` has two columns and a small type, for courses that count pages.

    Raises:
        ExportError: a notebook was not executed, or a cell failed.
    """
    from helpers.export.typst import html_to_pdf

    first, *others = pages = [_page(path) for path in paths]
    [main], [name] = first("main"), first("title")
    name.string = title or name.get_text()
    dates = [tag for page in pages for tag in page.select('meta[name="date"]')]
    for tag in first.select('meta[name="date"]'):
        tag["content"] = max(str(date["content"]) for date in dates)
    if others:  # each notebook becomes a section
        levels = ["h1", "h2", "h3", "h4", "h5"]
        for heading in [found for page in pages for found in page(levels)]:
            heading.name = f"h{int(heading.name[1]) + 1}"
    for page in others:
        main.extend(list(page("main")[0].contents))
    if not main("h1"):
        main.insert(0, first.new_tag("h1"))
    main("h1")[0].string = name.get_text()
    return html_to_pdf(signed(first, by), compact=compact)


def signed(page: BeautifulSoup, by: str) -> str:
    """A page that says below its title whose it is."""
    if by and page.h1:
        line = page.new_tag("p")
        line.string = by
        page.h1.insert_after(line)
    return str(page)


def read_pdf(pdf: bytes) -> tuple[int, str]:
    """How many pages a PDF has, and whom it names as its author."""
    with (
        explained(ExportError, "The PDF is damaged", "Make it again."),
        Pdf.open(BytesIO(pdf)) as document,
    ):
        return len(document.pages), str(document.docinfo.get("/Author", ""))


def without_code(notebook: NotebookNode) -> NotebookNode:
    """Leaves what a report shows of a notebook, in place: see ``make_report``."""
    if not any(cell.get("outputs") for cell in notebook.cells):
        raise ExportError("The notebook has no outputs: run it before it is reported.")
    tagged = [TAG in cell.metadata.get("tags", []) for cell in notebook.cells]
    if any(tagged):
        first = notebook.cells[0]
        title = (line for line in first.source.splitlines() if line.startswith("# "))
        first.source = next(title, "")
    else:
        tagged = [not is_left_out(cell) for cell in notebook.cells]
    tagged[0] = True
    for number, (cell, chosen) in enumerate(
        zip(notebook.cells, tagged, strict=True), start=1
    ):
        if cell.cell_type == "code" or not chosen:
            cell.source = ""
        if cell.cell_type == "code":
            shown = outputs_of(cell, number)
            cell.outputs = [output for output in shown if _belongs(output, chosen)]
    return notebook


def _belongs(output: NotebookNode, chosen: bool) -> bool:
    about = output.metadata.get("text/markdown", {})
    return "warning" in about or (
        chosen and "code" not in about and output.data.keys() != {"text/plain"}
    )


def _page(path: Path) -> BeautifulSoup:
    from helpers.export.html import notebook_to_html

    notebook = read_notebook(path)
    try:
        html = notebook_to_html(without_code(notebook), path)
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from error
    return BeautifulSoup(html, "html.parser")
