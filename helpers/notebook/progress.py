"""Training as it is watched in JupyterLab or on a terminal, and stopped there."""

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

SHARE = 0.1  # of the time, that drawing may take


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
    """``Live`` where somebody watches, else None: then each epoch prints a line."""
    watched = _in_jupyter() or sys.stdout.isatty()
    return Live(points, epochs, jobs) if watched else nullcontext()


def _in_jupyter() -> bool:
    return hasattr(get_ipython(), "kernel") and GIVEN not in os.environ


class Live:
    """A line that is redrawn, in JupyterLab with a bar and the curves of the point.

    The time left follows from the mean of all ``epochs`` so far, and from how many
    ``jobs`` are done side by side. In the end it says what was trained; a
    KeyboardInterrupt says where it was.
    """

    def __init__(self, points: int, epochs: int, jobs: int) -> None:
        self._points, self._epochs, self._jobs = points, epochs, max(jobs, 1)
        self._heard: dict[str, tuple[History, int]] = {}
        self._last = ""
        self._next = 0.0
        self._output = DisplayHandle() if _in_jupyter() else None

    def __enter__(self) -> Self:
        if self._output:
            self._output.display({"text/plain": "training"}, raw=True)
        return self

    def __call__(self, point: str, history: History, epochs: int) -> None:
        """Notes a point's epochs so far, of so many: fewer once it has ended early."""
        _, planned = self._heard.get(point, (history, epochs))
        self._epochs -= planned - epochs
        # A copy: Stop may come between an epoch and its report, before it is kept.
        history = History([*history.rows])
        self._heard[point], self._last = (history, epochs), point
        if (start := time.perf_counter()) >= self._next:
            self._draw()
            end = time.perf_counter()
            self._next = end + (end - start) / SHARE

    def __exit__(self, kind: object, *_: object) -> None:
        done, taken = self._done, tqdm.format_interval(self._seconds / self._jobs)
        self._show({"text/plain": f"{done}, {taken} of training"})
        if kind is KeyboardInterrupt:
            plt.close("all")  # curves that were being drawn
            history, epochs = self._heard.get(self._last, (History(), 0))
            where = f"stopped with {done}"
            if (epoch := len(history)) < epochs:
                where = f"{self._last}: stopped after epoch {epoch} of {epochs}"
            raise Stopped(f"{where}; run this cell again to go on") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return partial, (_nothing,)  # another process has nothing to show it on

    @property
    def _done(self) -> str:
        done = sum(len(history) == epochs for history, epochs in self._heard.values())
        return f"{done} of {self._points} trained"

    @property
    def _seconds(self) -> float:
        return sum(history.seconds for history, _ in self._heard.values())

    def _draw(self) -> None:
        history, epochs = self._heard[self._last]
        past = sum(len(one) for one, _ in self._heard.values())
        left = self._seconds / past * (self._epochs - past) / self._jobs
        line = epoch_line(self._last, history.rows[-1], epochs)
        text = f"{line} | {self._done} | about {tqdm.format_interval(left)} left"
        bundle = {"text/plain": text}
        if self._output:
            plot_learning_curves({"": [history]}).savefig(picture := BytesIO(), dpi=80)
            plt.close()
            curves = b64encode(picture.getvalue()).decode()
            bundle["text/html"] = (
                f'<progress value="{past / self._epochs}"></progress>'
                f"<pre>{escape(text)}</pre>"
                f'<img alt="curves" src="data:image/png;base64,{curves}">'
            )
        self._show(bundle, passing=True)

    def _show(self, bundle: dict[str, str], *, passing: bool = False) -> None:
        if self._output:
            self._output.update(bundle, raw=True, metadata={"progress": True})
        else:
            say(bundle["text/plain"], passing=passing)


def _nothing(*_: object) -> None:
    pass
