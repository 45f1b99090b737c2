"""Markdown to HTML and HTML to Typst, by the pandoc that comes with ``pypandoc_binary``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from helpers.base.errors import ExportError

TEMPLATES = Path(__file__).parent / "templates"


def markdown_to_html(texts: Sequence[str]) -> list[str]:
    """Renders GitHub-flavoured Markdown with maths and footnotes; maths becomes MathML."""
    if not texts:
        return []
    html: list[str] = json.loads(_pandoc("lua", TEMPLATES / "markdown.lua", text=json.dumps(texts)))
    return html


def html_to_typst(page: str) -> str:
    """Turns an HTML page, its pictures being files, into a Typst document."""
    template = TEMPLATES / "typst" / "report.typ"
    keep = TEMPLATES / "typst" / "keep.lua"
    options = ("--from=html", "--to=typst", f"--template={template}", f"--lua-filter={keep}")
    return _pandoc(*options, text=page)


def _pandoc(*arguments: str | Path, text: str) -> str:
    import pypandoc  # noqa: PLC0415 - only an export needs it

    try:
        command = [pypandoc.get_pandoc_path(), *map(str, arguments)]
        done = subprocess.run(command, input=text, capture_output=True, check=True, encoding="utf-8")  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise ExportError(f"pandoc could not convert the notebook: {error.stderr.strip()}") from error
    except OSError as error:
        raise ExportError(f"pandoc did not start ({error}). Install it with: pip install pypandoc_binary") from error
    return done.stdout
