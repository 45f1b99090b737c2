"""Runs notebooks headless, in the order of what they need from each other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from helpers.base.processes import side_by_side
from helpers.base.record import RunRecord
from helpers.base.runs import load_records, run_command
from helpers.base.terminal import say
from helpers.runner.execute import Export, Outcome, close_records, execute, is_running
from helpers.runner.plan import Job, make_plan
from helpers.runner.progress import say_remaining


def run_notebooks(
    names: Sequence[str] = (),
    *,
    quick: bool = False,
    parameters: Mapping[str, Any] | None = None,
    jobs: int = 1,
    timeout: float | None = None,
    export: Export | None = None,
    folder: Path | None = None,
) -> list[Outcome]:
    """Runs notebooks and exports them; one that fails stops only those that need it,
    and one that another process is running is skipped.

    Args:
        names: as of ``make_plan``, like ``quick``, ``parameters`` and ``folder``.
        quick: write to ``exports/quick``, too.
        parameters: values for the notebooks that declare them.
        jobs: notebooks that run side by side.
        timeout: as of ``execute``, like ``export``.
        export: makes documents of each complete notebook.
        folder: the folder of notebooks.

    Returns:
        One outcome per notebook, in the order in which they ran.

    Raises:
        NotebookError, ConfigError: a name, parameter or need is wrong; nothing has run.
    """
    run = partial(execute, timeout=timeout, export=export)
    outcomes: dict[str, Outcome] = {}
    plan = make_plan(names, quick=quick, parameters=parameters, folder=folder)
    left = {job.notebook.name: job for level in plan for job in level}
    say_remaining(left, jobs)

    def done(outcome: Outcome) -> None:
        del left[outcome.name]
        say_remaining(left, jobs)

    for level in plan:
        skipped = {job.notebook.name: _skipped(job, outcomes) for job in level}
        ready = [job for job in level if not skipped[job.notebook.name]]
        for name in filter(skipped.get, skipped):
            del left[name]
        finished = _execute(run, ready, jobs, done)
        ended = [*finished, *filter(None, skipped.values())]
        outcomes |= {outcome.name: outcome for outcome in ended}
    return list(outcomes.values())


def run_within(
    minutes: float,
    names: Sequence[str] = (),
    *,
    kept: Mapping[str, RunRecord],
    timeout: float | None = None,
    export: Export | None = None,
    **options: Any,
) -> list[Outcome]:
    """Runs notebooks one by one while the time lasts, and says which it left out.

    First those without a whole run, then those whose only one is ``kept``, then the
    others. None is started that took longer than what is left (a reduced run's time
    counts as it is, that of none as nothing), or without what it needs. What the end
    interrupts goes on after its last epoch the next time, and is no failure.

    Args:
        minutes: for all of it.
        names: as of ``run_notebooks``, like ``timeout`` and ``export``.
        kept: records of runs elsewhere, by notebook.
        timeout: for each.
        export: likewise.
        options: as of ``make_plan``.
    """
    end = time.monotonic() + 60 * minutes
    jobs = [job for level in make_plan(names, **options) for job in level]
    wanted = {name for job in jobs for name in (job.notebook.name, *job.notebook.needs)}
    made = load_records(jobs[0].exports, wanted)
    took = {name: run.duration for name, run in {**kept, **made}.items()}

    def rank(job: Job) -> list[bool]:
        runs = [records.get(job.notebook.name) for records in (made, kept)]
        return [bool(run and not (run.drawn or run.reduced)) for run in runs]

    waiting = {job.notebook.name: job for job in sorted(jobs, key=rank)}
    there, outcomes = set(made), []
    while (left := end - time.monotonic()) > 0:
        fit = [job for name, job in waiting.items() if took.get(name, 0.0) < left]
        ready = [job for job in fit if there.issuperset(job.notebook.needs)][:1]
        run = partial(execute, timeout=min(left, timeout or left), export=export)
        for outcome in _execute(run, ready):
            if outcome.status != "timeout" or time.monotonic() < end:
                del waiting[outcome.name]
                outcomes.append(outcome)
            if outcome.status == "complete":
                there.add(outcome.name)
        if not ready:
            break
    if waiting:
        late = (f"{name} ({took.get(name, 0.0) / 60:.0f} min)" for name in waiting)
        say(f"left out for want of time, or of a need: {', '.join(late)}")
    return outcomes


def report(outcomes: Sequence[Outcome]) -> str:
    """A summary for the terminal: what was exported, why what failed, what to do."""
    lines = []
    for outcome in outcomes:
        lines.append(f"{outcome.name}  {outcome.status}  {outcome.seconds:.0f} s")
        lines += [f"  {_shown(file)}" for file in outcome.files]
        if not outcome.ok:
            lines.append(f"  why:    {outcome.reason}")
            if outcome.status != "skipped":
                lines.append(f"  output: {_shown(outcome.folder / 'notebook.ipynb')}")
            lines.append(f"  hint:   {outcome.hint}")
    if failed := sum(not outcome.ok for outcome in outcomes):
        lines.append(f"{failed} of {len(outcomes)} notebooks failed")
    return "\n".join(lines)


def _skipped(job: Job, outcomes: Mapping[str, Outcome]) -> Outcome | None:
    name, reason = job.notebook.name, job.notebook.fault
    for need in job.notebook.needs:
        if need in outcomes and outcomes[need].status != "complete":
            reason = f"it needs what {need} makes, which did not complete"
    if is_running(job):
        reason = "another process is running it"
    if not reason:
        return None
    hint = f"then: {run_command(name, quick=job.quick)}"
    return Outcome(name, job.folder, "skipped", reason, hint)


def _execute(
    run: Callable[[Job], Outcome],
    ready: Sequence[Job],
    jobs: int = 1,
    done: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    try:
        return side_by_side(run, ((job,) for job in ready), jobs, done)
    except KeyboardInterrupt:
        close_records(ready, "interrupted", "the run was interrupted")
        raise
    except Exception as error:
        close_records(ready, "failed", f"the runner stopped: {error!r}")
        raise


def _shown(path: Path) -> Path:
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path
