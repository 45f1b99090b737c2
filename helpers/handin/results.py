"""What the runs have reached, as tables: in the terminal, RESULTS.md and README."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from helpers.base.declared import find_notebooks
from helpers.base.errors import ExportError
from helpers.base.files import ROOT, write_atomic
from helpers.base.markdown import markdown_table
from helpers.base.record import VERDICTS, RunRecord, reached, said
from helpers.handin.caveats import caveats_of
from helpers.handin.courses import subject_of
from helpers.handin.reference import collect_reference

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
HEADER = (
    *("Notebook", "Section", "Asked or claimed", "Measured", "Verdict"),
    *("Data", "Device", "Time"),
)
EMPHASISED = ("missed", "contradicted")
PAGE = """\
# Results

What each notebook is asked for, by section, and what it claims: mean over seeds or
repeats of cross-validation ± 95 % confidence interval. *Reduced* runs had fewer epochs,
seeds or images than the notebook's own experiment. Written by
`python -m helpers results --write` from [exports/reference](exports/reference).
"""


def result_rows(records: Sequence[RunRecord]) -> list[tuple[str, ...]]:
    """The table of results, as text under ``HEADER``: a row for each finding.

    A run without any has one row too. What is no result or a reduced one says so.
    """
    named = {record.notebook: record for record in records}
    caveats = caveats_of(named, find_notebooks())
    rows: list[tuple[str, ...]] = []
    for record in records:
        texts = [text for _, text in caveats[record.notebook]]
        data = "; ".join(
            [describe_data(record), *(text[0].lower() + text[1:] for text in texts)]
        )
        run = (data, str(record.environment.get("device", "–")), format_time(record))
        rows += [(record.notebook, *finding, *run) for finding in _findings(record)]
    return rows


def describe_data(record: RunRecord) -> str:
    """The data of a run, and the pretrained network that it starts from, in words."""
    data = record.data
    text = f"{data.get('source', 'unknown')} {data.get('name', '')}".strip()
    if backbone := data.get("backbone"):
        text += f", {backbone}"
    if since := data.get("measured_before"):
        text += f"; measured before {since}"
    return text


def format_time(record: RunRecord) -> str:
    """How long a run took; where it found its networks trained, how long that took."""
    trainings = sum(
        sum(metrics["train_seconds"]["values"])
        for metrics in record.results.values()
        if "train_seconds" in metrics
    )
    seconds = max(record.seconds, trainings)
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def count_verdicts(findings: Sequence[dict[str, Any]]) -> str:
    """How many findings have which verdict, ``3 met, 1 missed``; empty if none."""
    counts = Counter(finding["verdict"] for finding in findings)
    return ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])


def results_text(records: Sequence[RunRecord]) -> str:
    """The table of results for a terminal, in aligned columns."""
    table = [HEADER, *result_rows(records)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)


def metrics_csv(records: Sequence[RunRecord]) -> str:
    """Every metric of every model as CSV, one to a row."""
    import pandas as pd

    rows = [
        {
            "notebook": record.notebook,
            "data": record.data.get("source", ""),
            "model": model,
            "metric": metric,
            **{name: summary[name] for name in ("mean", "std", "ci95")},
            "values": len(summary["values"]),
            "over": summary.get("over", "seeds"),
            "device": record.environment.get("device", ""),
            "seconds": record.seconds,
        }
        for record in records
        for model, metrics in record.results.items()
        for metric, summary in metrics.items()
    ]
    return pd.DataFrame(rows).to_csv(index=False)


def results_markdown(records: Sequence[RunRecord], notebooks: str = "notebooks") -> str:
    """The table of results in Markdown, with links into the folder ``notebooks``."""
    rows = []
    for name, section, text, number, verdict, data, *run in result_rows(records):
        link = f"[{name}]({notebooks}/{name}.ipynb)"
        about = data.replace(" reduced", " *reduced*")
        rows.append((link, section, text, number, _emphasised(verdict), about, *run))
    return markdown_table(HEADER, rows)


def results_page(records: Sequence[RunRecord]) -> str:
    """RESULTS.md: the table of results of each assignment."""
    tables = [
        f"## {subject_of(assignment)}\n\n{results_markdown(runs)}\n"
        for assignment, runs in _by_assignment(records)
    ]
    return "\n".join([PAGE, *tables])


def readme_table(records: Sequence[RunRecord]) -> str:
    """README's table: for each assignment the goals, and how much of it is met."""
    header = ("Assignment", "Goals, measured", "Asked in all", "Data", "Device")
    rows = []
    for assignment, runs in _by_assignment(records):
        asked = [row for run in runs for row in run.findings if row["section"]]
        devices = {str(run.environment.get("device", "–")) for run in runs}
        subject = f"[{subject_of(assignment)}](notebooks/{assignment})"
        goals = "<br>".join(goal for run in runs for goal in _goals(run))
        data = "<br>".join(dict.fromkeys(map(describe_data, runs)))
        rows.append(
            (subject, goals, count_verdicts(asked), data, ", ".join(sorted(devices)))
        )
    return markdown_table(header, rows)


def write_tables() -> list[str]:
    """Writes RESULTS.md, and the table between README's two markers.

    Returns:
        The names of the files that have changed.

    Raises:
        ExportError: README has no such markers.
    """
    records = collect_reference()
    readme, page = ROOT / "README.md", ROOT / "RESULTS.md"
    old = {path: path.read_text("utf-8") for path in (readme, page) if path.is_file()}
    before, begin, rest = old.get(readme, "").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ExportError(
            f"README.md needs a line {BEGIN} and, below it, a line {END}."
        )
    table = f"{begin}\n\n{readme_table(records)}\n\n{end}"
    new = {readme: before + table + after, page: results_page(records)}
    changed = [path for path, text in new.items() if old.get(path) != text]
    for path in changed:
        with write_atomic(path) as temporary:
            temporary.write_text(new[path], encoding="utf-8")
    return [path.name for path in changed]


def _findings(record: RunRecord) -> Iterator[tuple[str, str, str, str]]:
    """Section, text, number and verdict of each finding; at least one row."""
    if not record.findings:
        yield "–", "–", "complete", "–"
    for row in record.findings:
        verdict = said(row, record.replaced)
        yield row["section"] or "–", row["text"], reached(row), verdict


def _goals(record: RunRecord) -> Iterator[str]:
    reduced = " (*reduced*)" if record.reduced else ""
    for row in record.findings:
        if row["section"].endswith("goal"):
            verdict = _emphasised(said(row, record.replaced))
            section = row["section"].removesuffix("goal")
            yield f"{section}{row['text']}: {reached(row)}, {verdict}{reduced}"


def _emphasised(verdict: str) -> str:
    name, _, _ = verdict.partition(",")
    return verdict.replace(name, f"**{name}**") if name in EMPHASISED else verdict


def _by_assignment(
    records: Sequence[RunRecord],
) -> Iterator[tuple[str, list[RunRecord]]]:
    for assignment, runs in groupby(records, lambda run: run.notebook.split("/")[0]):
        yield assignment, list(runs)
