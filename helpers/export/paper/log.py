"""What a TeX log says was wrong, though TeX itself was content."""

from __future__ import annotations

import re
from dataclasses import dataclass

TOLERANCE = (
    5.0  # points that a line may stick out: less than two millimetres are not seen
)

ERROR = re.compile(r"^(?:\./)?paper\.tex:(\d+): (.+)|^! (.+)", re.MULTILINE)
PAGES = re.compile(r"^Output written on .*?\((\d+) pages?", re.MULTILINE)
GLYPH = re.compile(r"^Missing character: There is no (\S+)", re.MULTILINE)
REFERENCE = re.compile(
    r"^LaTeX Warning: (?:Hyper r|R)eference `([^']+)' on page", re.MULTILINE
)
CITATION = re.compile(
    r"^(?:LaTeX|Package natbib) Warning: Citation `([^']+)' on page", re.MULTILINE
)
OVERFULL = re.compile(
    r"^Overfull \\hbox \(([\d.]+)pt too wide\) .*?(?:at lines? (\d+)(?:--(\d+))?)?$",
    re.MULTILINE,
)
TABLE = re.compile(
    r"^Package paper Warning: Table (\S+) is ([\d.]+)pt wide", re.MULTILINE
)
FLOAT = re.compile(
    r"^LaTeX Warning: Float too large for page by ([\d.]+)pt", re.MULTILINE
)
MISSING_FILE = re.compile(
    r"File `[^']+' not found|font \"[^\"]+\" cannot be found|Metric \(TFM\) file"
)


@dataclass(frozen=True)
class Log:
    """The log of one run of TeX.

    Attributes:
        text: all of it, lines unbroken (``max_print_line``).
    """

    text: str

    @property
    def error(self) -> str:
        """What TeX stopped at; empty if it did not."""
        found = ERROR.search(self.text)
        if not found:
            return ""
        return f"{found[2]} (line {found[1]})" if found[2] else found[3]

    @property
    def lacks_packages(self) -> bool:
        """Whether it stopped because TeX itself is not installed completely."""
        return bool(MISSING_FILE.search(self.error))

    @property
    def pages(self) -> int:
        """How many there are; 0 if there is no PDF."""
        found = PAGES.search(self.text)
        return int(found[1]) if found else 0

    @property
    def wants_rerun(self) -> bool:
        """Whether labels or page numbers have moved."""
        return "Rerun to get" in self.text or "Rerun LaTeX" in self.text


def problems(log: Log, source: str) -> list[str]:
    """Each kind of fault in one sentence; empty if the paper is as it should be.

    Args:
        log: of the last run.
        source: the text that was set, to say where a line is too long.
    """
    found = []
    if glyphs := _names(GLYPH, log):
        found.append(f"its font has no {glyphs}: write it as maths or in words")
    if references := _names(REFERENCE, log):
        found.append(f"it refers to {references}, which is not there (??)")
    if citations := _names(CITATION, log):
        found.append(f"it cites {citations}, not in the bibliography (?)")
    for points, first, last in OVERFULL.findall(log.text):
        if float(points) > TOLERANCE:
            found.append(
                f"a line sticks out by {float(points):.0f} "
                f"pt{_place(source, first, last)}: word it otherwise"
            )
    for table, points in TABLE.findall(log.text):
        found.append(
            f"Table {table} is {float(points) / 72.27:.1f} in wide: leave out columns, "
            "or turn rows into columns"
        )
    found += [
        f"a figure or table is {float(points):.0f} pt too high for the page: make it "
        "smaller"
        for points in FLOAT.findall(log.text)
    ]
    return found


def _names(pattern: re.Pattern[str], log: Log) -> str:
    return ", ".join(dict.fromkeys(pattern.findall(log.text)))


def _place(source: str, first: str, last: str) -> str:
    if not first:
        return ""
    text = " ".join(
        " ".join(source.splitlines()[int(first) - 1 : int(last or first)]).split()
    )
    return f" (“{text[:70]}…”)" if text else ""
