"""A report: what executed notebooks say and show, without their code, as one PDF."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.base.errors import ExportError
from helpers.base.record import RunRecord
from helpers.export.pages import read_notebook, write_export

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from nbformat import NotebookNode

TAG = "report"  # of the cells that make up a short report
SHOWN = {
    *("text/markdown", "text/html", "text/latex"),
    *("image/png", "image/jpeg", "image/svg+xml"),
}
STAMP = """\
#set page("a4", fill: none)
#place(center + horizon, rotate(-45deg, text(110pt, rgb("#a3231a40"))[{word}]))
"""


def make_report(
    paths: Sequence[Path], *, title: str = "", compact: bool = False
) -> bytes:
    """The no-code view of executed notebooks as one PDF, always of the same bytes.

    Of each notebook it shows text, figures and tables, no code and no progress. Where
    some cells of a notebook are tagged ``report``, it shows its title and those only,
    and all warnings, such as that its data are a stand-in.

    Args:
        paths: of the notebooks, in the order of the report.
        title: of the report; empty takes that of the first notebook.
        compact: in two columns and a small type, for courses that count pages.

    Raises:
        ExportError: there is no notebook, or one that cannot be read, was not executed,
            or whose run did not complete; a cell failed; an image is missing.
    """
    if not paths:
        raise ExportError("A report is made of at least one notebook.")
    from helpers.export.typst import html_to_pdf

    pages = [_page(path) for path in paths]
    return html_to_pdf(str(_joined(pages, title)), compact=compact)


def write_report(
    paths: Sequence[Path],
    output: Path,
    *,
    limits: tuple[int, int] | None = None,
    **options: Any,
) -> int:
    """Writes a report and returns how many pages it has.

    Args:
        paths: as of ``make_report``, like ``options``.
        output: the file, written whole or not at all.
        limits: the least and the most pages; None means any number.
        options: title and compact.

    Raises:
        ExportError: as ``make_report``; it has too few or too many pages; the file
            cannot be written.
    """
    pdf = make_report(paths, **options)
    pages = count_pages(pdf)
    if fault := fault_of_length(pages, limits):
        raise ExportError(
            f"The report {fault}. Cells tagged `{TAG}` choose what is in it."
        )
    write_export(output, pdf)
    return pages


def fault_of_length(pages: int, limits: tuple[int, int] | None) -> str:
    """What is wrong with a number of pages; empty if nothing is."""
    if limits is None or limits[0] <= pages <= limits[1]:
        return ""
    return f"has {pages} pages, asked for are {limits[0]} to {limits[1]}"


def count_pages(pdf: bytes) -> int:
    """How many pages a PDF has.

    Raises:
        ExportError: it is no PDF, or a damaged one.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        return len(PdfReader(BytesIO(pdf)).pages)
    except PyPdfError as error:
        raise ExportError(f"The PDF is damaged ({error}): make it again.") from error


def stamped(pdf: bytes, word: str) -> bytes:
    """The same PDF with ``word`` in large pale letters across every page."""
    import typst
    from pypdf import PdfReader, PdfWriter

    stamp = typst.compile(STAMP.format(word=word).encode())
    over = PdfReader(BytesIO(stamp)).pages[0]
    writer, output = PdfWriter(clone_from=BytesIO(pdf)), BytesIO()
    for page in writer.pages:
        page.merge_page(over)
    writer.write(output)
    return output.getvalue()


def without_code(notebook: NotebookNode) -> NotebookNode:
    """Leaves what a report shows of a notebook, in place: see ``make_report``.

    Raises:
        ExportError: a cell failed, or none has been executed.
    """
    if not any(cell.get("outputs") for cell in notebook.cells):
        raise ExportError("The notebook has no outputs: run it before it is reported.")
    tagged = [TAG in cell.metadata.get("tags", []) for cell in notebook.cells]
    if any(tagged):
        first = notebook.cells[0]
        title = (line for line in first.source.splitlines() if line.startswith("# "))
        first.source, tagged[0] = next(title, ""), True
    for number, cell in enumerate(notebook.cells, start=1):
        chosen = not any(tagged) or tagged[number - 1]
        if cell.cell_type == "code":
            cell.source = ""
            cell.outputs = [
                output
                for output in cell.outputs
                if _is_shown(output, number, chosen=chosen)
            ]
        elif not chosen:
            cell.source = ""
    return notebook


def _is_shown(output: NotebookNode, cell: int, *, chosen: bool) -> bool:
    if output.output_type == "error":
        raise ExportError(
            f"Cell {cell} failed ({output.ename}): run the notebook again."
        )
    if output.output_type == "stream":
        return False
    about = output.metadata.get("text/markdown", {})
    return "warning" in about or (
        chosen and "code" not in about and not SHOWN.isdisjoint(output.data)
    )


def _page(path: Path) -> BeautifulSoup:
    from bs4 import BeautifulSoup

    from helpers.export.html import OfflineHTMLExporter

    record = path.with_name("metrics.json")
    if record.is_file() and (status := RunRecord.load(record).status) != "complete":
        raise ExportError(
            f"The run of {path} did not complete ({status}): run it again."
        )
    resources = {"metadata": {"name": path.stem, "path": str(path.resolve().parent)}}
    notebook = without_code(read_notebook(path))
    exporter = OfflineHTMLExporter()  # type: ignore[no-untyped-call]
    html, _ = exporter.from_notebook_node(notebook, resources)
    return BeautifulSoup(html, "html.parser")


def _joined(pages: Sequence[BeautifulSoup], title: str) -> BeautifulSoup:
    """One page of several: each becomes a section of the first, its headings a level
    further down.
    """
    first = pages[0]
    [main], [name] = first("main"), first("title")
    name.string = title or name.get_text()
    dates = [tag for page in pages for tag in page.select('meta[name="date"]')]
    for tag in first.select('meta[name="date"]'):
        tag["content"] = max(str(date["content"]) for date in dates)
    if len(pages) > 1:
        for heading in [
            h for page in pages for h in page(["h1", "h2", "h3", "h4", "h5"])
        ]:
            heading.name = f"h{int(heading.name[1]) + 1}"
    for page in pages[1:]:
        main.extend(list(page("main")[0].contents))
    if not main("h1"):
        main.insert(0, first.new_tag("h1"))
    main("h1")[0].string = name.get_text()
    return first
