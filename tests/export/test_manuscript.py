from __future__ import annotations

import re
from typing import Any

import nbformat
import pytest
from export.conftest import figure
from nbformat.v4 import new_code_cell, new_output

from helpers.base.errors import ExportError
from helpers.export.paper import read_manuscript

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)


def output(data: dict[str, Any], metadata: dict[str, Any] | None = None) -> Any:
    return new_code_cell(
        "code()",
        outputs=[new_output("display_data", data=data, metadata=metadata or {})],
    )


def test_text_figures_and_tables_are_gathered_and_code_is_not(
    notebook: nbformat.NotebookNode,
) -> None:
    text, about = read_manuscript(notebook)
    assert (about["title"], about["pages"]) == ("Small & Big", [1, 2])
    assert about["abstract"] == "In short: $x^2$."
    attributes = '{#fig:curves alt="Two [curves]."}'
    assert f"![Loss *falls* [@he2016].](figures/curves.pdf){attributes}" in text
    assert "| a_b | 8 |\n\n: All nets. {#tab:nets}" in text
    assert text.endswith("The best reaches **82\N{NO-BREAK SPACE}%**.")
    for absent in ("The question.", "epoch", "run.", "*All nets.*", "Abstract"):
        assert absent not in text


def test_the_abstract_may_be_computed(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[1] = output({"text/markdown": "It is **82 %**."})
    notebook.cells[1].metadata.tags = ["abstract"]
    _, about = read_manuscript(notebook)
    assert about["abstract"] == "It is **82\N{NO-BREAK SPACE}%**."


def test_widgets_vanish(notebook: nbformat.NotebookNode) -> None:
    widget = output(
        {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "HBox()"}
    )
    notebook.cells = [*notebook.cells[:2], widget]
    assert read_manuscript(notebook)[0].strip() == ""


FAILED = new_code_cell(
    "1/0",
    outputs=[new_output("error", ename="ZeroDivisionError", evalue="", traceback=[])],
)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            output({"text/plain": "Linear(3, 4)"}),
            r"Cell 7 shows plain text or HTML, .* \(Linear\(3, 4\)\)",
        ),
        (output({"image/png": PIXEL}), "A picture of cell 7 has no caption"),
        (figure(caption=""), r"A picture of cell 7 has no caption: run.figure"),
        (FAILED, r"Cell 7 failed \(ZeroDivisionError\)"),
    ],
)
def test_what_has_no_place_in_a_paper_is_named(
    notebook: nbformat.NotebookNode, cell: Any, message: str
) -> None:
    notebook.cells.append(cell)
    with pytest.raises(ExportError, match=message):
        read_manuscript(notebook)
    notebook.cells[-1].metadata["tags"] = ["not-in-paper"]
    assert read_manuscript(notebook)


@pytest.mark.parametrize(
    ("number", "message"), [(0, "no title: begin"), (1, "no abstract: tag its cell")]
)
def test_title_and_abstract_are_needed(
    notebook: nbformat.NotebookNode, number: int, message: str
) -> None:
    del notebook.cells[number]
    with pytest.raises(ExportError, match=re.escape(message)):
        read_manuscript(notebook)


@pytest.mark.parametrize(
    ("paper", "problem"),
    [
        (None, "it must be object"),
        ([], "it must be object"),
        ({"page": 6}, "it must not contain {'page'} properties"),
        ({"pages": "six"}, "it.pages must be array"),
        ({"pages": [6]}, "it.pages must contain at least 2 items"),
        ({"bibliography": 3}, "it.bibliography must be string"),
    ],
)
def test_wrong_metadata_are_shown_beside_an_example(
    notebook: nbformat.NotebookNode, paper: object, problem: str
) -> None:
    notebook.metadata["paper"] = paper
    example = 'need an entry "paper": {"bibliography": "….bib", "pages": [6, 8]}'
    said = re.escape(f"{example} ({problem}). Authors stand in hand-in.toml.")
    with pytest.raises(ExportError, match=said):
        read_manuscript(notebook)


def test_any_number_of_pages_and_no_bibliography_will_do(
    notebook: nbformat.NotebookNode,
) -> None:
    notebook.metadata["paper"] = {}
    _, about = read_manuscript(notebook)
    assert about.keys() == {"title", "abstract"}
