"""What the runs have reached: a table, the reference records in git, and README's table
made from them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from helpers.base.declared import find_notebooks, read_notebook
from helpers.base.errors import ExportError
from helpers.base.files import ROOT, exports_dir, notebooks_dir, write_atomic
from helpers.base.markdown import markdown_table
from helpers.base.record import RunRecord, format_metric
from helpers.base.runs import run_command
from helpers.handin.caveats import Caveat, inherited, own_caveats

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
HEADER = (
    "Notebook",
    "Section",
    "Requirement",
    "Result",
    "Met",
    "Data",
    "Device",
    "Time",
)
# What need not be the notebook's own value: neither of the first changes what is
# trained, and the table says of the others which pretrained network was at hand.
FREE = {"source", "jobs", "backbone", "layer", "weights"}
PREDICTIONS = "test_predictions.txt"  # what a course asks to hand in of a test set whose labels it keeps
REDUCED = "reduced"
HEADLINES = (
    "test_accuracy",
    "valid_accuracy",
)  # what stands for a model, the first that it has
METRIC_HEADER = (
    "notebook",
    "status",
    "data",
    "model",
    "metric",
    "mean",
    "std",
    "ci95",
    "seeds",
    "device",
    "seconds",
)


def reference_dir() -> Path:
    """The records of the real runs, in git."""
    return ROOT / "exports" / "reference"


def collect(folder: Path | None = None) -> list[RunRecord]:
    """The record of each run folder in ``folder`` (None: the exports), by notebook."""
    return [
        RunRecord.load(path)
        for path in sorted((folder or exports_dir()).glob("*/*/metrics.json"))
    ]


def collect_reference(folder: Path | None = None) -> list[RunRecord]:
    """The records in git, by notebook; ``folder`` other than None stands for
    ``exports/reference``.
    """
    return [
        RunRecord.load(path)
        for path in sorted((folder or reference_dir()).glob("*/*.json"))
    ]


def result_rows(records: Sequence[RunRecord]) -> list[tuple[str, ...]]:
    """The table of results, as text under ``HEADER``.

    A notebook has one row for each of its requirements, or else for the accuracy of
    each of its models. One that loads models or results of reduced runs says so.
    """
    notebooks = find_notebooks()
    caveats = {record.notebook: own_caveats(record) for record in records}
    rows: list[tuple[str, ...]] = []
    for record in records:
        circumstances = _circumstances(
            record, inherited(record.notebook, notebooks, caveats)
        )
        rows += [
            (record.notebook, *finding, *circumstances) for finding in _findings(record)
        ]
    return rows


def format_time(record: RunRecord) -> str:
    """How long a run took; if it has found its networks trained, how long that took,
    whenever it was.
    """
    trainings = (
        sum(summary["values"])
        for _, metric, summary in _metrics(record)
        if metric == "train_seconds"
    )
    seconds = max(record.seconds, sum(trainings))
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for the terminal, in aligned columns."""
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    ]
    return "\n".join(line.rstrip() for line in lines)


def csv_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def metric_rows(records: Sequence[RunRecord]) -> list[tuple[Any, ...]]:
    """Every metric of every model, one to a row, under ``METRIC_HEADER``."""
    rows = []
    for record in records:
        for model, metric, summary in _metrics(record):
            numbers = (
                summary["mean"],
                summary["std"],
                summary["ci95"],
                len(summary["values"]),
            )
            source, device = (
                record.data.get("source", ""),
                record.environment.get("device", ""),
            )
            rows.append(
                (
                    record.notebook,
                    record.status,
                    source,
                    model,
                    metric,
                    *numbers,
                    device,
                    record.seconds,
                )
            )
    return rows


def save_reference(
    record: RunRecord, *, notebooks: Path | None = None, reference: Path | None = None
) -> Path:
    """Keeps the record of a real run in git, as
    ``exports/reference/<assignment>/<notebook>.json``.

    The run's predictions for an unlabelled test set, where it has written some, are
    kept beside it.

    Args:
        record: the run.
        notebooks: the folder of notebooks; None takes the project's own.
        reference: the folder of kept records; None takes the project's own.

    Raises:
        ExportError: it is no evidence: it did not complete, ran on drawn images, with
            random weights for pretrained ones or with other parameters than the
            notebook's own (another backbone may be used, and fewer epochs, seeds or
            images: the table says so), or holds a path that only exists on this
            machine.
    """
    if record.status != "complete":
        raise _refusal(
            record,
            "its status is "
            f"{record.status}{f' ({record.error})' if record.error else ''}",
        )
    if record.drawn:
        raise _refusal(
            record,
            f"it ran on {record.data.get('source', 'unknown')} data, not on the real "
            "data set",
        )
    if record.untrained:
        raise _refusal(
            record,
            f"its {record.data['backbone']} had random weights, not pretrained ones",
        )
    if changed := other_values(record, notebooks):
        raise _refusal(
            record,
            "it did not run with the notebook's own values of "
            f"{', '.join(sorted(changed))}",
        )
    if found := next(
        (
            text
            for text in _texts(vars(record))
            if Path(text).is_absolute() or str(ROOT) in text
        ),
        None,
    ):
        raise _refusal(
            record, f"it holds the path {found}, which is of this machine only"
        )
    path = (reference or reference_dir()) / f"{record.notebook}.json"
    record.save(path)
    predictions = exports_dir() / record.notebook / PREDICTIONS
    if predictions.is_file():
        with write_atomic(path.with_name(PREDICTIONS)) as temporary:
            temporary.write_bytes(predictions.read_bytes())
    return path


def other_values(record: RunRecord, notebooks: Path | None = None) -> set[str]:
    """The parameters that make a run another experiment than the notebook's own, or a
    smaller form of that.

    Args:
        record: the run.
        notebooks: the folder of notebooks; None takes the project's own.
    """
    declared = read_notebook(
        (notebooks or notebooks_dir()) / f"{record.notebook}.ipynb"
    )
    defaults = {
        name: parameter.default for name, parameter in declared.parameters.items()
    }
    changed = {
        name
        for name in defaults | record.parameters
        if record.parameters.get(name, ...) != defaults.get(name, ...)
    }
    # A run from before a default was raised is smaller as well, but does not say so.
    return (
        changed
        - FREE
        - set(record.reduced).intersection(declared.reductions(record.parameters))
    )


def results_markdown(records: Sequence[RunRecord], notebooks: str = "notebooks") -> str:
    """The table of results in Markdown, with what one should not miss emphasised.

    Args:
        records: the runs.
        notebooks: where the links to the notebooks lead, from where the table stands;
            README's place by default.
    """
    rows = [
        (
            f"[{name}]({notebooks}/{name}.ipynb)",
            *(section, requirement, value),
            "**no**" if met == "no" else met,
            data.replace(f" {REDUCED}", f" *{REDUCED}*"),
            *rest,
        )
        for name, section, requirement, value, met, data, *rest in result_rows(records)
    ]
    return markdown_table(HEADER, rows)


def readme_table(reference: Path | None = None) -> str:
    """README's table of results, from the records in git."""
    return results_markdown(collect_reference(reference))


def update_readme(readme: Path | None = None, reference: Path | None = None) -> bool:
    """Puts the table between README's two markers.

    Returns:
        Whether that changed anything.

    Raises:
        ExportError: there is no README, or it has no such markers.
    """
    readme = readme or ROOT / "README.md"
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"{readme} cannot be read ({error.strerror}): its table is that of the "
            "repository."
        ) from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ExportError(
            f"{readme} has no place for the results. Expected a line {BEGIN} and, "
            f"below it, a line {END}."
        )
    updated = f"{before}{begin}\n\n{readme_table(reference)}\n\n{end}{after}"
    if updated != text:
        with write_atomic(readme) as temporary:
            temporary.write_text(updated, encoding="utf-8")
    return updated != text


def _findings(record: RunRecord) -> Iterator[tuple[str, str, str, str]]:
    """Section, requirement, result and whether it is met, as text; at least one row."""
    if record.status != "complete":
        yield (
            "–",
            "–",
            f"{record.status}: {record.error}" if record.error else record.status,
            "–",
        )
        return
    for row in record.requirements:
        met = {True: "yes", False: "no", None: "–"}[row["met"]]
        yield row["section"], row["text"], record.reached(row), met
    if record.requirements:
        return
    measured = False
    for model, metrics in record.results.items():
        if metric := next((name for name in HEADLINES if name in metrics), None):
            measured = True
            yield (
                "–",
                f"{model}: {metric.replace('_', ' ')}",
                format_metric(metric, metrics[metric]),
                "–",
            )
    if not measured:
        yield "–", "–", record.status, "–"


def _metrics(record: RunRecord) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for model, metrics in record.results.items():
        for metric, summary in metrics.items():
            yield model, metric, summary


def _circumstances(
    record: RunRecord, based_on: Sequence[Caveat]
) -> tuple[str, str, str]:
    """Data, device and time, in words; ``based_on`` is what holds for the runs whose
    models or results it loads.
    """
    data = " ".join(filter(None, (record.data.get("source"), record.data.get("name"))))
    if backbone := record.data.get("backbone"):
        data += f", {'random ' if record.data['weights'] == 'random' else ''}{backbone}"
    if record.reduced:
        data += f"; {REDUCED}: {record.reduction}"
    data += "".join(
        f"; {caveat.text[0].lower()}{caveat.text[1:]}" for caveat in based_on
    )
    return data or "–", str(record.environment.get("device", "–")), format_time(record)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _refusal(record: RunRecord, reason: str) -> ExportError:
    command = run_command(record.notebook)
    return ExportError(
        f"The run of {record.notebook} is no reference: {reason}. On the real data: "
        f"{command}"
    )
