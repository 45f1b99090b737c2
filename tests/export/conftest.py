"""An executed notebook that makes a paper, without a network or a plot behind it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typst
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
BIBLIOGRAPHY = """\
@article{lecun1998, author={Yann LeCun and L{\\'e}on Bottou},
  title={Gradient-based}, journal={IEEE}, year=1998}
@inproceedings{he2016, author={Kaiming He},
  title={Deep residual learning}, booktitle={CVPR}, year=2016}
"""
AUTHORS = [
    {
        "name": "Ada Müller",
        "number": "0123",
        "affiliation": "University of Somewhere",
        "email": "ada_m@example.org",
    },
    {"name": "Bo Example"},
]
PAPER = {"bibliography": "references.bib", "pages": [1, 2]}
TEXT = """\
## Introduction

After @lecun1998, as others did [@he2016; @lecun1998]: see @fig:curves, @tab:nets,
@eq:field.

$$ r_\\ell = r_{\\ell-1} + k $$ {#eq:field}

## Fine-tuning

The layer `conv4`; 85.1 ± 0.4 %. [Elsewhere](#gone)
"""

Saved = Callable[..., Path]


def shown(data: dict[str, Any], metadata: dict[str, Any] | None = None) -> Any:
    return new_output("display_data", data=data, metadata=metadata or {})


def figure(name: str = "curves", caption: str = "Loss *falls* [@he2016].") -> Any:
    about = {"alt": "Two [curves].", "width": 400, "figure": name, "caption": caption}
    outputs = [
        shown({"image/png": PIXEL, "text/plain": "[figure]"}, {"image/png": about}),
        shown(
            {"text/markdown": f"*{caption}*"}, {"text/markdown": {"caption_of": name}}
        ),
    ]
    return new_code_cell("run.figure(…)", outputs=outputs)


def table(
    name: str = "nets",
    caption: str = "All nets.",
    source: str = "| net | % |\n| --- | --: |\n| a_b | 8 |",
) -> Any:
    about = {"table": name, "source": source, "caption": caption}
    output = shown(
        {"text/markdown": f"{source}\n\n*{caption}*"}, {"text/markdown": about}
    )
    return new_code_cell("run.table(…)", outputs=[output])


def cells() -> list[Any]:
    progress = new_output("stream", name="stdout", text="epoch 1/2")
    computed = shown({"text/markdown": "The best reaches **82 %**.", "text/plain": "…"})
    return [
        new_markdown_cell(
            "# Small & Big\n\nThe question.", metadata={"tags": ["not-in-paper"]}
        ),
        new_markdown_cell(
            "## Abstract\n\nIn short: $x^2$.", metadata={"tags": ["abstract"]}
        ),
        new_markdown_cell(TEXT),
        figure(),
        table(),
        new_code_cell("run.say(…)", outputs=[progress, computed]),
    ]


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return new_notebook(cells=cells(), metadata={"paper": PAPER})


@pytest.fixture(scope="session")
def vector() -> bytes:
    """A picture in PDF."""
    return bytes(typst.compile(b"#set page(width: 4in, height: 2in)\nA curve."))


@pytest.fixture
def folder(tmp_path: Path, vector: bytes) -> Path:
    """A run folder with the figure and the bibliography."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "curves.pdf").write_bytes(vector)
    (tmp_path / "figures" / "curves.png").write_bytes(base64.b64decode(PIXEL))
    (tmp_path / "references.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def saved(folder: Path, notebook: nbformat.NotebookNode) -> Saved:
    """Writes the notebook, with other cells behind its own, into its run folder."""

    def save(*more: Any, **paper: Any) -> Path:
        notebook.cells += more
        notebook.metadata["paper"] = PAPER | paper
        nbformat.write(notebook, folder / "notebook.ipynb")
        return folder / "notebook.ipynb"

    return save
