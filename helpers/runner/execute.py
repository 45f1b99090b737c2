"""One notebook, run headless by papermill, with a true record of how it ended."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, TextIO

import click

from helpers.base.errors import ExportError
from helpers.base.files import write_atomic
from helpers.base.record import RunRecord, Status
from helpers.base.runs import GIVEN, place, unfinished
from helpers.runner.plan import Job
from helpers.runner.progress import LogStream

if TYPE_CHECKING:
    from papermill.exceptions import PapermillExecutionError

ANSI = re.compile(r"\x1b\[[0-9;]*m")
Export = Callable[[Path], Sequence[Path]]  # an executed notebook to its documents


@dataclass
class Outcome:
    """What became of one job.

    Attributes:
        name: the notebook.
        folder: its run folder.
        status: as in its record, or ``skipped``: what it needs was not made.
        reason: why it is not ``ok``, in one line; empty if it is.
        hint: what the user can do about that.
        seconds: wall time.
        files: what was exported.
    """

    name: str
    folder: Path
    status: Status | Literal["skipped"] = "complete"
    reason: str = ""
    hint: str = ""
    seconds: float = 0.0
    files: tuple[Path, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the notebook ran to its end and was exported."""
        return not self.reason

    def fail(self, status: Status, reason: str, hint: str) -> None:
        """Says that it failed, why, and what the user can do about it."""
        self.status, self.reason, self.hint = status, reason, hint


def execute(
    job: Job, *, timeout: float | None = None, export: Export | None = None
) -> Outcome:
    """Runs one notebook into its run folder and exports it.

    Args:
        job: the notebook and its parameters.
        timeout: seconds that the whole notebook may take; None for no limit.
        export: makes documents of the executed notebook; None makes none.

    Returns:
        The outcome; a notebook that fails is an outcome too, not an exception.
    """
    start = time.monotonic()
    folder = unfinished(job.exports, job.notebook.name)
    outcome = Outcome(job.notebook.name, folder)
    _start_record(job, folder)
    click.echo(f"{outcome.name}  running")
    with (folder / "run.log").open("w", encoding="utf-8") as log:
        _run(job, outcome, timeout, log)
    outcome.seconds = time.monotonic() - start
    close_record(outcome)
    end = "complete in" if outcome.ok else f"{outcome.status} after"
    click.echo(f"{outcome.name}  {end} {outcome.seconds:.0f} s")
    if export and outcome.ok:
        try:
            outcome.files = tuple(export(folder / "notebook.ipynb"))
        except ExportError as error:
            outcome.reason = f"not exported: {error}"
            outcome.hint = (
                "the run itself is safe; once this is settled: python -m helpers "
                f"export {outcome.name}{' --quick' if job.quick else ''}"
            )
    if outcome.status == "complete":
        outcome.folder = place(folder, job.exports, outcome.name)
        outcome.files = tuple(outcome.folder / file.name for file in outcome.files)
    return outcome


def close_record(outcome: Outcome) -> None:
    """Writes into ``metrics.json`` how a run failed, if only by leaving it open."""
    path = outcome.folder / "metrics.json"
    record = RunRecord.load(path)
    if outcome.ok and record.status != "complete":
        hint = "call it in the notebook's last code cell"
        outcome.fail("failed", "it ended without `run.finish()`", hint)
    if not outcome.ok and outcome.status != "skipped":
        record.status, record.error = outcome.status, outcome.reason
        record.seconds = outcome.seconds
        record.save(path)


def _start_record(job: Job, folder: Path) -> None:
    defaults = {
        name: parameter.default for name, parameter in job.notebook.parameters.items()
    }
    record = RunRecord(job.notebook.name, parameters=defaults | job.parameters)
    record.save(folder / "metrics.json")


def _run(job: Job, outcome: Outcome, timeout: float | None, log: TextIO) -> None:
    # They take a second to import, which no other command should wait for.
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415
    from papermill.exceptions import PapermillExecutionError  # noqa: PLC0415

    traceback = ""
    try:
        _papermill(job, outcome.folder, timeout, log)
    except PapermillExecutionError as error:
        outcome.fail("failed", *_cause(error, job))
        traceback = ANSI.sub("", "\n".join(error.traceback))
    except CellTimeoutError:
        hint = f"give it more time, or no limit: --timeout {2 * (timeout or 0):g}"
        outcome.fail("timeout", f"it took longer than {timeout:g} s", hint)
        _mark_broken_off(outcome, job)
    except DeadKernelError:
        hint = (
            "mostly the memory ran out: take a smaller batch, fewer --jobs or a "
            "larger machine"
        )
        outcome.fail("killed", "its kernel was killed", hint)
        _mark_broken_off(outcome, job)
    except RuntimeError as error:
        hint = "see what is missing: python -m helpers doctor"
        outcome.fail("failed", f"its kernel did not start: {error}", hint)
    if not outcome.ok:
        log.write(f"\n{traceback}\n{outcome.status}: {outcome.reason}\n")


def _papermill(job: Job, folder: Path, timeout: float | None, log: TextIO) -> None:
    import papermill  # noqa: PLC0415
    from papermill.log import logger  # noqa: PLC0415

    logger.setLevel("CRITICAL")  # whatever it would report is in the outcome
    deadline = time.monotonic() + timeout if timeout else None
    environment = {"CNN_EXPORTS": str(job.exports), GIVEN: str(folder)}
    with _own_kernel() as kernels, _environment(**environment, JUPYTER_PATH=kernels):
        papermill.execute_notebook(
            job.notebook.path,
            folder / "notebook.ipynb",
            parameters=job.parameters,
            kernel_name="python3",
            language="python",
            cwd=job.notebook.path.parent,
            progress_bar=False,
            stdout_file=LogStream(log, job.notebook.name),
            stderr_file=LogStream(log, job.notebook.name),
            shutdown_kernel="immediate",
            # The kernel's own warnings would go to the terminal.
            extra_arguments=["--log-level=ERROR"],
            # papermill's own limit is for each cell; nbclient takes 0 for none.
            timeout_func=lambda _cell: (
                deadline and max(0.1, deadline - time.monotonic())
            ),
        )


@contextmanager
def _own_kernel() -> Iterator[str]:
    """Where Jupyter finds this interpreter as ``python3``, before any other."""
    with TemporaryDirectory() as folder:
        kernel = Path(folder) / "kernels" / "python3" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f"]
        spec = {"argv": [*command, "{connection_file}"], "language": "python"}
        kernel.write_text(json.dumps(spec | {"display_name": "Python 3"}))
        known = os.environ.get("JUPYTER_PATH")
        yield os.pathsep.join([folder, known] if known else [folder])


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Says to the kernel, in what it inherits, where its run is to go."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _cause(error: PapermillExecutionError, job: Job) -> tuple[str, str]:
    """Why a cell raised, and what the user can do about it."""
    message, *_ = str(error.evalue).strip().splitlines() or [""]
    if error.ename == "ModuleNotFoundError":
        hint = "install what is missing: pip install -r requirements.txt"
    elif "out of memory" in str(error.evalue).lower():
        hint = "take a smaller batch, such as -p batch_size=16"
    else:
        hint = "the full traceback is in that notebook and in run.log beside it"
    cell = f"{_cell(error.cell_index, job)} (In [{error.exec_count}])"
    return f"{cell} raised {error.ename}: {message}", hint


def _cell(index: int, job: Job) -> str:
    """A cell as the reader counts, without the one of parameters by papermill."""
    return f"cell {index + (0 if job.parameters else 1)}"


def _mark_broken_off(outcome: Outcome, job: Job) -> None:
    """Says within which cell the kernel ended, in the reason and in that cell.

    papermill has marked all cells of the partial notebook as completed.
    """
    import nbformat  # noqa: PLC0415

    path = outcome.folder / "notebook.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    marks = [cell.metadata.papermill for cell in notebook.cells]
    last = max(place for place, mark in enumerate(marks) if mark.start_time)
    for mark in marks[last + 1 :]:
        mark.status = "pending"
    marks[last].update(status="failed", exception=True)
    error = {
        "ename": outcome.status,
        "evalue": outcome.reason,
        "traceback": [outcome.reason],
    }
    notebook.cells[last].outputs.append(nbformat.v4.new_output("error", **error))  # type: ignore[no-untyped-call]
    notebook.metadata.papermill.exception = True
    with write_atomic(path) as temporary:
        nbformat.write(notebook, temporary)  # type: ignore[no-untyped-call]
    outcome.reason += f" in {_cell(last, job)}"
