"""The records of the real runs that count, kept in git: ``exports/reference``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from helpers.base.declared import read_checked_in
from helpers.base.errors import ExportError
from helpers.base.files import ROOT, exports_dir, notebooks_dir, write_atomic
from helpers.base.record import RunRecord
from helpers.base.runs import run_command
from helpers.handin.kept import keep_pages

# Neither of the first two changes what is trained; of the others, the table of results
# says which pretrained network was at hand.
FREE = {"source", "jobs", "backbone", "layer", "weights"}
PREDICTIONS = "test_predictions.txt"  # for a test set whose labels the course keeps
LOCAL_PATH = re.compile(rf'"(?:/|[^"]*{re.escape(str(ROOT))})[^"]*"')


def reference_dir() -> Path:
    """The folder that they are kept in."""
    return ROOT / "exports" / "reference"


def collect_reference() -> list[RunRecord]:
    """The kept records, in order of notebooks."""
    return [RunRecord.load(path) for path in sorted(reference_dir().glob("*/*.json"))]


def save_reference(record: RunRecord) -> Path:
    """Keeps a real run: its record and pages, and predictions of an unlabelled set.

    Raises:
        ExportError: it is no evidence: it ran on drawn images, with random weights for
            pretrained ones or with other parameters than the notebook's own (another
            backbone may be used, and fewer epochs, seeds or images: the table says so),
            or holds a path of this machine.
    """
    if fault := next(_faults(record), None):
        raise ExportError(
            f"The run of {record.notebook} is no reference: {fault}. On the real data: "
            f"{run_command(record.notebook)}"
        )
    path = reference_dir() / f"{record.notebook}.json"
    record.save(path)
    declared = read_checked_in(notebooks_dir() / f"{record.notebook}.ipynb")
    figure = declared.gallery.figure if declared.gallery else ""
    keep_pages(record, exports_dir() / record.notebook, path, figure)
    predictions = exports_dir() / record.notebook / PREDICTIONS
    if predictions.is_file():
        with write_atomic(path.with_name(PREDICTIONS)) as temporary:
            temporary.write_bytes(predictions.read_bytes())
    return path


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


def _faults(record: RunRecord) -> Iterator[str]:
    if record.drawn:
        yield f"it ran on {record.data.get('source', 'unknown')} data, not on real data"
    if record.untrained:
        yield f"its {record.data['backbone']} had random weights, not pretrained ones"
    if changed := other_values(record):
        yield f"it did not run with the notebook's own values of {', '.join(changed)}"
    if local := LOCAL_PATH.search(json.dumps(vars(record), ensure_ascii=False)):
        yield f"it holds the path {local[0]}, which is of this machine only"
