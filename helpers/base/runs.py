"""Where runs lie, which of them a user means, and how a finished one takes its place.

A run is written in ``.unfinished/`` and moved as a whole once it has ended.
"""

import math
import os
import shlex
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from helpers.base.declared import (
    find_notebooks,
    is_amount,
    name_of,
    read_checked_in,
    resolve,
)
from helpers.base.errors import ExportError, NotebookError
from helpers.base.files import (
    ROOT,
    exports_dir,
    is_quick,
    notebooks_dir,
    write_whole,
    writing,
)
from helpers.base.processes import hold, let_go
from helpers.base.record import RunRecord

GIVEN = "CNN_RUN_FOLDER"  # the folder that the runner gives to the kernel
REFERENCE = ROOT / "exports" / "reference"  # of real runs that count, kept in git
# What changes no training, and which pretrained network was at hand.
FREE = {"source", "jobs", "backbone", "layer", "weights"}
TRIAL, LESSER = "trial", "lesser"
BUSY = "another kernel or command is at it"


def command(*words: str) -> str:
    """What a user types."""
    return shlex.join(["python", "-m", "helpers", *words, *["--quick"] * is_quick()])


def unfinished_dir(root: Path, name: str) -> Path:
    """Where a run of notebook ``name`` is written until it has ended."""
    return root / ".unfinished" / name


def unfinished(root: Path, name: str) -> Path:
    """That folder, held and emptied for a new run, to be moved by ``place``.

    Raises:
        ExportError: the record of the run that it would replace cannot be read, or
            another process is at work there.
        WriteError: runs cannot be written there.
    """
    if not is_quick():
        _complete(root / name)
    folder = unfinished_dir(root, name)
    with writing(root):
        if not hold(folder):
            raise ExportError(f"{name}: {BUSY}.")
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
    return folder


def place(folder: Path, root: Path, name: str) -> Path:
    """Moves a finished run to its place below ``root``, and says where that is.

    What was there before goes, unless it is worth more: a run on real data, of any
    results, of the whole experiment, with the notebook's own values, of more epochs,
    seeds or images, with its networks, in this order. Of lesser runs the last stays.
    """
    target = _restored(root / name)
    if not is_quick() and _worth(target) > _worth(folder):
        target = _restored(root / LESSER / name)
    if target == folder.resolve():  # its last cell was run twice
        return folder
    target.parent.mkdir(parents=True, exist_ok=True)
    new, old = _beside(target)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.move(folder, new)  # file by file, where that is another disk
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except OSError:  # Windows: an open file
        shutil.move(new, folder)
        _restored(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
    let_go(folder)
    return target


def _beside(target: Path) -> list[Path]:
    return [target.with_name(f".{target.name}.{what}") for what in ("new", "old")]


def _restored(target: Path) -> Path:
    target = target.resolve()  # a link may lead to another disk
    new, old = _beside(target)
    if old.exists() and not target.exists():  # killed in between
        (new if new.exists() else old).rename(target)
    return target


def find_run(
    name: str, *, source: str | None = None, file: str = "metrics.json"
) -> Path:
    """The folder of the best complete run of a notebook that has left this file; its
    usual place without any.

    A headless run takes only a full or lesser one; elsewhere a trial or quick run will
    do where there is none. Runs on the data ``source``, ``real`` or ``synthetic``, go
    before those on the other.
    """
    root = exports_dir()
    kinds = ("", LESSER) if GIVEN in os.environ else ("", TRIAL, LESSER, "quick")
    found = {}
    for kind in kinds:
        with suppress(*[ExportError] if kind else []):  # a damaged one is passed over
            run = _complete(path := root / kind / name)
            if run and (path / file).is_file():
                found[path] = run.data.get("source")
    fit = [path for path, of in found.items() if of == (source or "real")]
    return [*fit, *found, root / name][0]


def executed_notebooks(names: Sequence[str]) -> list[Path]:
    """The executed notebooks that a user means by names of assignments and notebooks,
    or paths of ``.ipynb`` files; by none, every run there is.

    One that was executed and saved in JupyterLab is copied to its trial run.

    Raises:
        NotebookError: a name is unknown, or that notebook has not been run.
    """
    root = exports_dir()
    if not names:
        return sorted(root.glob("[!.]*/[!.]*/notebook.ipynb"))
    found, own = [], {notebook.path for notebook in find_notebooks()}
    for name in names:
        meant, file = name, Path(name)
        if file.suffix == ".ipynb" and file.is_file():
            if file.resolve() not in own:
                found.append(file)
                continue
            meant = name_of(file)  # its run
        for notebook in resolve(meant):
            path = root / notebook.name / "notebook.ipynb"
            if not path.is_file():
                path = _saved_in_jupyterlab(notebook.name, notebook.path)
            if not path.is_file():
                why = f"{notebook.name} has not been run, or not been saved since"
                raise NotebookError(f"{why}: {command('run', notebook.name)}")
            found.append(path)
    return [*dict.fromkeys(found)]


def load_records(
    root: Path, names: Iterable[str] | None = None
) -> dict[str, RunRecord]:
    """The record of each of these notebooks (None: of all) that has a complete run
    below ``root``, by name.

    Raises:
        ExportError: a record is damaged or of another version.
    """
    if names is None:
        names = [notebook.name for notebook in find_notebooks()]
    return {name: run for name in names if (run := _complete(root / name))}


def _complete(folder: Path) -> RunRecord | None:
    path = folder / "metrics.json"
    record = RunRecord.load(path) if path.is_file() else None
    return record if record and record.status == "complete" else None


def other_values(record: RunRecord) -> list[str]:
    """The parameters that make a run neither the notebook's own experiment nor a
    reduced form of it.
    """
    declared = read_checked_in(notebooks_dir() / f"{record.notebook}.ipynb")
    own = {name: parameter.default for name, parameter in declared.parameters.items()}
    # A run from before a default was raised is smaller as well, but does not say so.
    reduced = set(record.reduced).intersection(declared.reductions(record.parameters))
    return [
        name
        for name in sorted({*own, *record.parameters} - FREE - reduced)
        if record.parameters.get(name, ...) != own.get(name, ...)
    ]


def amount(record: RunRecord) -> float:
    """How large an experiment was: the product of its epochs, seeds, images, pixels."""
    return math.prod(
        value or 5e4  # None is no limit: a large set
        for name, value in record.parameters.items()
        if is_amount(name)
    )


def _worth(folder: Path) -> tuple[float, ...]:
    record = _complete(folder)
    if not record:
        return ()
    result = not (record.drawn or record.untrained)
    own = True
    with suppress(NotebookError):  # it may be gone
        own = not other_values(record)
    networks = any(folder.glob("*.pt"))
    found = bool(record.results)
    return result, found, not record.reduced, own, amount(record), networks


def _saved_in_jupyterlab(name: str, notebook: Path) -> Path:
    """The last trial run's copy of a notebook that was saved with outputs."""
    root = exports_dir() / TRIAL
    places = (root / kind / name / "metrics.json" for kind in ("", LESSER))
    runs = [path for path in places if path.is_file()]
    last = max(runs, key=os.path.getmtime, default=root / name / "-")
    path = last.with_name("notebook.ipynb")
    text = notebook.read_text(encoding="utf-8")
    newer = runs and notebook.stat().st_mtime > last.stat().st_mtime
    if newer and '"output_type"' in text:
        write_whole(path, text.encode())
    return path
