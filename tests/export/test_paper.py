from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from export.conftest import AUTHORS
from nbformat.v4 import new_markdown_cell
from pypdf import PdfReader

from helpers.base.errors import ExportError
from helpers.export.latex import INSTALL
from helpers.export.paper import make_source, write_paper

Saved = Callable[..., Path]
needs_tex = pytest.mark.skipif(
    shutil.which("xelatex") is None, reason="LaTeX is not installed"
)
# What of NeurIPS's own style matters to a paper that uses it; the style itself is not
# ours to keep.
STYLE = r"""
\ProvidesPackage{neurips_2030}
\DeclareOption{preprint}{}\ProcessOptions\relax
\renewcommand{\rmdefault}{ptm}
\RequirePackage{natbib}
\RequirePackage[letterpaper]{geometry}
\newcommand{\@noticestring}{Preprint.}
\renewcommand{\maketitle}{\def\And{\end{tabular}\begin{tabular}[t]{c}}%
  {\LARGE\@title\par}\begin{tabular}[t]{c}\@author\end{tabular}\par\@noticestring}
"""


@pytest.fixture
def no_tex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)


@pytest.fixture
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a paper's source goes."""
    return tmp_path_factory.mktemp("work")


def made(folder: Path) -> tuple[set[str], str]:
    """The names of a paper's files, and its source."""
    files = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file()
    }
    return files, (folder / "paper.tex").read_text(encoding="utf-8")


def text_of(pdf: Path) -> str:
    """The words of a PDF, if this machine can tell them."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    done = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True
    )
    return " ".join(done.stdout.split())


def test_the_latex_source_has_all_that_a_paper_has(
    notebook: nbformat.NotebookNode, folder: Path, work: Path
) -> None:
    make_source(notebook, folder, work, AUTHORS)
    files, source = made(work)
    assert files == {
        "paper.tex",
        "paper.sty",
        "references.bib",
        "figures/curves.pdf",
    }
    for wanted in (
        r"\title{Small \& Big}",
        "\\maketitle\n\\suppressfloats[t]",
        r"Ada Müller \\ 0123 \\ University of Somewhere \\ \texttt{",
        "\\begin{abstract}\nIn short: \\(x^2\\).\n\\end{abstract}",
        r"After \citet{lecun1998}, as others did \citep{he2016, lecun1998}: see Figure",
        r"see Figure~\ref{fig:curves}, Table~\ref{tab:nets}, Equation~\eqref{eq:field}",
        (
            "\\begin{equation}\\label{eq:field} r_\\ell = r_{\\ell-1} + k "
            "\\end{equation}"
        ),
        r"\section{Fine-tuning}\label{fine-tuning}",
        r"The layer \texttt{conv4}; 85.1~±~0.4~\%. Elsewhere",
        "{./figures/curves.pdf}",
        r"\caption{Loss \emph{falls} \citep{he2016}.}\label{fig:curves}",
        (
            "\\caption{All "
            "nets.}\\label{tab:nets}\n\\fitted{\\begin{tabular}{@{}lr@{}}\n\\toprule\n"
        ),
        "net & \\% \\\\\n\\midrule\na\\_b & 8 \\\\\n\\bottomrule",
        r"The best reaches \textbf{82~\%}.",
        r"\bibliography{references}",
    ):
        assert wanted in source
    assert "longtable" not in source
    assert "run." not in source


def test_without_citations_there_is_no_bibliography(
    notebook: nbformat.NotebookNode, folder: Path, work: Path
) -> None:
    notebook.cells = [*notebook.cells[:2], new_markdown_cell("Text.")]
    make_source(notebook, folder, work, AUTHORS)
    files, source = made(work)
    assert "references.bib" not in files
    assert r"\bibliography" not in source


def test_neurips_own_style_is_used_where_it_lies(
    notebook: nbformat.NotebookNode, folder: Path, work: Path
) -> None:
    (folder / "neurips_2030.sty").write_text(STYLE)
    make_source(notebook, folder, work, AUTHORS)
    files, source = made(work)
    assert r"\usepackage[preprint]{neurips_2030}" in source
    assert (work / "neurips_2030.sty").read_text() == STYLE
    assert "paper.sty" not in files


def test_the_bibliography_beside_the_source_is_found(
    notebook: nbformat.NotebookNode, folder: Path, work: Path
) -> None:
    (folder / "source").mkdir()
    (folder / "references.bib").rename(folder / "source" / "references.bib")
    with pytest.raises(ExportError, match=r"bibliography references\.bib is not in"):
        make_source(notebook, folder, work, AUTHORS)
    notebook.metadata["papermill"] = {
        "input_path": str(folder / "source" / "08_report.ipynb")
    }
    make_source(notebook, folder, work, AUTHORS)
    assert "references.bib" in made(work)[0]


def test_the_bibliography_of_a_run_that_was_moved_is_found(
    notebook: nbformat.NotebookNode,
    folder: Path,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = folder / "notebooks" / folder.parent.name
    ours.mkdir(parents=True)
    (folder / "references.bib").rename(ours / "references.bib")
    monkeypatch.setattr("helpers.export.pages.notebooks_dir", lambda: ours.parent)
    notebook.metadata["papermill"] = {"input_path": "/elsewhere/08_report.ipynb"}
    make_source(notebook, folder, work, AUTHORS)
    assert "references.bib" in made(work)[0]


def test_without_tex_the_source_is_written_and_the_cure_named(
    saved: Saved, folder: Path, no_tex: None
) -> None:
    (folder / "paper.pdf").write_bytes(b"made elsewhere")
    with pytest.raises(ExportError) as raised:
        write_paper(saved(), AUTHORS)
    message = str(raised.value)
    assert message == f"LaTeX is not installed: {INSTALL}"
    assert sorted(file.name for file in (folder / "paper").iterdir()) == [
        "figures",
        "paper.sty",
        "paper.tex",
        "references.bib",
    ]
    assert (folder / "paper.pdf").read_bytes() == b"made elsewhere"


@needs_tex
def test_a_paper_of_the_wrong_length_is_there_to_be_looked_at(
    saved: Saved, folder: Path
) -> None:
    (folder / "paper.pdf").write_bytes(b"of an earlier run")
    with pytest.raises(
        ExportError, match=re.escape(str(folder / "paper" / "draft.pdf"))
    ):
        write_paper(saved(pages=[6, 8]), AUTHORS)
    assert not (folder / "paper.pdf").exists()
    assert (folder / "paper" / "draft.pdf").read_bytes().startswith(b"%PDF-")
    write_paper(saved(pages=[1, 8]), AUTHORS)
    assert not (folder / "paper" / "draft.pdf").exists()


@needs_tex
def test_a_paper_that_names_nobody_is_a_draft(saved: Saved, folder: Path) -> None:
    with pytest.raises(ExportError, match=r"it names nobody: write hand-in\.toml"):
        write_paper(saved())
    assert (folder / "paper" / "draft.pdf").read_bytes().startswith(b"%PDF-")


@needs_tex
def test_latex_sets_it(saved: Saved) -> None:
    pdf = write_paper(saved(), AUTHORS)
    assert PdfReader(pdf).metadata.author == "Ada Müller, Bo Example"
    text = text_of(pdf)
    for wanted in (
        "Small & Big",
        "Figure 1: Loss falls [He, 2016].",
        "Table 1: All nets.",
        "Equation (1).",
    ):
        assert wanted in text
    assert "?" not in text


@needs_tex
def test_latex_sets_it_with_a_style_like_that_of_neurips(
    saved: Saved, folder: Path
) -> None:
    (folder / "neurips_2030.sty").write_text(STYLE)
    text = text_of(write_paper(saved(), AUTHORS))
    assert "Small & Big" in text
    assert "Preprint" not in text


@needs_tex
def test_what_tex_only_notes_is_a_fault(saved: Saved, folder: Path) -> None:
    texts = (
        "A hieroglyph: 𓂀.",
        "By hand: \\ref{fig:gone} and \\citep{nobody}.",
        f"Much too long: `{'x' * 120}`.",
        "| " + "wide |" * 60 + "\n|" + "---|" * 60 + "\n\n: C. {#tab:c}",
    )
    with pytest.raises(ExportError) as raised:
        write_paper(saved(*map(new_markdown_cell, texts), pages=[6, 8]), AUTHORS)
    for message in (
        (
            "The paper is not as it should be: its font has no 𓂀: write it as maths "
            "or in words; "
        ),
        (
            "; it refers to fig:gone, which is not there (??); it cites nobody, not in "
            "the bibliography (?); "
        ),
        "pt at lines ",
        "; Table 2 is ",
        "pages, expected are 6 to 8. See ",
    ):
        assert message in str(raised.value)
    assert not (folder / "paper.pdf").exists()


@needs_tex
def test_an_error_of_tex_names_the_line(saved: Saved) -> None:
    with pytest.raises(
        ExportError,
        match=r"LaTeX stopped at an error: paper.tex:\d+: Undefined control sequence",
    ):
        write_paper(saved(new_markdown_cell("$$\\undefinedthing$$")), AUTHORS)


@needs_tex
def test_tex_reads_nothing_outside_the_folder(saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    cell = new_markdown_cell(f"\\input{{{tmp_path / 'secret.txt'}}}")
    with pytest.raises(ExportError, match="LaTeX stopped at an error"):
        write_paper(saved(cell))


@pytest.fixture
def source(
    notebook: nbformat.NotebookNode, folder: Path, work: Path
) -> Callable[[str], str]:
    """The source of a paper with this text."""

    def source(text: str) -> str:
        notebook.cells = [*notebook.cells[:2], new_markdown_cell(text)]
        make_source(notebook, folder, work, AUTHORS)
        return made(work)[1]

    return source


def test_brackets_behind_references(source: Callable[[str], str]) -> None:
    text = source("See @fig:a [@he2016], @fig:a [left]; (@tab:b).")
    assert (
        "See Figure~\\ref{fig:a} \\citep{he2016}, Figure~\\ref{fig:a} {[}left{]}"
        in text
    )
    assert "{[}left{]}; (Table~\\ref{tab:b})." in text


def test_habits_of_github_are_understood(source: Callable[[str], str]) -> None:
    text = "Text\n## Heading\n- one\n- two\n\n~5 and ~6, H^2 and 3^; <b>bold</b>"
    latex = source(text)
    assert "\\section{Heading}\\label{heading}" in latex
    assert latex.count("\\item\n") == 2
    assert "textsubscript" not in latex
    assert "textsuperscript" not in latex


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\n\nx = 1\n```", r"shows code \(x = 1\)"),
        ("    indented()", r"shows code \(indented\(\)\)"),
        ("| a |\n| --- |\n| first |", "table that begins “a” has no caption"),
        (":  {#tab:nets}\n\n| net |\n|---|\n| 8 |", "“net” has no caption: run.table"),
        ("In a line ![x](x.png).", r"picture x\.png has no place"),
        ("![A.](figures/gone.pdf)", r"Could not fetch resource figures/gone\.pdf"),
        ("![A.](https://example.org/x.png)", "has no place in a paper"),
        (f"![A.]({__file__})", "has no place in a paper"),
        (f"![A.](file://{__file__})", "has no place in a paper"),
        ("![A.](figures/../../x.pdf)", "has no place in a paper"),
        ("![A.](data:image/png;base64,AAAA)", "has no place in a paper"),
        ("![In [0, 1) and [x].](figures/c.pdf)", r"of figures/c\.pdf has half a br"),
    ],
)
def test_what_has_no_place_in_a_paper_is_named(
    source: Callable[[str], str], text: str, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        source(text)
