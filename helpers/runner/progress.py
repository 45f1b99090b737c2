"""What a running notebook prints: all of it into its log, its epochs onto the terminal,
little of them onto a page.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TextIO

import click

EPOCH = re.compile(r"\bepoch +\d+/\d+")
PROGRESS = re.compile(rf"{EPOCH.pattern}|epochs, trained before$")
SHOWN = 10  # lines of progress that a page shows without folding them


class LogStream:
    """The file that papermill writes a stream of cell outputs to.

    Args:
        log: takes everything as it comes.
        name: stands before each line on the terminal, since notebooks may run side by
            side.
    """

    def __init__(self, log: TextIO, name: str) -> None:
        self._log = log
        self._name = name
        self._line = ""  # outputs come in pieces that need not end with a line

    def write(self, text: str) -> None:
        """Logs ``text`` and shows the lines that it completes, if they report an epoch."""
        self._log.write(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if EPOCH.search(line):
                click.echo(f"{self._name}  {line}")

    def flush(self) -> None:
        """Makes the log readable while the notebook runs."""
        self._log.flush()


def fold_progress(text: str) -> str:
    """What a cell has printed, for a page: of many lines of progress in a row, how many
    there were and the last one.
    """
    folded: list[str] = []
    for is_progress, group in groupby(
        text.splitlines(keepends=True), key=lambda line: bool(PROGRESS.search(line))
    ):
        lines = list(group)
        if is_progress and len(lines) > SHOWN:
            lines = [
                f"[{len(lines) - 1:,} lines of progress, left out here; then:]\n",
                lines[-1],
            ]
        folded += lines
    return "".join(folded)
