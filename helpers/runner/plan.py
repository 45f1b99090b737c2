"""Which notebooks run, with which parameters and in which order, checked beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from helpers.base.declared import DeclaredNotebook, find_notebooks, resolve
from helpers.base.errors import ConfigError, NotebookError
from helpers.base.files import notebooks_dir
from helpers.base.runs import exports_root, load_records, run_command


@dataclass(frozen=True)
class Job:
    """One notebook to run.

    Attributes:
        notebook: what it declares.
        parameters: the values that replace its defaults, typed.
        exports: the folder that holds the run folders.
        quick: whether these are the quick settings.
    """

    notebook: DeclaredNotebook
    parameters: dict[str, Any]
    exports: Path
    quick: bool = False

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.exports / self.notebook.name


def make_plan(
    names: Sequence[str],
    *,
    quick: bool = False,
    parameters: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> list[list[Job]]:
    """Levels of jobs: each needs only what earlier levels make or have made.

    Args:
        names: assignments or notebooks; none means all. A level keeps their order.
        quick: take the settings of ``quick.yaml``, and without names its order.
        parameters: values (text or typed) that go before those; each goes to the
            notebooks that declare it.
        folder: the folder of notebooks; None takes the project's own.

    Raises:
        NotebookError: a name is unknown, or the needs cannot be met.
        ExportError: the record of a run that is needed, or would be replaced, cannot be
            read.
        ConfigError: a parameter is unknown to all these notebooks, or ill-typed.
    """
    folder = folder or notebooks_dir()
    selected = find_notebooks(folder)
    if names:
        selected = [notebook for name in names for notebook in resolve(name, folder)]
    if not selected:
        raise NotebookError(f"There are no notebooks in {folder}.")
    settings = read_quick_settings(folder) if quick else {}
    if not names:
        places = {name: place for place, name in enumerate(settings)}
        selected.sort(key=lambda notebook: places.get(notebook.name, len(places)))
    chosen = dict(parameters or {})
    _check_known(selected, chosen)

    jobs = {}
    for notebook in selected:
        own = {name: chosen[name] for name in chosen if name in notebook.parameters}
        values = settings.get(notebook.name, {}) | notebook.parse(own)
        jobs[notebook.name] = Job(notebook, values, exports_root(quick=quick), quick)
    if not quick:  # these are replaced only if they are worth less
        load_records(exports_root(quick=False), jobs)
    for job in jobs.values():
        _check_needs(job, jobs)
    return list(_levels(jobs))


def read_quick_settings(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The typed values of ``quick.yaml``, by notebook.

    Raises:
        ConfigError: the file is not there, is no mapping of notebooks to parameters, or
            names unknown ones.
    """
    path = (folder or notebooks_dir()) / "quick.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(
            f"The quick settings {path} cannot be read as YAML: {error}"
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(values, dict) for values in content.values()
    ):
        raise ConfigError(
            f"{path} must map each notebook to its parameters, such as "
            "`caltech101/01_lenet5: {epochs: 1}`."
        )
    notebooks = {notebook.name: notebook for notebook in find_notebooks(folder)}
    if unknown := sorted(set(content) - set(notebooks)):
        raise ConfigError(
            f"{path} names the unknown {', '.join(unknown)}. Known notebooks: "
            f"{', '.join(notebooks)}."
        )
    return {
        name: notebooks[name].parse(values)
        for name, values in content.items()
        if not notebooks[name].fault
    }


def _check_known(
    notebooks: Sequence[DeclaredNotebook], parameters: Mapping[str, Any]
) -> None:
    if len(notebooks) == 1:
        notebooks[0].parse(parameters)  # its error names the notebook's parameters
    declared = {name for notebook in notebooks for name in notebook.parameters}
    if unknown := [name for name in parameters if name not in declared]:
        raise ConfigError(
            f"None of these notebooks has a parameter {unknown[0]}. Known: "
            f"{', '.join(sorted(declared)) or 'none'}."
        )


def _check_needs(job: Job, jobs: Mapping[str, Job]) -> None:
    needs = [need for need in job.notebook.needs if need not in jobs]
    made = load_records(job.exports, needs)
    if missing := [need for need in needs if need not in made]:
        raise NotebookError(
            f"Notebook {job.notebook.name} needs what {', '.join(missing)} makes, "
            f"which is not in {job.exports}. "
            f"Run first: {run_command(' '.join(missing), quick=job.quick)}"
        )


def _levels(jobs: Mapping[str, Job]) -> Iterator[list[Job]]:
    needs = {name: jobs.keys() & job.notebook.needs for name, job in jobs.items()}
    order = TopologicalSorter(needs)
    try:
        order.prepare()
    except CycleError as error:
        circle = " needs ".join(reversed(error.args[1]))
        raise NotebookError(
            f"These notebooks need each other in a circle: {circle}. Remove one of the "
            "needs."
        ) from None
    while ready := order.get_ready():
        yield [jobs[name] for name in jobs if name in ready]
        order.done(*ready)
