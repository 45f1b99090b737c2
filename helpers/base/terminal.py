"""What is said on the terminal."""

import shutil
import sys


def say(line: str, *, passing: bool = False) -> None:
    """Prints a line, which on a terminal the next one replaces if it is ``passing``."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        line = "\r\x1b[K" + (line[:width] if passing else line)
    print(line, end="" if passing and sys.stdout.isatty() else "\n", flush=True)  # noqa: T201
