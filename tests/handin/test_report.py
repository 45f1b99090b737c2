"""The no-code view of notebooks: what it shows, what it leaves out, and how long it may
be.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pypdf import PdfReader

from helpers.base.errors import ExportError
from helpers.export.html import notebook_to_html
from helpers.export.typst import html_to_typst
from helpers.handin.report import (
    make_report,
    read_pdf,
    without_code,
)

Write = Callable[..., Path]


def shown(text: str, **about: str) -> nbformat.NotebookNode:
    metadata = {"text/markdown": about} if about else {}
    return new_output(
        "display_data",
        data={"text/markdown": text, "text/plain": ""},
        metadata=metadata,
    )


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an executed notebook whose second and third cells are tagged on demand."""

    def write(
        title: str,
        tags: tuple[str, ...] = (),
        failed: bool = False,
        date: str = "2026-01-02",
    ) -> Path:
        code = new_code_cell(
            "secret = 1",
            metadata={"tags": list(tags)},
            outputs=[
                new_output("stream", name="stdout", text="epoch 1/2"),
                shown("```python\nclass Source: ...\n```", code="python"),
                shown(f"Result of {title}."),
            ],
        )
        warned = new_code_cell(
            "run.use_data(data)", outputs=[shown("> **SYNTHETIC DATA**", warning="yes")]
        )
        rest = new_markdown_cell(f"## Rest of {title}\n\nMore.")
        error = new_code_cell(
            "1 / 0",
            outputs=[
                new_output("error", ename="ZeroDivisionError", evalue="", traceback=[])
            ],
        )
        cells = [
            new_markdown_cell(f"# {title}\n\nThe course asks."),
            warned,
            code,
            rest,
            *([error] if failed else []),
        ]
        notebook = new_notebook(
            cells=cells, metadata={"papermill": {"end_time": f"{date}T10:00:00"}}
        )
        path = tmp_path / title / "notebook.ipynb"
        path.parent.mkdir()
        nbformat.write(notebook, path)
        return path

    return write


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_a_report_shows_what_was_found_and_not_how_it_was_programmed(
    write: Write,
) -> None:
    text = text_of(make_report([write("First")]))
    for found in (
        "First",
        "The course asks.",
        "SYNTHETIC DATA",
        "Result of First.",
        "Rest of First",
    ):
        assert found in text
    for hidden in ("secret", "epoch 1/2", "class Source"):
        assert hidden not in text


def test_tagged_cells_stand_alone_but_for_title_and_warnings(write: Write) -> None:
    text = text_of(make_report([write("First", tags=("report",))]))
    assert "Result of First." in text
    assert "SYNTHETIC DATA" in text
    assert "The course asks." not in text
    assert "Rest of First" not in text


def test_several_notebooks_become_sections_of_one_report(write: Write) -> None:
    paths = [write("First", date="2026-01-02"), write("Second", date="2026-03-04")]
    pdf = make_report(paths, title="Both of them")
    text = text_of(pdf)
    order = [
        text.index(part)
        for part in ("Both of them", "First", "Second", "Rest of Second")
    ]
    assert order == sorted(order)
    assert "Executed on 2026-03-04" in text
    assert PdfReader(io.BytesIO(pdf)).metadata.title == "Both of them"
    assert make_report(paths, title="Both of them") == pdf


def test_a_report_names_its_authors_below_the_title(write: Write) -> None:
    paths = [write("First"), write("Second")]
    text = text_of(make_report(paths, title="Both", by="Ada & Bo, 0123"))
    order = [text.index(part) for part in ("Both", "Ada & Bo, 0123", "First")]
    assert order == sorted(order)


def test_what_is_not_for_papers_is_not_for_reports_either(write: Write) -> None:
    path = write("First")
    notebook = nbformat.read(path, as_version=4)
    for cell in (notebook.cells[0], notebook.cells[-1]):
        cell.metadata["tags"] = ["not-in-paper"]
    nbformat.write(notebook, path)
    text = text_of(make_report([path]))
    assert "The course asks." in text  # the title's cell stays
    assert "Rest of First" not in text


def test_compact_takes_fewer_pages(write: Write) -> None:
    path = write("First")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(
        new_markdown_cell("\n\n".join(["Many words on networks. " * 20] * 40))
    )
    nbformat.write(notebook, path)
    short, long = (make_report([path], compact=compact) for compact in (True, False))
    assert read_pdf(short)[0] < read_pdf(long)[0]


def test_a_failed_cell_is_not_reported_on(write: Write) -> None:
    with pytest.raises(ExportError, match=r"Cell 5 failed \(ZeroDivisionError\)"):
        make_report([write("First", failed=True)])


def test_a_notebook_that_was_not_run_is_not_reported_on(tmp_path: Path) -> None:
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# Title")]), tmp_path / "new.ipynb"
    )
    with pytest.raises(ExportError, match="has no outputs"):
        make_report([tmp_path / "new.ipynb"])


def test_a_damaged_pdf_is_a_clear_error() -> None:
    with pytest.raises(ExportError, match="The PDF is damaged"):
        read_pdf(b"no PDF")


def test_a_table_with_many_columns_spans_both(tmp_path: Path) -> None:
    columns = 7
    table = "\n".join(
        [
            "|" + "|".join(f"c{i}" for i in range(columns)) + "|",
            "|---" * columns + "|",
            "|1" * columns + "|",
        ]
    )
    notebook = new_notebook(
        cells=[new_markdown_cell("# T"), new_code_cell("", outputs=[shown(table)])]
    )
    html = notebook_to_html(without_code(notebook), Path("notebook.ipynb"))
    assert "#wide[" in html_to_typst(html, tmp_path, compact=True)
