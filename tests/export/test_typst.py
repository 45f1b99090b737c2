from __future__ import annotations

import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pikepdf import Pdf
from pypdf import PdfReader

from helpers.base.errors import ExportError
from helpers.export.pages import export_notebook
from helpers.export.typst import html_to_pdf, html_to_typst

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
FRAME = """\
<table class="dataframe">
  <thead><tr><th></th><th>loss</th></tr></thead>
  <tbody><tr><th>0</th><td>1.5</td></tr></tbody>
</table>"""


def notebook() -> nbformat.NotebookNode:
    outputs = [
        new_output("stream", name="stdout", text="epoch 1/2 ✓\r\n" + "a" * 400),
        new_output(
            "display_data",
            data={"image/png": PIXEL},
            metadata={"image/png": {"alt": "a dot"}},
        ),
        new_output(
            "execute_result",
            data={"text/html": FRAME, "text/plain": "0 1.5"},
            execution_count=1,
        ),
        new_output(
            "display_data",
            data={"text/markdown": "**85.1 ± 0.4 %** with $n = 3$", "text/plain": ""},
        ),
    ]
    text = (
        '# A "title" & #more\n\n$\\alpha$ @b #panic()\n\n## Twice\n\n## Twice\n\n'
        "[gone](#gone) note[^1]\n\n[^1]: here"
    )
    return new_notebook(
        cells=[
            new_markdown_cell(text),
            new_code_cell("x = 1\n" + "y" * 200, outputs=outputs),
        ]
    )


def test_the_same_notebook_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook(), path)
    first, second = (export_notebook(path)[1].read_bytes() for _ in range(2))
    assert first.startswith(b"%PDF-")
    assert second == first


def test_setting_a_pdf_brings_neither_papermill_nor_torch() -> None:
    check = (
        "import sys, helpers.export.typst; sys.exit(any(name in sys.modules for "
        "name in ('papermill', 'torch')))"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_pictures_keep_their_alternative_text_and_width(tmp_path: Path) -> None:
    image = f'<img src="data:image/png;base64,{PIXEL}"'
    source = html_to_typst(
        f'<p>{image} alt="a &quot;b&quot; \\ c" width="96"></p>'
        f'<p>in text {image} alt="d" width="50%"></p>',
        tmp_path,
    )
    assert '#picture("image-1.png", alt: "a \\"b\\" \\\\ c", width: 72.0pt)' in source
    assert 'in text #picture("image-2.png", alt: "d", width: 50%)' in source
    assert source.count("#align(center)[#picture") == 1


def test_a_caption_is_on_the_page_of_its_picture() -> None:
    source = f"data:image/png;base64,{PIXEL}"
    html = "".join(
        f"{'<p>words</p>' * lines}<div class='result'><p><img alt='a dot' "
        f"src='{source}' width='400'></p></div>"
        "<div class='result'><p><em>Below it.</em></p></div>"
        for lines in range(40)
    )
    pages = PdfReader(BytesIO(html_to_pdf(html))).pages
    pictures = [page.get_contents().get_data().count(b" Do") for page in pages]
    assert sum(pictures) == 40
    assert [page.extract_text().count("Below it.") for page in pages] == pictures


def test_a_data_frame_becomes_a_table_with_numbers_to_the_right(tmp_path: Path) -> None:
    source = html_to_typst(FRAME, tmp_path)
    assert "align: (right,right,)" in source
    assert "table.header([], [#strong[loss]],)" in source.replace("#strong[]", "")
    assert "[0], [1.5]," in source


def test_code_and_output_are_told_apart(tmp_path: Path) -> None:
    code = '<pre class="python"><code>x = 1</code></pre><pre class="output">```</pre>'
    source = html_to_typst(code, tmp_path)
    assert "```python\nx = 1\n```" in source
    assert "````output\n```\n````" in source


def test_a_broken_image_says_so_and_keeps_the_earlier_pdf(tmp_path: Path) -> None:
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook(), path)
    _, pdf = export_notebook(path)
    before = pdf.read_bytes()
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("![x](data:image/png;base64,AAAA)")]),
        path,
    )
    with pytest.raises(
        ExportError, match=r"could not set the PDF \(failed to decode image"
    ) as raised:
        export_notebook(path)
    assert raised.value.__cause__ is not None
    assert pdf.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "notebook.html",
        "notebook.ipynb",
        "notebook.pdf",
    ]


def test_what_looks_like_markup_is_text(tmp_path: Path) -> None:
    cells = ("+ dropout", "= x", "- x", "/ x: y", "1. x", "a<br>+ b", "<b>+ c</b>")
    source = html_to_typst(
        f"<table><tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr></table>"
        "<ul><li>== d</li></ul><p>12. e</p>",
        tmp_path,
    )
    for wanted in (
        "[\\+ dropout], [\\= x], [\\- x], [\\/ x: y], [1\\. x]",
        "\\+ b]",
        "[\\+ c]",
        "- \\== d",
        "12\\. e",
    ):
        assert wanted in source


def test_folded_code_and_contents_are_not_in_the_pdf(tmp_path: Path) -> None:
    printed = new_output("stream", name="stdout", text="conv1 " + "-" * 104)
    cells = [new_code_cell("hidden_code()", outputs=[printed]), new_code_cell("x = 1")]
    cells[0].metadata["jupyter"] = {"source_hidden": True}
    cells.append(new_markdown_cell("## A section of the text"))
    path = tmp_path / "notebook.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    _, pdf = export_notebook(path)
    [page] = PdfReader(pdf).pages
    text = page.extract_text().replace("\u200b", "")  # where a line may break
    assert "hidden_code" not in text
    assert "x = 1" in text
    assert text.count("A section of the text") == 1
    assert "conv1 " + "-" * 104 in text  # in one line


def export(folder: Path, *cells: str | nbformat.NotebookNode) -> Path:
    made = [
        new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells
    ]
    nbformat.write(new_notebook(cells=made), folder / "notebook.ipynb")
    return export_notebook(folder / "notebook.ipynb")[1]


def test_what_others_write_becomes_a_pdf(tmp_path: Path) -> None:
    svg = '<svg width="40" height="20"><rect width="40" height="20"/></svg>'
    address = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"
    html = f"<table><tr><td>1</td></tr></table><button>{svg}</button>{svg}"
    output = new_output("display_data", data={"text/html": html, "text/plain": ""})
    pdf = export(
        tmp_path,
        f'# T\n\n[set up](#Setup) [gone](#x) <div id="x">x</div>\n\n{svg}',
        '<table align="left">\n  <td><a href="https://a.example">badge</a></td>\n'
        "</table>\n\n## Setup",
        "| a |\n|---|\n| x<br>y |\n\n<table><tr></tr></table>",
        f'<img src="{address}"> <img alt="none">',
        new_code_cell("", outputs=[output]),
    )
    text = "\n".join(page.extract_text() for page in PdfReader(pdf).pages)
    assert all(word in text for word in ("set up", "badge", "x\ny", "none"))


def test_links_to_other_files_are_text(tmp_path: Path) -> None:
    pdf = export(tmp_path, "[a](a.csv) [b](b.ipynb) [c](https://c.example/)")
    [page] = PdfReader(pdf).pages
    [link] = page.annotations
    assert link.get_object()["/A"]["/URI"] == "https://c.example/"
    assert "a b c" in page.extract_text()


def test_characters_that_no_font_has_are_named(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="No font here has .u.10fffd.: boxes"):
        export(tmp_path, "no one \U0010fffd has it; αβγ – “…” ≤ → are there")


def test_the_structure_for_screen_readers_is_kept_and_compressed(
    tmp_path: Path,
) -> None:
    pdf = export(tmp_path, "# A title")
    content = pdf.read_bytes()
    assert b"/ObjStm" in content
    assert b"/StructElem" not in content
    with Pdf.open(pdf) as document:
        assert document.Root.MarkInfo.Marked
        assert "/StructTreeRoot" in document.Root


@pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="poppler is not installed")
def test_poppler_finds_no_fault(tmp_path: Path) -> None:
    pdf = export(tmp_path, "# Title\n\nText")
    done = subprocess.run(["pdfinfo", pdf], capture_output=True, check=True, text=True)
    assert done.stderr == ""
    assert re.search(r"Tagged: +yes", done.stdout)
