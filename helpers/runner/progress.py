"""What a running notebook prints: all into its log, its epochs onto the terminal."""

import re
from collections.abc import Mapping
from itertools import groupby
from statistics import fmean
from typing import TextIO

from tqdm import tqdm

from helpers.base.terminal import say

EPOCH = re.compile(r"\bepoch +\d+/\d+")
PROGRESS = re.compile(rf"{EPOCH.pattern}|epochs, trained before$")
SHOWN = 10  # lines of progress that a page shows without folding them


class LogStream:
    """What papermill writes the output of cells to: ``log`` takes everything as it
    comes; on the terminal, ``name`` stands before each line.
    """

    def __init__(self, log: TextIO, name: str) -> None:
        self._log = log
        self._name = name
        self._line = ""  # outputs come in pieces that need not end with a line

    def write(self, text: str) -> None:
        """Logs ``text``, and shows the lines completed by it that report an epoch."""
        self._log.write(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if EPOCH.search(line):
                say(f"{self._name}  {line}", passing=True)

    def flush(self) -> None:
        """Makes the log readable while the notebook runs."""
        self._log.flush()


def fold_progress(text: str) -> str:
    """What a cell printed; of many lines of progress, their number and the last."""
    folded: list[str] = []
    lines = text.splitlines(keepends=True)
    # Several processes leave empty lines among theirs.
    said = (line for line in lines if line.strip()) if PROGRESS.search(text) else lines
    for is_progress, group in groupby(said, lambda line: bool(PROGRESS.search(line))):
        block = list(group)
        if is_progress and len(block) > SHOWN:
            left_out = f"[{len(block) - 1:,} lines of progress, left out here; then:]\n"
            block = [left_out, block[-1]]
        folded += block
    return "".join(folded)


def say_remaining(left: Mapping[str, float], jobs: int) -> None:
    """Says how many notebooks are to run, and how long they take, ``jobs`` at once.

    ``left`` has the seconds of each by name, 0 where they are not known: such a one
    counts as the others' mean.
    """
    known = [seconds for seconds in left.values() if seconds]
    about = ""
    if known:
        seconds = fmean(known) * max(1, len(left) / jobs)
        about = f", about {tqdm.format_interval(seconds)}"
    if known or len(left) > 1:
        say(f"{len(left)} notebook{'s' * (len(left) > 1)} left{about}")
