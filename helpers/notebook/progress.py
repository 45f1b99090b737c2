"""Training as it is watched in JupyterLab or on a terminal, and stopped there."""

from __future__ import annotations

import os
import sys
import time
from base64 import b64encode
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from html import escape
from io import BytesIO
from typing import Any, Self

import matplotlib.pyplot as plt
from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle
from tqdm import tqdm

from helpers.base.errors import HelpersError
from helpers.base.runs import GIVEN
from helpers.base.terminal import say
from helpers.plots import plot_learning_curves
from helpers.training.history import History
from helpers.training.loop import Report, epoch_line

SHORTEST = 0.1  # seconds between two drawings
MOST_TIME = 0.05  # share of the time that curves may take


class Stopped(KeyboardInterrupt):
    """Somebody pressed Stop; IPython shows the sentence alone."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def shorten_errors() -> None:
    """Lets JupyterLab show Stop, and errors that say what to do, without traceback."""
    if _in_jupyter():
        kinds = (KeyboardInterrupt, HelpersError)
        get_ipython().set_custom_exc(kinds, _show_briefly)  # type: ignore[union-attr]


def _show_briefly(shell: Any, kind: Any, error: Any, trace: Any, **_: Any) -> None:
    if kind is KeyboardInterrupt:
        kind, error = Stopped, Stopped("stopped; run this cell again")
    explained = issubclass(kind, HelpersError)  # ``%tb`` shows where it was raised
    shell.showtraceback((kind, error, trace), exception_only=explained)


def live(points: int, epochs: int, jobs: int) -> AbstractContextManager[Report | None]:
    """What so many points of so many epochs together, ``jobs`` at once, report to.

    None where nobody watches. In the end it has left one line; a KeyboardInterrupt says
    where it was.
    """
    watched = _in_jupyter() or sys.stdout.isatty()
    return Live(points, epochs, jobs) if watched else nullcontext()


def _in_jupyter() -> bool:
    return hasattr(get_ipython(), "kernel") and GIVEN not in os.environ


class Live:
    """A line that is redrawn, in JupyterLab with a bar and the curves of the point.

    The time left follows from the mean of all epochs so far.
    """

    def __init__(self, points: int, epochs: int, jobs: int) -> None:
        self._points, self._jobs = points, jobs
        self._total = self._to_come = epochs  # the latter of points not heard of
        self._left: dict[str, int] = {}  # of the others
        self._histories: dict[str, History] = {}
        self._last = self._curves = ""
        self._next = self._next_curves = 0.0
        self._output = DisplayHandle() if _in_jupyter() else None

    def __enter__(self) -> Self:
        if self._output:
            self._output.display({"text/plain": "training"}, raw=True)
        return self

    def __call__(self, point: str, history: History, epochs: int) -> None:
        """Notes a point's epochs so far, of so many."""
        if point not in self._left:
            self._to_come -= epochs
        self._left[point] = epochs - len(history)
        self._histories[point], self._last = history, point
        if (now := time.perf_counter()) >= self._next:
            self._draw()
            self._next = now + SHORTEST

    def __exit__(self, kind: object, *_: object) -> None:
        done, taken = self._done, tqdm.format_interval(self._seconds)
        self._show({"text/plain": f"{done}, {taken} of training"})
        if kind is KeyboardInterrupt:
            plt.close("all")  # curves that were being drawn
            if left := self._left.get(self._last):
                epoch = len(self._histories[self._last])
                done = f"{self._last}: stopped after epoch {epoch} of {epoch + left}"
            else:
                done = f"stopped with {done}"
            raise Stopped(f"{done}; run this cell again to go on") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return partial, (_nothing,)  # another process has nothing to show it on

    @property
    def _done(self) -> str:
        return f"{list(self._left.values()).count(0)} of {self._points} trained"

    @property
    def _seconds(self) -> float:
        return sum(history.seconds for history in self._histories.values())

    def _draw(self) -> None:
        history, left = self._histories[self._last], self._left[self._last]
        line = epoch_line(self._last, history.rows[-1], len(history) + left)
        to_come = self._to_come + sum(self._left.values())
        each = self._seconds / sum(map(len, self._histories.values()))
        rest = tqdm.format_interval(each * to_come / self._jobs)
        text = f"{line} | {self._done} | about {rest} left"
        bar = f'<progress value="{1 - to_come / self._total}"></progress>'
        if self._output and (started := time.perf_counter()) >= self._next_curves:
            plot_learning_curves(history).savefig(picture := BytesIO(), dpi=80)
            plt.close()
            data = b64encode(picture.getvalue()).decode()
            self._curves = f'<img alt="curves" src="data:image/png;base64,{data}">'
            ended = time.perf_counter()
            self._next_curves = ended + (ended - started) / MOST_TIME
        html = f"{bar}<pre>{escape(text)}</pre>{self._curves}"
        self._show({"text/plain": text, "text/html": html}, passing=True)

    def _show(self, bundle: dict[str, str], *, passing: bool = False) -> None:
        if self._output:
            self._output.update(bundle, raw=True, metadata={"progress": True})
        else:
            say(bundle["text/plain"], passing=passing)


def _nothing(*_: object) -> None:
    pass
