"""One notebook, run headless by papermill, with a true record of how it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

import click

from helpers.base.errors import ExportError
from helpers.base.files import PAGES
from helpers.base.record import RunRecord, Status
from helpers.runner.failure import Failure, broken_off, raised
from helpers.runner.plan import Job
from helpers.runner.progress import LogStream

Export = Callable[[Path], Sequence[Path]]  # an executed notebook to its documents


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    Attributes:
        name: the notebook.
        status: as in its record, or ``skipped``: it did not start, because a model that
            it needs was not made.
        folder: its run folder.
        seconds: wall time.
        files: what was exported.
        reason: why it is not ``ok``; empty if it is.
        hint: what the user can do about that.
    """

    name: str
    status: Status | Literal["skipped"]
    folder: Path
    seconds: float = 0.0
    files: tuple[Path, ...] = ()
    reason: str = ""
    hint: str = ""

    @property
    def ok(self) -> bool:
        """Whether the notebook ran to its end and was exported."""
        return not self.reason


def execute(
    job: Job, *, timeout: float | None = None, export: Export | None = None
) -> Outcome:
    """Runs one notebook into its run folder and exports it.

    Args:
        job: the notebook and its parameters.
        timeout: seconds that the whole notebook may take; None for no limit.
        export: makes documents of the executed notebook and names them; None makes
            none.

    Returns:
        The outcome; a notebook that fails is an outcome too, not an exception.
    """
    start = time.monotonic()
    name, output = job.notebook.name, job.folder / "notebook.ipynb"
    _start_record(job)
    click.echo(f"{name}  running")
    failure = _run(job, output, timeout)
    seconds = time.monotonic() - start
    failure = close_record(job, failure, seconds)
    if failure is not None:
        click.echo(f"{name}  {failure.status} after {seconds:.0f} s")
        return Outcome(
            name, failure.status, job.folder, seconds, (), failure.reason, failure.hint
        )
    click.echo(f"{name}  complete in {seconds:.0f} s")
    try:
        files = tuple(export(output)) if export else ()
    except ExportError as error:
        hint = (
            "the run itself is safe; once this is settled: python -m helpers "
            f"export {output}"
        )
        return Outcome(
            name, "complete", job.folder, seconds, (), f"not exported: {error}", hint
        )
    return Outcome(name, "complete", job.folder, seconds, files)


def close_record(job: Job, failure: Failure | None, seconds: float) -> Failure | None:
    """Writes into ``metrics.json`` how the run ended.

    Returns:
        ``failure``, or the one that it ended without closing its record.
    """
    path = job.folder / "metrics.json"
    record = RunRecord.load(path)
    if failure is None and record.status != "complete":
        failure = Failure(
            "failed",
            "it ended without `run.finish()`",
            "call it in the notebook's last code cell",
        )
    if failure is not None:
        record.status, record.error, record.seconds = (
            failure.status,
            failure.reason,
            seconds,
        )
        record.save(path)
    return failure


def _start_record(job: Job) -> None:
    # What an earlier run left must not pass for this one's, however this one ends.
    for stale in PAGES:
        (job.folder / stale).unlink(missing_ok=True)
    defaults = {
        parameter.name: parameter.default
        for parameter in job.notebook.parameters.values()
    }
    RunRecord(job.notebook.name, parameters=defaults | job.parameters).save(
        job.folder / "metrics.json"
    )


def _run(job: Job, output: Path, timeout: float | None) -> Failure | None:
    with (
        (job.folder / "run.log").open("w", encoding="utf-8") as log,
        _environment(CNN_EXPORTS=str(job.exports)),
    ):
        failure = _papermill(job, output, timeout, log)
        if failure is not None:
            log.write(f"\n{failure.traceback}\n{failure.status}: {failure.reason}\n")
    return failure


def _papermill(
    job: Job, output: Path, timeout: float | None, log: TextIO
) -> Failure | None:
    # They take a second to import, which no other command should wait for.
    import papermill  # noqa: PLC0415
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415
    from papermill.exceptions import PapermillExecutionError  # noqa: PLC0415
    from papermill.log import logger  # noqa: PLC0415

    logger.setLevel("CRITICAL")  # whatever it would report is in the outcome
    deadline = time.monotonic() + timeout if timeout else None
    try:
        papermill.execute_notebook(
            job.notebook.path,
            output,
            parameters=job.parameters,
            kernel_name="python3",
            language="python",
            cwd=job.notebook.path.parent,
            progress_bar=False,
            stdout_file=LogStream(log, job.notebook.name),
            stderr_file=LogStream(log, job.notebook.name),
            shutdown_kernel="immediate",
            extra_arguments=[
                "--log-level=ERROR"
            ],  # the kernel's own warnings would go to the terminal
            # papermill's own limit is for each cell; nbclient takes 0 for none.
            timeout_func=lambda _cell: (
                deadline and max(0.1, deadline - time.monotonic())
            ),
        )
    except PapermillExecutionError as error:
        return raised(error, output)
    except CellTimeoutError:
        hint = (
            f"give it more time, or none to keep to: --timeout {2 * (timeout or 0):g}"
        )
        return broken_off("timeout", f"it took longer than {timeout:g} s", hint, output)
    except DeadKernelError:
        hint = (
            "mostly the memory ran out: take a smaller batch, fewer --jobs or a "
            "larger machine"
        )
        return broken_off("killed", "its kernel was killed", hint, output)
    except RuntimeError as error:  # the kernel did not start
        return Failure(
            "failed",
            f"its kernel did not start: {error}",
            "see what is missing: python -m helpers doctor",
        )
    return None


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Sets variables that the kernel inherits, and puts back what was there."""
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
