"""Markdown that is put together from results."""

import re
from collections.abc import Collection, Iterable, Sequence


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()
) -> str:
    """A table; a ``|`` in a cell is escaped, columns named in ``right`` are aligned
    there, as numbers are.
    """
    rule = ["--:" if column in right else "---" for column in header]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], rule, *cells[1:]))


def escaped(text: str) -> str:
    """Text as Markdown that shows it as it is: names of classes, of rows, of files."""
    return re.sub(r"([\\`*_\[\]<>#!$~^])", r"\\\1", " ".join(text.split()))
