"""The records of the real runs that count, kept in git: ``exports/reference``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers.base.declared import read_checked_in
from helpers.base.errors import ExportError
from helpers.base.files import ROOT, exports_dir, notebooks_dir, write_atomic
from helpers.base.record import RunRecord
from helpers.base.runs import run_command

# Neither of the first two changes what is trained; of the others, the table of results
# says which pretrained network was at hand.
FREE = {"source", "jobs", "backbone", "layer", "weights"}
PREDICTIONS = "test_predictions.txt"  # for a test set whose labels the course keeps


def reference_dir() -> Path:
    """Where they are kept."""
    return ROOT / "exports" / "reference"


def collect_reference(folder: Path | None = None) -> list[RunRecord]:
    """The kept records, by notebook; None takes those of the project."""
    paths = sorted((folder or reference_dir()).glob("*/*.json"))
    return [RunRecord.load(path) for path in paths]


def save_reference(
    record: RunRecord, *, notebooks: Path | None = None, reference: Path | None = None
) -> Path:
    """Keeps a real run in ``exports/reference``, and with it the predictions for an
    unlabelled test set that it may have made.

    Args:
        record: the run.
        notebooks: the folder of notebooks; None takes the project's own.
        reference: the folder of kept records; likewise.

    Raises:
        ExportError: it is no evidence: it did not complete, ran on drawn images, with
            random weights for pretrained ones or with other parameters than the
            notebook's own (another backbone may be used, and fewer epochs, seeds or
            images: the table says so), or holds a path of this machine.
    """
    if fault := next(_faults(record, notebooks), None):
        raise ExportError(
            f"The run of {record.notebook} is no reference: {fault}. On the real data: "
            f"{run_command(record.notebook)}"
        )
    path = (reference or reference_dir()) / f"{record.notebook}.json"
    record.save(path)
    predictions = exports_dir() / record.notebook / PREDICTIONS
    if predictions.is_file():
        with write_atomic(path.with_name(PREDICTIONS)) as temporary:
            temporary.write_bytes(predictions.read_bytes())
    return path


def other_values(record: RunRecord, notebooks: Path | None = None) -> list[str]:
    """The parameters that make a run neither the notebook's own experiment nor a
    reduced form of it; ``notebooks`` other than None is the folder of notebooks.
    """
    folder = notebooks or notebooks_dir()
    declared = read_checked_in(folder / f"{record.notebook}.ipynb")
    own = {name: parameter.default for name, parameter in declared.parameters.items()}
    # A run from before a default was raised is smaller as well, but does not say so.
    reduced = set(record.reduced).intersection(declared.reductions(record.parameters))
    return [
        name
        for name in sorted({*own, *record.parameters} - FREE - reduced)
        if record.parameters.get(name, ...) != own.get(name, ...)
    ]


def _faults(record: RunRecord, notebooks: Path | None) -> Iterator[str]:
    if record.status != "complete":
        reason = f" ({record.error})" if record.error else ""
        yield f"its status is {record.status}{reason}"
    if record.drawn:
        yield f"it ran on {record.data.get('source', 'unknown')} data, not on real data"
    if record.untrained:
        yield f"its {record.data['backbone']} had random weights, not pretrained ones"
    if changed := other_values(record, notebooks):
        yield f"it did not run with the notebook's own values of {', '.join(changed)}"
    for text in _texts(vars(record)):
        if Path(text).is_absolute() or str(ROOT) in text:
            yield f"it holds the path {text}, which is of this machine only"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
