"""A report: what executed notebooks say and show, without their code, as one PDF."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.base.errors import ExportError
from helpers.base.record import RunRecord
from helpers.export.pages import read_notebook, write_export

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from nbformat import NotebookNode

TAG = "report"  # of the cells that make up a short report; a notebook without any gives all of its cells
SHOWN = (
    "text/markdown",
    "text/html",
    "image/png",
    "image/jpeg",
    "image/svg+xml",
    "text/latex",
)


def make_report(
    paths: Sequence[Path], *, title: str = "", compact: bool = False
) -> bytes:
    """Sets the no-code view of executed notebooks as one PDF.

    Of each notebook it shows text, figures and tables, no code and no progress. Where
    some cells of a notebook are tagged ``report``, it shows its title and those only,
    and all warnings, such as that its data are a stand-in.

    Args:
        paths: of the notebooks, in the order of the report.
        title: of the report; empty takes that of the first notebook.
        compact: in two columns and a small type, for courses that count pages.

    Returns:
        The PDF; of the same notebooks, always the same bytes.

    Raises:
        ExportError: there is no notebook, or one that cannot be read, was not executed,
            or whose run did not complete; a cell failed; an image is missing.
    """
    if not paths:
        raise ExportError("A report is made of at least one notebook.")
    from helpers.export.typst import html_to_pdf  # noqa: PLC0415

    pages = [_page(path) for path in paths]
    return html_to_pdf(str(_joined(pages, title)), compact=compact)


def write_report(
    paths: Sequence[Path],
    output: Path,
    *,
    title: str = "",
    compact: bool = False,
    limits: tuple[int, int] | None = None,
) -> int:
    """Writes a report, whole or not at all.

    Args:
        paths: as of ``make_report``, like ``title`` and ``compact``.
        output: the file.
        title: of the report.
        compact: how it is set.
        limits: the least and the most pages; None means any number.

    Returns:
        How many pages it has.

    Raises:
        ExportError: as ``make_report``; it has too few or too many pages; the file
            cannot be written.
    """
    pdf = make_report(paths, title=title, compact=compact)
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
    from pypdf import PdfReader  # noqa: PLC0415
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    try:
        return len(PdfReader(BytesIO(pdf)).pages)
    except PyPdfError as error:
        raise ExportError(f"The PDF is damaged ({error}): make it again.") from error


def stamped(pdf: bytes, word: str) -> bytes:
    """The same PDF with ``word`` in large pale letters across every page."""
    import typst  # noqa: PLC0415
    from pypdf import PdfReader, PdfWriter  # noqa: PLC0415

    source = f'#set page("a4", fill: none)\n#place(center + horizon, rotate(-45deg, text(110pt, rgb("#a3231a40"))[{word}]))'
    [stamp] = PdfReader(BytesIO(typst.compile(source.encode()))).pages
    writer, stamped_pdf = PdfWriter(clone_from=BytesIO(pdf)), BytesIO()
    for page in writer.pages:
        page.merge_page(stamp)
    writer.write(stamped_pdf)
    return stamped_pdf.getvalue()


def without_code(notebook: NotebookNode) -> NotebookNode:
    """Leaves what a report shows of a notebook, in place: see ``make_report``.

    Raises:
        ExportError: a cell failed, or none has been executed.
    """
    if not any(cell.get("outputs") for cell in notebook.cells):
        raise ExportError(
            "The notebook has no outputs: a report is made of one that has been "
            "executed."
        )
    first = notebook.cells[0]
    whole = not any(TAG in cell.metadata.get("tags", []) for cell in notebook.cells)
    if not whole:
        first.source = next(
            (line for line in first.source.splitlines() if line.startswith("# ")), ""
        )
    for number, cell in enumerate(notebook.cells, start=1):
        chosen = whole or cell is first or TAG in cell.metadata.get("tags", [])
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
            f"Cell {cell} failed ({output.ename}): run the notebook again before it is "
            "reported."
        )
    if output.output_type == "stream":
        return False
    about = output.metadata.get("text/markdown", {})
    return "warning" in about or (
        chosen and "code" not in about and any(mime in output.data for mime in SHOWN)
    )


def _page(path: Path) -> BeautifulSoup:
    from bs4 import BeautifulSoup  # noqa: PLC0415

    from helpers.export.html import OfflineHTMLExporter  # noqa: PLC0415

    record = path.with_name("metrics.json")
    if record.is_file() and (status := RunRecord.load(record).status) != "complete":
        raise ExportError(
            f"The run of {path} did not complete ({status}): run it again before it is "
            "reported."
        )
    resources = {"metadata": {"name": path.stem, "path": str(path.resolve().parent)}}
    html, _ = OfflineHTMLExporter().from_notebook_node(
        without_code(read_notebook(path)), resources
    )
    return BeautifulSoup(html, "html.parser")


def _joined(pages: Sequence[BeautifulSoup], title: str) -> BeautifulSoup:
    """One page of several: each becomes a section of the first, and its headings go
    down a level.
    """
    first, several = pages[0], len(pages) > 1
    [main], [name] = first("main"), first("title")
    name.string = title or name.get_text()
    if several:
        for page in pages:
            for level in range(5, 0, -1):
                for heading in page(f"h{level}"):
                    heading.name = f"h{level + 1}"
        for page in pages[1:]:
            [more] = page("main")
            main.extend(list(more.contents))
    if not main("h1"):
        main.insert(0, first.new_tag("h1"))
    heading = main("h1")[0]
    heading.string = name.get_text()
    dates = sorted(
        str(tag["content"])
        for page in pages
        for tag in page.select('meta[name="date"]')
    )
    for tag in first.select('meta[name="date"]'):
        tag["content"] = dates[-1]
    return first
