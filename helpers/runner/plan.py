"""Which notebooks run, and with which parameters, checked beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from helpers.base.declared import DeclaredNotebook, find_notebooks, resolve
from helpers.base.errors import ConfigError, NotebookError, explained, require_known
from helpers.base.files import exports_dir, is_quick, notebooks_dir
from helpers.base.runs import command, load_records, unfinished_dir
from helpers.base.schema import OBJECT, each, require


@dataclass(frozen=True)
class Job:
    """One notebook to run, with the typed values that replace its defaults."""

    notebook: DeclaredNotebook
    parameters: dict[str, Any]

    @property
    def name(self) -> str:
        """The notebook's name."""
        return self.notebook.name

    @property
    def folder(self) -> Path:
        """Where it is written until it has ended."""
        return unfinished_dir(exports_dir(), self.name)


def make_plan(
    names: Sequence[str] = (),
    *,
    parameters: Mapping[str, Any] | None = None,
) -> list[Job]:
    """What is to run; nobody's needs are missing. Quick runs take the settings of
    ``quick.yaml``, and without names its order.

    Args:
        names: assignments or notebooks, whose order the jobs have; none means all.
        parameters: values (text or typed) that go before those; each goes to the
            notebooks that declare it.

    Raises:
        NotebookError: a name is unknown, or the needs cannot be met.
        ConfigError: a parameter is unknown to all these notebooks, or ill-typed.
    """
    selected = [found for name in names for found in resolve(name)] or find_notebooks()
    if not selected:
        raise NotebookError(f"There are no notebooks in {notebooks_dir()}.")
    settings = read_quick_settings() if is_quick() else {}
    if not names:
        places = {name: place for place, name in enumerate(settings)}
        selected.sort(key=lambda notebook: places.get(notebook.name, len(places)))
    chosen = dict(parameters or {})
    _check_known(selected, chosen)

    jobs = {}
    for notebook in selected:
        own = {name: chosen[name] for name in chosen if name in notebook.parameters}
        values = settings.get(notebook.name, {}) | notebook.parse(own)
        jobs[notebook.name] = Job(notebook, values)
    _check_needs(jobs)
    return list(jobs.values())


def read_quick_settings() -> dict[str, dict[str, Any]]:
    """The typed values of ``quick.yaml``, by notebook.

    Raises:
        ConfigError: the file is not there, is no mapping of notebooks to parameters, or
            names unknown ones.
    """
    path = notebooks_dir() / "quick.yaml"
    expected = "Expected parameters by notebook: `caltech101/01_lenet5: {epochs: 1}`."
    with explained(ConfigError, f"{path} cannot be read", expected):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        require(content, each(OBJECT))
    notebooks = {notebook.name: notebook for notebook in find_notebooks()}
    for name in content:
        require_known(ConfigError, f"{path} names the unknown", name, notebooks)
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
    no = "None of these notebooks has a parameter"
    for name in parameters:
        require_known(ConfigError, no, name, sorted(declared))


def _check_needs(jobs: Mapping[str, Job]) -> None:
    for job in jobs.values():
        needs = [need for need in job.notebook.needs if need not in jobs]
        made = load_records(exports_dir(), needs)
        if missing := [need for need in needs if need not in made]:
            raise NotebookError(
                f"Notebook {job.name} needs what {', '.join(missing)} makes, which is "
                f"not in {exports_dir()}. Run first: {command('run', *missing)}"
            )
