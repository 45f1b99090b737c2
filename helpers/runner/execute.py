"""One notebook, run headless by papermill, with a true record of how it ended."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, Literal, TextIO
from uuid import uuid4

import click

from helpers.base.errors import ExportError
from helpers.base.files import exports_dir, write_atomic, writing
from helpers.base.processes import hold, let_go
from helpers.base.record import RunRecord, Status
from helpers.base.runs import BUSY, GIVEN, command, place, unfinished
from helpers.base.terminal import say
from helpers.runner.plan import Job
from helpers.runner.progress import LogStream

Export = Callable[[Path], Sequence[Path]]  # an executed notebook to its documents


@dataclass
class Outcome:
    """What became of one job.

    Attributes:
        status: as in its record, or ``skipped``: what it needs was not made.
        reason: why it is not ``ok``, in one line; empty if it is.
        hint: what the user can do about that.
        files: what was exported.
    """

    name: str
    folder: Path
    status: Status | Literal["skipped"] = "complete"
    reason: str = ""
    hint: str = ""
    seconds: float = 0.0
    files: Sequence[Path] = ()

    @property
    def ok(self) -> bool:
        """Whether the notebook ran to its end and was exported."""
        return not self.reason


def execute(
    job: Job, *, timeout: float = math.inf, export: Export | None = None
) -> Outcome:
    """Runs one notebook into its run folder, in at most ``timeout`` seconds, and
    exports it. One that fails or must not run is an outcome too, not an exception.
    """
    if why := job.notebook.fault:
        return not_run(job, "skipped", why)
    try:
        with writing(exports_dir()):
            if not hold(job.folder):
                return not_run(job, "skipped", BUSY)
            return _execute(job, timeout, export)
    except (ExportError, OSError) as error:
        return not_run(job, "failed", str(error))
    finally:
        let_go(job.folder)


def not_run(job: Job, status: Literal["failed", "skipped"], why: str) -> Outcome:
    """The outcome of a job for which something else is in the way."""
    return Outcome(job.name, job.folder, status, why, "then run it again")


def _execute(job: Job, timeout: float, export: Export | None) -> Outcome:
    start = time.monotonic()
    name, declared = job.name, job.notebook.parameters
    folder = unfinished(exports_dir(), name)
    path = folder / "metrics.json"
    defaults = {parameter: declared[parameter].default for parameter in declared}
    RunRecord(name, parameters=defaults | job.parameters).save(path)
    say(f"{name}  running")
    with (folder / "run.log").open("w", encoding="utf-8") as log:
        status, reason, hint = _run(job, folder, timeout, log)
    record = RunRecord.load(path)
    if not reason and record.status != "complete":
        status, reason = "failed", "it ended without `run.finish()`"
        hint = "call it in the notebook's last code cell"
    seconds = time.monotonic() - start
    outcome = Outcome(name, folder, status, reason, hint, seconds)
    if reason:
        record.status, record.error, record.seconds = status, reason, seconds
        record.save(path)
        say(f"{name}  {status} after {seconds:.0f} s")
        return outcome
    say(f"{name}  complete in {seconds:.0f} s")
    outcome.folder = place(folder, exports_dir(), name)
    if export:
        try:
            outcome.files = export(outcome.folder / "notebook.ipynb")
        except (ExportError, OSError) as error:
            outcome.reason = f"not exported: {error}"
            again = command("export", f"{outcome.folder}/notebook.ipynb")
            outcome.hint = f"the run itself is safe; once this is settled: {again}"
    return outcome


def _run(
    job: Job, folder: Path, timeout: float, log: TextIO
) -> tuple[Status, str, str]:
    """How it ended and, if it failed, why and what to do about it."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    status: Status = "failed"
    try:
        _papermill(job, folder, timeout, log)
    except PapermillExecutionError as error:
        reason, hint = _cause(error, job)
        log.write(click.unstyle("\n".join(["", *error.traceback])))
    except CellTimeoutError:
        status, reason, hint = "timeout", f"it took longer than {timeout:g} s", ""
    except DeadKernelError:
        status, reason = "killed", "its kernel was killed"
        hint = "mostly for want of memory: take fewer jobs or a smaller batch"
    except RuntimeError as error:
        reason = f"its kernel did not start: {error}"
        hint = "is ipykernel there? pip install -r requirements.txt"
    else:
        return "complete", "", ""
    if status != "failed":
        reason += f" in {_cell(_broken_off(folder, status, reason), job)}"
    log.write(f"\n{status}: {reason}\n")
    return status, reason, hint


def _papermill(job: Job, folder: Path, timeout: float, log: TextIO) -> None:
    import papermill
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from papermill.iorw import LocalHandler, papermill_io
    from papermill.log import logger
    from traitlets import Unicode

    class WholeFiles(LocalHandler):  # type: ignore[misc]
        def write(self, buf: str, path: str) -> None:
            with write_atomic(Path(path)) as temporary:
                super().write(buf, str(temporary))

    class Kernel(AsyncKernelManager):
        # This interpreter, whatever kernel is called `python3` on this machine.
        kernel_spec = KernelSpecManager(kernel_dirs=[]).get_kernel_spec("python3")
        # A killed runner leaves nothing outside its folder.
        connection_file = Unicode(str(folder / "kernel.json"))
        if sys.platform == "linux":
            # A free port may be taken before the kernel binds it.
            transport, ip = Unicode("ipc"), Unicode(f"@{uuid4()}")

        # What its worker processes print is among its messages, too.
        start_kernel = partialmethod(AsyncKernelManager.start_kernel, stdout=DEVNULL)

    Kernel.kernel_spec.env = {GIVEN: str(folder)}
    papermill_io.register(str(folder), WholeFiles())
    logger.setLevel("CRITICAL")  # whatever it would report is in the outcome
    end = time.monotonic() + timeout

    def left(_cell: object) -> float | None:
        return None if end == math.inf else max(0.1, end - time.monotonic())

    papermill.execute_notebook(
        job.notebook.path,
        folder / "notebook.ipynb",
        parameters=job.parameters,
        kernel_name="python3",
        language="python",
        kernel_manager_class=Kernel,
        cwd=job.notebook.path.parent,
        progress_bar=False,
        stdout_file=LogStream(log, job.name),
        stderr_file=LogStream(log, job.name),
        shutdown_kernel="immediate",
        # A kernel that runs has read it.
        on_cell_start=lambda **_: (folder / "kernel.json").unlink(missing_ok=True),
        # Its own warnings would go to the terminal.
        extra_arguments=["--log-level=ERROR"],
        # papermill's own limit is for each cell.
        timeout_func=left,
    )


def _cause(error: Any, job: Job) -> tuple[str, str]:
    message, *_ = str(error.evalue).strip().splitlines() or [""]
    if error.ename == "ModuleNotFoundError":
        hint = "install what is missing: pip install -r requirements.txt"
    elif "out of memory" in str(error.evalue).lower():
        hint = "take fewer trainings side by side (-p jobs=1) or a smaller batch"
    else:
        hint = "the full traceback is in that notebook and in run.log beside it"
    cell = f"{_cell(error.cell_index, job)} (In [{error.exec_count}])"
    return f"{cell} raised {error.ename}: {message}", hint


def _cell(index: int, job: Job) -> str:
    """A cell as the reader counts, without the one of parameters by papermill."""
    return f"cell {index + (0 if job.parameters else 1)}"


def _broken_off(folder: Path, status: Status, reason: str) -> int:
    """Says ``reason`` in the cell within which the kernel ended; returns its index."""
    import nbformat

    path = folder / "notebook.ipynb"
    notebook = nbformat.read(path, as_version=4)
    last = max(
        place
        for place, cell in enumerate(notebook.cells)
        if cell.metadata.papermill.start_time
    )
    error = {"ename": status, "evalue": reason, "traceback": [reason]}
    notebook.cells[last].outputs.append(nbformat.v4.new_output("error", **error))
    with write_atomic(path) as temporary:
        nbformat.write(notebook, temporary)
    return last
