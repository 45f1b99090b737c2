"""Sets a paper with Typst: the same content, without TeX."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import typst

from helpers.base.errors import ExportError


def set_with_typst(files: dict[str, bytes]) -> tuple[bytes, int]:
    """Compiles ``paper.typ``.

    Args:
        files: ``paper.typ`` and what it includes.

    Returns:
        The PDF and how many pages it has.

    Raises:
        ExportError: Typst refuses the text, or has no glyph for a character in it.
    """
    with TemporaryDirectory(prefix="paper-") as name:
        folder = Path(name)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        source = folder / "paper.typ"
        try:
            # Only the standard for archives makes a missing glyph an error.
            typst.compile(
                source,
                root=folder,
                pdf_standards="a-2b",
                sys_inputs={"glyphs": "checked"},
            )
            pdf = typst.compile(source, root=folder)
            [pages] = json.loads(
                typst.query(source, "<pages>", field="value", root=folder)
            )
        except typst.TypstError as error:
            raise ExportError(
                f"Typst stopped at an error: {' '.join([error.message, *error.hints])}"
            ) from error
        return pdf, pages
