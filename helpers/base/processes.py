"""Processes: work side by side that ends with whoever wants it, and their claims."""

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import psutil
from filelock import FileLock, Timeout

from helpers.base.errors import HelpersError

Result = TypeVar("Result")
_held: dict[Path, FileLock] = {}


def side_by_side(
    call: Callable[..., Result],
    arguments: Iterable[tuple[Any, ...]],
    jobs: int,
    done: Callable[[Result], None] | None = None,
) -> list[Result]:
    """What ``call`` returns for each of ``arguments``, ``jobs`` of them at a time: in
    processes that end when this one does, even if it is killed. ``done`` is told each
    in turn, as soon as it is there.

    Raises:
        HelpersError: one of these processes was killed.
    """
    from joblib import Parallel, delayed  # half a second

    workers = {"initializer": _start_worker, "initargs": (os.getpid(),)}
    calls = (delayed(call)(*values) for values in arguments)
    found: list[Result] = []
    # Freed memory that a worker keeps looks like a leak to joblib; that tasks are
    # cancelled is what Stop is for.
    said = "A worker stopped while some jobs were given|.* tasks (have|which) "
    try:
        results = Parallel(n_jobs=jobs, return_as="generator", **workers)(calls)
        # Ends them, whatever interrupts the loop.
        with warnings.catch_warnings(), closing(results):
            warnings.filterwarnings("ignore", said, UserWarning)
            for result in results:
                found.append(result)
                if done:
                    done(result)
    except BrokenProcessPool as error:
        raise HelpersError(
            f"One of {jobs} processes was killed, mostly for want of memory. What they "
            "had kept is safe: run again with fewer jobs or a smaller batch."
        ) from error
    return found


def print_anything() -> None:
    """Has ``?`` printed for a character that the terminal or file cannot hold."""
    for stream in (sys.stdout, sys.stderr):
        if stream:  # none, where it is closed
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def hold(folder: Path) -> bool:
    """Whether no other process, on any host, fills a folder. This one does then, until
    it lets go or ends.
    """
    if folder not in _held:
        lock = FileLock(f"{folder}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return False
        _held[folder] = lock
    return True


def let_go(folder: Path) -> None:
    """Others may fill it again."""
    if lock := _held.pop(folder, None):
        with suppress(OSError):  # on Windows
            Path(lock.lock_file).unlink()
        lock.release()


def _start_worker(parent: int) -> None:
    print_anything()
    # What a terminal sends to all its processes is for the parent to decide about.
    for name in {"SIGINT", "SIGHUP"} & set(dir(signal)):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    # An orphan gets another parent; Windows only forgets the one that there was.
    while os.getppid() == parent and psutil.pid_exists(parent):
        time.sleep(0.5)
    os._exit(1)
