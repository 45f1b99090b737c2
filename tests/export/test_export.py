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
from helpers.export.html import notebook_to_html
from helpers.export.pages import export_notebook, read_notebook

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)


def page_of(folder: Path, *cells: Any, **metadata: Any) -> BeautifulSoup:
    path = folder / "notebook.ipynb"
    notebook = new_notebook(cells=list(cells), metadata=metadata)
    return BeautifulSoup(notebook_to_html(notebook, path), "html.parser")


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
    assert path.with_suffix(".pdf").read_bytes()[:5] == b"%PDF-"
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "01_lenet5.html",
        "01_lenet5.ipynb",
        "01_lenet5.pdf",
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
        "# LeNet-5 & more\n\n## The model (a)\n\n[to it](#The-model-(a))"
    )
    page = page_of(tmp_path, text, papermill={"end_time": "2026-05-12T10:11"})
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
    text = "# A `title`\n\n## Data & *nets*: (*a*)\n\n### A part\n\n#### Too small"
    page = page_of(tmp_path, new_markdown_cell(text))
    assert page.title.string == "A title"
    assert [
        (link["class"], link["href"], link.get_text()) for link in page.nav("a")
    ] == [
        (["h2"], "#Data-&-nets:-(a)", "Data & nets: (a)"),
        (["h3"], "#A-part", "A part"),
    ]
    assert page_of(tmp_path, new_markdown_cell("# Title")).nav is None


@pytest.mark.parametrize(
    "cell",
    [
        new_markdown_cell("a <form><input></form> <a href='javascript:f()'>b</a>"),
        shown({"text/html": "<base href='http://x.example/'><p onclick='f()'>a</p>"}),
        shown({"text/markdown": "class <meta http-equiv='refresh' content='0'>"}),
        shown({"image/png": "\"><form action='http://x.example/'></form>"}),
    ],
)
def test_nothing_that_a_notebook_brings_acts(tmp_path: Path, cell: Any) -> None:
    page = page_of(tmp_path, cell, new_code_cell("1"))
    assert page.main.select("meta, base, form, input, [onclick], a[href]") == []


@pytest.mark.parametrize("mime", ["image/png", "image/gif", "image/webp"])
def test_the_picture_beside_a_script_or_a_widget_is_shown(
    tmp_path: Path, mime: str
) -> None:
    picture = {mime: PIXEL, "text/plain": "<Figure>"}
    html = "<div>loading</div><script>f()</script>"
    page = page_of(
        tmp_path,
        shown(picture),
        shown(picture | {"text/html": html}),
        shown(picture | {"application/javascript": "f()"}),
        shown(picture | {"application/vnd.jupyter.widget-view+json": {"model_id": ""}}),
    )
    sources = [image["src"] for image in page("img")]
    assert sources == [f"data:{mime};base64,{PIXEL}"] * 4
    assert "loading" not in page.get_text()


def test_files_outside_the_folder_and_other_than_images_are_not_embedded(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for path in (tmp_path / "a.png", folder / "a.txt"):
        path.write_text("secret", encoding="utf-8")
    (folder / "b.png").symlink_to(tmp_path / "a.png")
    for source in (tmp_path / "a.png", "../a.png", "a.txt", "b.png"):
        cell = shown({"text/markdown": f"class <img alt=x src={source}>"})
        with pytest.raises(ExportError, match="shows the image"):
            page_of(folder, cell)


def test_an_image_without_source_is_its_text(tmp_path: Path) -> None:
    page = page_of(tmp_path, new_markdown_cell("<img alt='a dot'> ![]()"))
    assert page("img") == []
    assert page.main.get_text().strip() == "a dot"


def test_attachments_with_odd_names_are_found(tmp_path: Path) -> None:
    text = (
        "![a](attachment:my image(1).png) ![b](attachment:my%20image%281%29.png) "
        "<img src='attachment:my image(1).png.png'>"
    )
    names = ("my image(1).png", "my image(1).png.png")
    attachments = {name: {"image/png": PIXEL} for name in names}
    page = page_of(tmp_path, new_markdown_cell(text, attachments=attachments))
    assert [image["src"][-4:] for image in page("img")] == [PIXEL[-4:]] * 3


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("\\begin{align}\na_1 &= b * c \\\\\n\nd &= e\n\\end{align}", "block"),
        ("\\\\[a_1 + b_1\\\\]", "block"),
        ("\\\\(a_1 + b_1\\\\)", "inline"),
        ("$ E = o(V^2) $", "inline"),
        ("$$a = b \\tag{3}$$", "block"),
        ("$$a = b \\label{eq:a}$$", "block"),
        ("$10 %$", "inline"),
        ("$50\\,\\%$", "inline"),
        ("$$a % a comment\nb$$", "block"),
    ],
)
def test_formulas_are_read_as_mathjax_reads_them(
    tmp_path: Path, text: str, display: str
) -> None:
    page = page_of(
        tmp_path, new_markdown_cell(f"see {text} here"), shown({"text/latex": text})
    )
    assert [formula["display"] for formula in page("math")] == [display] * 2
    assert "comment" not in page.main.get_text()
    assert ("%" in page.main.get_text()) == ("\\%" in text)
    for formula in page("math"):
        formula.decompose()
    assert not re.search(r"[\\$]", page.main.p.get_text())


def test_macros_hold_in_all_formulas_that_follow(tmp_path: Path) -> None:
    macros = "\\newcommand{\\R}{\\mathbb{R}} \\def\\v#1{\\mathbf{#1}}"
    operator = "\\DeclareMathOperator{\\most}{arg\\,max}"
    text = f"$x \\in \\R$ $\\v{{x}}$ ${operator}\\most$"
    page = page_of(tmp_path, new_markdown_cell(f"${macros}$"), new_markdown_cell(text))
    assert len(page("math")) == 3
    assert "ℝ" in page.math.get_text()
    assert not page.select("span.math")


def test_dollars_in_prose_and_code_are_no_formulas(tmp_path: Path) -> None:
    text = "$5 and $10, \\$ 4 and \\$ 5, `$ a $`\n\n```\n$ b $ \\begin{align}\n```"
    assert page_of(tmp_path, new_markdown_cell(text))("math") == []


def test_of_very_many_lines_the_middle_is_left_out(tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(30_000))
    printed = new_output("stream", name="stdout", text=text)
    page = page_of(tmp_path, new_code_cell("", outputs=[printed]))
    lines = page.select_one("pre.output").get_text().strip().split("\n")
    assert len(lines) == 601
    assert lines[500] == "[29,400 lines left out here]"
    assert (lines[0], lines[-1]) == ("line 0", "line 29999")


def test_control_characters_and_terminal_links_leave_their_text(tmp_path: Path) -> None:
    link = "\x1b]8;;https://example.org\x1b\\a link\x1b]8;;\x1b\\"
    printed = new_output(
        "stream", name="stdout", text=f"{link}\x08, \x1b[31mred\x1b[0m"
    )
    page = page_of(tmp_path, new_code_cell("", outputs=[printed]))
    assert page.select_one("pre.output").get_text() == "a link, red"


def test_without_pandoc_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise OSError("No pandoc was found")

    monkeypatch.setattr("pypandoc.get_pandoc_path", missing)
    with pytest.raises(ExportError, match=r"No pandoc .*pip install pypandoc_binary"):
        page_of(tmp_path, new_markdown_cell("# A"))


def test_links_to_notebooks_lead_to_their_pages(tmp_path: Path) -> None:
    runs, kept = tmp_path / "runs", tmp_path / "reference" / "kept"
    for folder in (runs / "01_a", kept):
        folder.mkdir(parents=True)
    (kept / "03_c.html").touch()
    (tmp_path / "index.html").touch()
    text = (
        "[b](02_b.ipynb#Part) [c](03_c.ipynb) [web](https://a.example/b.ipynb) "
        "[far](../u/04_d.ipynb#x) [all](../../README.md#the-notebooks)"
    )
    notebook = new_notebook(cells=[new_markdown_cell(text)])
    path = runs / "01_a" / "notebook.ipynb"
    nbformat.write(notebook, path)
    nbformat.write(notebook, kept / "01_a.ipynb")

    def links(page: Path) -> list[str]:
        parsed = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert parsed.main.p.get_text() == "b c web far all"
        return [str(link["href"]) for link in parsed.main("a")]

    web, gallery = "https://a.example/b.ipynb", "../../index.html"
    assert links(export_notebook(path)[0]) == [
        "../02_b/notebook.html#Part",
        "../03_c/notebook.html",
        web,
        "../../u/04_d/notebook.html#x",
        gallery,
    ]
    assert links(export_notebook(kept / "01_a.ipynb")[0]) == ["03_c.html", web, gallery]


def test_marks_halves_of_characters_and_later_ids_do_no_harm(tmp_path: Path) -> None:
    cell = {"cell_type": "markdown", "metadata": {}, "id": "a", "source": "\ud83d x"}
    content = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    path = tmp_path / "notebook.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(content).encode())
    assert read_notebook(path).cells[0].source == "? x"
    page, pdf = export_notebook(path)
    assert page.is_file()
    assert pdf.is_file()


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
    lines.insert(20, "")  # as several processes leave it
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
    path.with_suffix(".html").mkdir()
    with pytest.raises(ExportError, match=r"notebook\.html cannot be written"):
        export_notebook(path)


def test_a_notebook_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "marked.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T")])
    path.write_text(nbformat.writes(notebook), encoding="utf-8-sig")
    assert export_notebook(path)[0] == path.with_suffix(".html")
