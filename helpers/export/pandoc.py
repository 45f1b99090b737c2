"""Markdown to HTML, HTML to Typst, and papers to LaTeX and Typst, by the pandoc that
comes with ``pypandoc_binary``.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.base.errors import ExportError

TEMPLATES = Path(__file__).parent / "templates"
# pandoc's own Markdown has what a paper needs; these are the habits of GitHub's that
# notebooks rely on.
PAPER_MARKDOWN = (
    "markdown+lists_without_preceding_blankline+autolink_bare_uris"
    "-blank_before_header-blank_before_blockquote-subscript-superscript-example_lists"
)


def markdown_to_html(texts: Sequence[str]) -> list[str]:
    """Renders GitHub-flavoured Markdown with maths and footnotes; maths becomes MathML."""
    if not texts:
        return []
    html: list[str] = json.loads(
        _pandoc("lua", TEMPLATES / "markdown.lua", text=json.dumps(texts))
    )
    return html


def html_to_typst(page: str, *, compact: bool = False) -> str:
    """Turns an HTML page, its pictures being files, into a Typst document; ``compact``
    sets it in two columns.
    """
    template = TEMPLATES / "typst" / "report.typ"
    keep = TEMPLATES / "typst" / "keep.lua"
    options = [
        "--from=html",
        "--to=typst",
        f"--template={template}",
        f"--lua-filter={keep}",
    ]
    return _pandoc(*options, *(["--variable=compact"] if compact else []), text=page)


def markdown_to_document(text: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Reads a paper's Markdown; texts in its metadata are Markdown too.

    Returns:
        pandoc's own form of a document, in which every element has its type as ``t``
        and its content as ``c``.
    """
    read = TEMPLATES / "paper" / "read.lua"
    source = f"---\n{json.dumps(metadata, ensure_ascii=False)}\n---\n\n{text}"
    options = (f"--from={PAPER_MARKDOWN}", "--to=json", f"--lua-filter={read}")
    document: dict[str, Any] = json.loads(_pandoc(*options, text=source))
    return document


def document_to_source(
    document: dict[str, Any], route: str, variables: dict[str, str]
) -> str:
    """Writes what ``markdown_to_document`` returned as ``latex`` or ``typst``, in the
    paper's template.
    """
    paper = TEMPLATES / "paper"
    template = paper / ("paper.tex" if route == "latex" else "paper.typ")
    options = [
        "--from=json",
        f"--to={route}",
        "--wrap=none",
        "--natbib",
        f"--template={template}",
    ]
    chosen = [f"--variable={name}={value}" for name, value in variables.items()]
    return _pandoc(
        *options,
        f"--lua-filter={paper / 'write.lua'}",
        *chosen,
        text=json.dumps(document),
    )


def bibliography_keys(bibtex: str) -> set[str]:
    """The keys that a text may cite."""
    return set(bibliography_works(bibtex))


def bibliography_works(bibtex: str) -> dict[str, tuple[str, str]]:
    """Authors and year of each work, by key: ``{"he2016": ("He et al.", "2016")}``."""
    works = json.loads(_pandoc("--from=biblatex", "--to=csljson", text=bibtex))
    return {work["id"]: (_authors(work), _year(work)) for work in works}


def _authors(work: dict[str, Any]) -> str:
    people = work.get("author") or work.get("editor") or []
    names = [
        person.get("family") or person.get("literal") or person.get("given", "")
        for person in people
    ]
    return (
        f"{names[0]} et al."
        if len(names) > 2
        else " & ".join(names) or work.get("title", work["id"])
    )


def _year(work: dict[str, Any]) -> str:
    [date] = work.get("issued", {}).get("date-parts") or [[""]]
    return str(date[0])


def _pandoc(*arguments: str | Path, text: str) -> str:
    import pypandoc  # noqa: PLC0415

    try:
        command = [pypandoc.get_pandoc_path(), *map(str, arguments)]
        done = subprocess.run(  # noqa: S603
            command, input=text, capture_output=True, check=True, encoding="utf-8"
        )
    except subprocess.CalledProcessError as error:
        raise ExportError(
            f"pandoc could not convert the notebook: {error.stderr.strip()}"
        ) from error
    except OSError as error:
        raise ExportError(
            f"pandoc did not start ({error}). Install it with: pip install "
            "pypandoc_binary"
        ) from error
    return done.stdout
