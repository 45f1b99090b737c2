"""Calls of the pandoc that comes with ``pypandoc_binary``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from helpers.base.errors import ExportError

TEMPLATES = Path(__file__).parent / "templates"
# pandoc's own Markdown has what a paper needs; these are the habits of GitHub's that
# notebooks rely on.
PAPER_MARKDOWN = (
    "markdown+lists_without_preceding_blankline+autolink_bare_uris"
    "-blank_before_header-blank_before_blockquote-subscript-superscript-example_lists"
)


def markdown_to_html(texts: Sequence[str]) -> list[str]:
    """Renders GitHub's Markdown with maths, as MathML, and footnotes."""
    return _to_html(texts=texts, format="gfm+footnotes", left_out=[])


def paper_to_html(
    texts: Sequence[str], left_out: Sequence[bool], bibliography: Path | None
) -> list[str]:
    """Renders a paper's Markdown, its references as numbers, names and links.

    Args:
        texts: one after the other, as in the paper.
        left_out: of each text, whether the paper lacks it and its labels.
        bibliography: the BibTeX file of what is cited.
    """
    return _to_html(
        texts=texts,
        format=PAPER_MARKDOWN,
        left_out=left_out,
        paper=True,
        bibliography=str(bibliography.resolve()) if bibliography else [],
    )


def html_to_typst(page: str, *, compact: bool = False) -> str:
    """Turns an HTML page, its pictures being files, into a Typst document.

    ``compact`` sets it in two columns.
    """
    typst = TEMPLATES / "typst"
    return pandoc(
        "--from=html",
        "--to=typst",
        "--wrap=none",
        f"--template={typst / 'report.typ'}",
        f"--lua-filter={typst / 'keep.lua'}",
        *(["--variable=compact"] if compact else []),
        text=page,
    )


def pandoc(*arguments: str | Path, text: str, folder: Path | None = None) -> str:
    """What pandoc makes of a text, called with ``arguments`` in a ``folder``.

    Raises:
        ExportError: pandoc, or one of our filters, refuses the text.
    """
    import pypandoc  # noqa: PLC0415

    try:
        done = subprocess.run(  # noqa: S603
            [pypandoc.get_pandoc_path(), *map(str, arguments)],
            input=text,
            capture_output=True,
            check=True,
            encoding="utf-8",
            cwd=folder,
        )
    except subprocess.CalledProcessError as error:
        raise ExportError(
            f"The notebook cannot be converted. {' '.join(error.stderr.split())}"
        ) from error
    except OSError as error:
        raise ExportError(
            f"pandoc did not start ({error}). Install it with: pip install "
            "pypandoc_binary"
        ) from error
    return done.stdout


def _to_html(**job: object) -> list[str]:
    html = pandoc("lua", TEMPLATES / "markdown.lua", text=json.dumps(job))
    return list(json.loads(html))
