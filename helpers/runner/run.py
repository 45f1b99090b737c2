"""Runs notebooks headless, in the order of what they need from each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.base.record import RunRecord, Status
from helpers.base.runs import run_command, unfinished_dir
from helpers.runner.execute import Export, Outcome, execute
from helpers.runner.plan import Job, make_plan


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
    """Runs notebooks and exports them; one that fails stops only those that need it.

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
    from joblib import Parallel, delayed  # noqa: PLC0415

    outcomes: dict[str, Outcome] = {}
    for level in make_plan(names, quick=quick, parameters=parameters, folder=folder):
        skipped = {job.notebook.name: _skipped(job, outcomes) for job in level}
        ready = [job for job in level if not skipped[job.notebook.name]]
        try:
            finished = Parallel(n_jobs=jobs)(
                delayed(execute)(job, timeout=timeout, export=export) for job in ready
            )
        except KeyboardInterrupt:
            _close_unfinished(ready, "killed", "the run was interrupted")
            raise
        except Exception as error:
            _close_unfinished(ready, "failed", f"the runner stopped: {error!r}")
            raise
        ended = [*finished, *filter(None, skipped.values())]
        outcomes |= {outcome.name: outcome for outcome in ended}
    return list(outcomes.values())


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
    for need in job.notebook.needs:
        if need in outcomes and outcomes[need].status != "complete":
            reason = f"it needs what {need} makes, which did not complete"
            hint = f"then: {run_command(job.notebook.name, quick=job.quick)}"
            return Outcome(job.notebook.name, job.folder, "skipped", reason, hint)
    return None


def _close_unfinished(jobs: Sequence[Job], status: Status, reason: str) -> None:
    """The records of notebooks that were running when the runner was stopped."""
    for job in jobs:
        path = unfinished_dir(job.exports, job.notebook.name) / "metrics.json"
        record = RunRecord.load(path) if path.is_file() else None
        if record and record.status == "running":
            record.status, record.error = status, reason
            record.save(path)


def _shown(path: Path) -> Path:
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path
