from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.export.pages import export_notebook

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
BIBLIOGRAPHY = """\
@article{lecun1998, author={Yann LeCun and L{\\'e}on Bottou},
  title={Gradient-based}, journal={IEEE}, year=1998}
@article{he2016, author={Kaiming He and Xiangyu Zhang and Jian Sun},
  title={Deep}, journal={CVPR}, year=2016}
"""
PAPER = {"bibliography": "references.bib"}


def figure(name: str) -> Any:
    outputs = [
        new_output(
            "display_data",
            data={"image/png": PIXEL},
            metadata={"image/png": {"figure": name, "alt": "dot"}},
        ),
        new_output(
            "display_data",
            data={"text/markdown": f"*The *{name}* of @lecun1998.*"},
            metadata={"text/markdown": {"caption_of": name}},
        ),
    ]
    return new_code_cell("run.figure()", outputs=outputs)


def table(name: str) -> Any:
    about = {
        "table": name,
        "source": "| net |\n|---|\n| see @fig:curves |",
        "caption": "All nets.",
    }
    data = {"text/markdown": f"{about['source']}\n\n*{about['caption']}*"}
    return new_code_cell(
        "run.table()",
        outputs=[new_output("display_data", data, metadata={"text/markdown": about})],
    )


def export(
    folder: Path,
    cells: Sequence[Any],
    **metadata: Any,
) -> BeautifulSoup:
    (folder / "references.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    nbformat.write(
        new_notebook(cells=list(cells), metadata=metadata), folder / "notebook.ipynb"
    )
    page, _ = export_notebook(folder / "notebook.ipynb")
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def text_of(page: BeautifulSoup) -> str:
    return " ".join(page.main.get_text().split())


def test_references_become_numbers_that_lead_there(tmp_path: Path) -> None:
    text = "See @tab:nets, @fig:both, @fig:curves; @tab:own."
    own = "| a |\n|---|\n| 1 |\n\n: My own. {#tab:own}"
    cells = [
        new_markdown_cell(text),
        figure("both"),
        figure("curves"),
        table("nets"),
        new_markdown_cell(own),
    ]
    page = export(tmp_path, cells, paper=PAPER)
    text = text_of(page)
    for wanted in (
        "See Table 1, Figure 1, Figure 2; Table 2.",
        "Figure 1. The both of LeCun and Bottou (1998).",
        "Figure 2. The curves of LeCun and Bottou (1998).",
        "Table 1. All nets.",
        "Table 2. My own.",
        "see Figure 2",
    ):
        assert wanted in text
    assert not any(mark in text for mark in ("@", ":::", "{", "*"))
    links = [str(link["href"]) for link in page.main("a")]
    assert links[:3] == ["#tab:nets", "#fig:both", "#fig:curves"]
    assert all(page.find(id=link[1:]) for link in links)


def test_citations_name_authors_and_year(tmp_path: Path) -> None:
    cells = [
        new_markdown_cell(
            "After @lecun1998, others [see @he2016; @lecun1998]; in [-@he2016] too. "
            "me@he2016.org"
        )
    ]
    text = text_of(export(tmp_path, cells, paper=PAPER))
    assert (
        "After LeCun and Bottou (1998), others (see He et al. 2016; LeCun and Bottou "
        "1998); in (2016) too." in text
    )
    assert "me@he2016.org" in text


def test_formulas_are_numbered(tmp_path: Path) -> None:
    cells = [new_markdown_cell("From @eq:sum:\n\n$$ a + b $$ {#eq:sum}")]
    page = export(tmp_path, cells, paper=PAPER)
    assert "From Equation (1):" in text_of(page)
    assert page.math["display"] == "block"
    assert "{#" not in text_of(page)


def test_code_unknown_names_and_what_is_left_out_of_the_paper_stay(
    tmp_path: Path,
) -> None:
    left_out = figure("draft") | {"metadata": {"tags": ["not-in-paper"]}}
    cells = [
        nbformat.from_dict(left_out),
        new_markdown_cell("`@fig:curves`, @nobody, @fig:gone, @fig:curves"),
        figure("curves"),
    ]
    text = text_of(export(tmp_path, cells, paper=PAPER))
    assert "@fig:curves, (nobody?), (fig:gone?), Figure 1" in text
    assert "Figure 1. The curves" in text
    assert "Figure 2" not in text


def test_other_notebooks_show_references_as_text_and_captions_without_labels(
    tmp_path: Path,
) -> None:
    cells = [new_markdown_cell("@fig:curves [@he2016]"), figure("a"), table("nets")]
    text = text_of(export(tmp_path, cells))
    assert "@fig:curves [@he2016]" in text
    assert "All nets." in text
    assert not any(mark in text for mark in (":::", "{#", "*All"))
