"""Runs notebooks headless, in the order of what they need from each other."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from helpers.base.errors import ExportError
from helpers.base.files import exports_dir, is_quick
from helpers.base.processes import side_by_side
from helpers.base.record import RunRecord
from helpers.base.runs import REFERENCE
from helpers.base.terminal import say
from helpers.runner.execute import Export, Outcome, execute, not_run
from helpers.runner.plan import make_plan
from helpers.runner.progress import say_remaining


def run_notebooks(
    names: Sequence[str] = (),
    *,
    jobs: int = 1,
    export: Export | None = None,
    minutes: float | None = None,
    **options: Any,
) -> list[Outcome]:
    """Runs notebooks, each after those that it needs, and exports them; returns their
    outcomes in that order.

    One that fails stops only those that need it, and one that another process is
    running is skipped.

    Within ``minutes`` they run one by one: first those without a whole run, then those
    whose only one is kept in git, then the others. None is started that took longer
    than what is left (unknown counts as nothing; a kept run's on a GPU, if here is
    none, and the reverse), or that needs what no run has made. What the end interrupts
    goes on the next time, and is no failure.

    ``jobs`` run side by side; ``export`` makes documents of each that is complete.
    Names, options and errors are as of ``make_plan``.
    """
    plan = make_plan(names, **options)
    made = _complete({j.name: exports_dir() / j.name / "metrics.json" for j in plan})
    known = [] if is_quick() else plan
    kept = _complete({j.name: REFERENCE / f"{j.name}.json" for j in known})
    alike = {name: run for name, run in kept.items() if _on_such_a_machine(run)}
    took = {name: run.duration for name, run in {**alike, **made}.items()}
    missing, end = {job.name for job in plan}, math.inf
    if minutes:
        jobs, end = 1, time.monotonic() + 60 * minutes
        missing -= made.keys()
        plan.sort(key=lambda job: (_whole(made, job.name), _whole(kept, job.name)))
    waiting, outcomes = {job.name: job for job in plan}, list[Outcome]()

    def say_left() -> None:
        say_remaining({name: took.get(name, 0.0) for name in waiting}, jobs)

    def done(outcome: Outcome) -> None:
        if outcome.status != "timeout":
            del waiting[outcome.name]
            outcomes.append(outcome)
        if outcome.status == "complete":
            missing.discard(outcome.name)
        say_left()

    say_left()
    while ready := [
        (job,)
        for name, job in waiting.items()
        if missing.isdisjoint(job.notebook.needs)
        and took.get(name, 0.0) < end - time.monotonic()
    ]:
        run = partial(execute, timeout=end - time.monotonic(), export=export)
        side_by_side(run, ready[:1] if minutes else ready, jobs, done)
    if waiting and minutes:
        late = (f"{name} ({took.get(name, 0.0) / 60:.0f} min)" for name in waiting)
        say(f"left out for want of time, or of a need: {', '.join(late)}")
        return outcomes
    for job in waiting.values():
        need = next(need for need in job.notebook.needs if need in missing)
        why = f"it needs what {need} makes, which did not complete"
        outcomes.append(not_run(job, "skipped", why))
    return outcomes


def report(outcomes: Sequence[Outcome]) -> str:
    """A summary for the terminal: what was exported, why what failed, what to do."""
    lines = []
    for outcome in outcomes:
        lines.append(f"{outcome.name}  {outcome.status}  {outcome.seconds:.0f} s")
        lines += [f"  {_shown(file)}" for file in outcome.files]
        if not outcome.ok:
            lines.append(f"  why:    {outcome.reason}")
            output = outcome.folder / "notebook.ipynb"
            if outcome.status != "skipped" and output.is_file():
                lines.append(f"  output: {_shown(output)}")
            lines.append(f"  hint:   {outcome.hint}")
    if failed := sum(not outcome.ok for outcome in outcomes):
        lines.append(f"{failed} of {len(outcomes)} notebooks failed")
    return "\n".join(lines)


def _on_such_a_machine(run: RunRecord) -> bool:
    import torch  # takes seconds

    on_gpu = run.environment.get("device", "cpu") != "cpu"
    return on_gpu is torch.cuda.is_available()


def _complete(paths: Mapping[str, Path]) -> dict[str, RunRecord]:
    found = {}
    for name, path in paths.items():
        with suppress(ExportError):  # what is damaged is no reason not to run
            if (record := RunRecord.load(path)).status == "complete":
                found[name] = record
    return found


def _whole(records: Mapping[str, RunRecord], name: str) -> bool:
    run = records.get(name)
    return bool(run and not (run.drawn or run.reduced))


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
