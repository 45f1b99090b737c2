"""A contender's process, seen from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from table import Contender

SCRIPT = Path(__file__).with_name("contender.py")


class ContenderError(Exception):
    """The process ended without an answer; the message is the end of what it wrote."""


class Process:
    """Starts a contender and waits until it is ready; from then on it sleeps until it
    is asked.

    Attributes:
        facts: what it said of itself: ``precision``, ``threads``, ``gpu``.
    """

    def __init__(self, contender: Contender, log: Path, **task: Any) -> None:
        self._log = log
        arguments = json.dumps(
            {"contender": contender.name, "precision": contender.precision, **task}
        )
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(SCRIPT), arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
            )
        try:
            self.facts = self._answer()
        except BaseException:
            self.close()
            raise

    @classmethod
    @contextmanager
    def started(cls, contender: Contender, log: Path, **task: Any) -> Iterator[Self]:
        """A process that is gone at the end of the block."""
        process = cls(contender, log, **task)
        try:
            yield process
        finally:
            process.close()

    def time(self, *, warmup: int, seconds: float) -> dict[str, Any]:
        """Trains and returns ``images_per_second``, ``memory`` and ``gpu_memory``.

        Raises:
            ContenderError: it failed.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(
                json.dumps({"warmup": warmup, "seconds": seconds}) + "\n"
            )
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer is missing too, and says why
        return self._answer()

    def close(self) -> None:
        """Ends it: at the end of its input, or by force."""
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            tail = (
                self._log.read_text(encoding="utf-8", errors="replace")
                .strip()
                .splitlines()[-8:]
            )
            raise ContenderError("\n".join(tail) or "it ended without a word")
        answer: dict[str, Any] = json.loads(line)
        return answer
