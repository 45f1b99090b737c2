"""A notebook as a PDF without LaTeX: its HTML page, through pandoc, set by Typst."""

import re
import warnings
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import typst
from bs4 import BeautifulSoup
from pikepdf import Dictionary, ObjectStreamMode, Pdf

from helpers.base.errors import ExportError, explained
from helpers.export.pandoc import TEMPLATES, pandoc

LATIN = "\u024f"  # up to here, Typst's own Libertinus has all
LACKED = re.compile(r'the text `"(.+?)"` could not be displayed')


def html_to_pdf(html: str, *, compact: bool = False) -> bytes:
    """Sets what ``notebook_to_html`` makes as a PDF without folded code; ``compact`` in
    two columns and a small type.

    A link to another file becomes text; a warning names glyphs that no font has.

    Raises:
        ExportError: an image is broken, or Typst refuses the document.
    """
    page = BeautifulSoup(html, "html.parser")
    for element in page.select("nav, details.code"):
        element.decompose()
    for link in page.select('a[href]:not([href^="#"], [href*=":"])'):
        link.unwrap()
    _warn_of_missing_glyphs(page)
    with TemporaryDirectory(prefix="typst-") as name:
        folder = Path(name)
        source = folder / "report.typ"
        text = html_to_typst(str(page), folder, compact=compact)
        source.write_text(text, encoding="utf-8")
        advice = "Run the notebook again, or look at its images."
        with explained(ExportError, "Typst could not set the PDF", advice):
            pdf: bytes = typst.compile(source, root=folder)
    return _packed(pdf)


def html_to_typst(page: str, folder: Path, *, compact: bool = False) -> str:
    """Turns an HTML page into a Typst document, whose pictures are in ``folder``."""
    templates = TEMPLATES / "typst"
    return pandoc(
        "--from=html",
        "--to=typst",
        "--wrap=none",
        f"--template={templates / 'report.typ'}",
        f"--lua-filter={templates / 'keep.lua'}",
        *(["--variable=compact"] if compact else []),
        text=page,
        folder=folder,
    )


def _packed(pdf: bytes) -> bytes:
    """The same document, its structure compressed: a third smaller."""
    packed, how = BytesIO(), ObjectStreamMode.generate
    with Pdf.open(BytesIO(pdf)) as document:
        # Typst adds /Suspects: false, as by default, but poppler takes it ill.
        document.Root.MarkInfo = Dictionary(Marked=True)
        document.save(packed, object_stream_mode=how, deterministic_id=True)
    return packed.getvalue()


def _warn_of_missing_glyphs(page: BeautifulSoup) -> None:
    """Sets what is unusual alone as PDF/A, which may lack no glyph."""
    shown = {c for text in page.strings if not text.find_parent("math") for c in text}
    unusual = (f'#"{c}"' for c in sorted(shown) if c > LATIN)
    probe = "#set document(title: [x])\n" + "\n\n".join(unusual)
    try:
        typst.compile(probe.encode(), pdf_standards="a-2b")
    except typst.TypstError as error:
        if missing := " ".join(LACKED.findall(error.diagnostic)):
            warnings.warn(
                f"No font here has {missing}: boxes in the PDF. Install one that has "
                "them: apt-get install fonts-noto-core fonts-noto-cjk",
                stacklevel=3,
            )
