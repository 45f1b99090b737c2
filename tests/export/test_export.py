from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.base.errors import ExportError
from helpers.export.html import OfflineHTMLExporter
from helpers.export.pages import export_notebook

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)


def page_of(folder: Path, *cells: Any, **metadata: Any) -> BeautifulSoup:
    path = folder / "notebook.ipynb"
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), path)
    html, _ = OfflineHTMLExporter().from_filename(str(path))
    return BeautifulSoup(html, "html.parser")


def shown(data: dict[str, Any], metadata: dict[str, Any] | None = None) -> Any:
    return new_code_cell(
        "show()",
        outputs=[new_output("display_data", data=data, metadata=metadata or {})],
    )


def test_both_formats_are_written_beside_the_notebook_and_named_like_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "01_lenet5.ipynb"
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# Title"), new_code_cell("1 + 1")]), path
    )
    assert export_notebook(path) == [
        tmp_path / "01_lenet5.html",
        tmp_path / "01_lenet5.pdf",
    ]
    _, pdf = export_notebook(path, folder=tmp_path / "new" / "place")
    assert pdf.read_bytes()[:5] == b"%PDF-"
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "01_lenet5.html",
        "01_lenet5.ipynb",
        "01_lenet5.pdf",
        "new",
    ]


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    banner = (
        '<b>stand-in</b><script src="https://example.org/x.js"></script>'
        '<link href="https://example.org/x.css">'
    )
    remote = new_markdown_cell(
        "![a chart](https://example.org/x.png) and a [link](https://example.org)"
    )
    page = page_of(tmp_path, remote, shown({"text/html": banner, "text/plain": ""}))
    assert page.select("script, link, iframe, [src]") == []
    assert [link["href"] for link in page("a")] == [
        "https://example.org/x.png",
        "https://example.org",
    ]
    assert (
        "default-src 'none'"
        in page.select_one('meta[http-equiv="Content-Security-Policy"]')["content"]
    )


def test_maths_is_mathml_in_cells_and_outputs(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        new_markdown_cell("Inline $\\alpha \\le 1$; it costs \\$5.\n\n$$\\sum_i x_i$$"),
        shown({"text/markdown": "gap $\\Delta$ **now**", "text/plain": "<Markdown>"}),
        shown({"text/latex": "$\\displaystyle \\beta$", "text/plain": "<Math>"}),
    )
    assert [formula["display"] for formula in page("math")] == [
        "inline",
        "block",
        "inline",
        "inline",
    ]
    assert "costs $5" in page.get_text()
    assert page.strong.get_text() == "now"
    assert "<Markdown>" not in page.get_text()


def test_title_date_and_anchors(tmp_path: Path) -> None:
    text = new_markdown_cell(
        "# LeNet-5 & more\n\n## The model (a)\n\n[to it](#The-model-(a)) "
        "[nowhere](#gone)"
    )
    page = page_of(
        tmp_path,
        text,
        new_markdown_cell("## The model (a)"),
        papermill={"end_time": "2026-05-12T10:11"},
    )
    assert page.title.string == "LeNet-5 & more"
    assert page.footer.get_text() == "Executed on 2026-05-12"
    assert [link["href"] for link in page.main("a")] == ["#The-model-(a)"]
    assert len(page.select('[id="The-model-(a)"]')) == 1


def test_every_image_is_embedded(tmp_path: Path) -> None:
    (tmp_path / "a file.png").write_bytes(base64.b64decode(PIXEL))
    attached = new_markdown_cell(
        "![attached](attachment:x.png)", attachments={"x.png": {"image/png": PIXEL}}
    )
    page = page_of(
        tmp_path,
        new_markdown_cell(
            '![in Markdown](a%20file.png)\n\n<img src="a file.png" alt="in HTML">'
        ),
        attached,
        shown(
            {"image/png": PIXEL + "\n", "text/plain": "<Figure>"},
            {"image/png": {"alt": 'a "curve"', "width": 30}},
        ),
        shown({"image/svg+xml": "<svg/>", "text/plain": "<SVG>"}),
    )
    described = [
        "in Markdown",
        "in HTML",
        "attached",
        'a "curve"',
        None,
    ]
    assert [image.get("alt") for image in page("img")] == described
    assert all(str(image["src"]).startswith("data:image/") for image in page("img"))
    assert page("img")[3]["width"] == "30"


def test_an_image_beside_the_notebook_that_was_run_is_found(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "x.png").write_bytes(base64.b64decode(PIXEL))
    source = str(tmp_path / "source" / "01.ipynb")
    assert (
        page_of(
            tmp_path, new_markdown_cell("![x](x.png)"), papermill={"input_path": source}
        ).img
        is not None
    )


def test_code_keeps_its_indentation_and_gets_colours(tmp_path: Path) -> None:
    source = "class A:\n\n    def f(self) -> int:\n        return 1 < 2"
    page = page_of(
        tmp_path, new_code_cell(source), new_markdown_cell(f"```python\n{source}\n```")
    )
    blocks = page.select("pre.python code")
    assert [block.get_text() for block in blocks] == [source, source]
    assert all(block.select_one("span.k").get_text() == "class" for block in blocks)


def test_code_that_only_presents_is_folded_and_its_output_is_not(
    tmp_path: Path,
) -> None:
    printed = [new_output("stream", name="stdout", text="a result")]
    hidden = new_code_cell(
        "show()", outputs=printed, metadata={"jupyter": {"source_hidden": True}}
    )
    page = page_of(tmp_path, hidden, new_code_cell("x = 1"))
    [folded] = page("details")
    assert folded.summary.get_text() == "Code"
    assert folded.pre.get_text() == "show()"
    assert "a result" not in folded.get_text()
    assert page.select_one("pre.output").get_text() == "a result"
    assert len(page.select("pre.python")) == 2


def test_contents_lead_to_the_sections(tmp_path: Path) -> None:
    text = "# Title\n\n## Data & *nets*\n\n### A part\n\n#### Too small"
    page = page_of(tmp_path, new_markdown_cell(text))
    assert [
        (link["class"], link["href"], link.get_text()) for link in page.nav("a")
    ] == [
        (["h2"], "#Data-&-nets", "Data & nets"),
        (["h3"], "#A-part", "A part"),
    ]
    assert page_of(tmp_path, new_markdown_cell("# Title")).nav is None


def test_streams_are_joined_and_progress_shows_its_last_state(tmp_path: Path) -> None:
    parts = [
        new_output("stream", name="stdout", text=text)
        for text in ("\r1 %", "\r99 %", "\r100 %\n", "\x1b[1mdone\x1b[0m")
    ]
    [output] = page_of(tmp_path, new_code_cell("", outputs=parts)).select("pre.output")
    assert output.get_text().strip() == "100 %\ndone"


def test_of_many_lines_of_progress_the_page_shows_the_last(tmp_path: Path) -> None:
    lines = [f"net seed 0: epoch {epoch:2}/40  loss 0.1" for epoch in range(1, 41)]
    lines.append("net seed 1: 40 epochs, trained before")
    text = "first\n" + "\n".join(lines) + "\nlast\nnet: epoch 1/1\n"
    [output] = page_of(
        tmp_path,
        new_code_cell("", outputs=[new_output("stream", name="stdout", text=text)]),
    ).select("pre.output")
    assert output.get_text().strip().split("\n") == [
        "first",
        "[40 lines of progress, left out here; then:]",
        "net seed 1: 40 epochs, trained before",
        "last",
        "net: epoch 1/1",
    ]


def test_errors_are_shown_and_widgets_are_not(tmp_path: Path) -> None:
    error = new_output(
        "error",
        ename="ValueError",
        evalue="bad",
        traceback=["\x1b[31mValueError\x1b[0m: bad <x>"],
    )
    widget = {
        "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
        "text/plain": "IntSlider(value=0)",
    }
    page = page_of(tmp_path, new_code_cell("f()", outputs=[error]), shown(widget))
    assert page.select_one("pre.error").get_text() == "ValueError: bad <x>"
    assert "IntSlider" not in page.get_text()


def test_a_table_as_the_last_thing_of_a_text_keeps_its_last_row(tmp_path: Path) -> None:
    page = page_of(
        tmp_path, new_markdown_cell("- a list\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    )
    assert [cell.get_text() for cell in page("td")] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no notebook"),
        ("", "is not a Jupyter notebook"),
        ("[]", "is not a Jupyter notebook"),
        ("{}", "is not a Jupyter notebook"),
        (b"\xff\xfe", "is not a Jupyter notebook"),
        (
            json.dumps(
                {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}
            ),
            "is not a Jupyter notebook",
        ),
    ],
)
def test_what_is_no_notebook_is_named(
    tmp_path: Path, content: str | bytes | None, message: str
) -> None:
    path = tmp_path / "broken.ipynb"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ExportError, match=re.escape(message)) as raised:
        export_notebook(path)
    assert "broken.ipynb" in str(raised.value)
    assert {file.name for file in tmp_path.iterdir()} <= {"broken.ipynb"}


def test_a_missing_image_and_a_bad_folder_are_named(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notebook.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("![x](gone.png)")]), path)
    with pytest.raises(
        ExportError, match=r"shows the image gone\.png, which is not in"
    ):
        export_notebook(path)
    nbformat.write(new_notebook(), path)
    with pytest.raises(ExportError, match=r"notebook\.html cannot be written"):
        export_notebook(path, folder=path / "below-a-file")


def test_a_notebook_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "marked.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T")])
    path.write_text(nbformat.writes(notebook), encoding="utf-8-sig")
    assert export_notebook(path, formats=["html"]) == [path.with_suffix(".html")]
