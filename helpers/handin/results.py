"""What the runs have reached, as tables: in the terminal, RESULTS.md and README."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from helpers.base.estimate import Estimate
from helpers.base.files import ROOT, write_whole
from helpers.base.markdown import markdown_table
from helpers.base.record import FINDING, VERDICTS, RunRecord, finding_rows, reached
from helpers.handin.caveats import caveats_of
from helpers.handin.courses import subject_of
from helpers.handin.reference import collect_reference

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
HEADER = ("Notebook", *map(str.capitalize, FINDING), "Data", "Device", "Time")
_run = itemgetter(0, 5, 6, 7)  # of a row: what is of a run
PAGE = """\
# Results

What each notebook is asked for, by section (a *goal* is our own), and what it claims
(–, with its bound unless that is “above 0”): mean over what is in parentheses ± 95 %
confidence interval, wider for the best of several. *Not shown*: the
interval holds both sides, or has fewer than three values. *Reduced* runs had fewer
epochs, seeds, images or pixels than the notebook's own experiment. Time is of the run
or, if longer, of trainings that it found done. By
`python -m helpers results --write`, from [exports/reference](exports/reference).
"""


def result_rows(records: Mapping[str, RunRecord]) -> list[tuple[str, ...]]:
    """The table of results, as text under ``HEADER``: a row for each finding.

    A run without any has one row too. What is no result or a reduced one says so.
    """
    caveats = caveats_of(records)
    rows: list[tuple[str, ...]] = []
    for name, record in records.items():
        texts = [text[0].lower() + text[1:] for _, text in caveats[name]]
        data = "; ".join([describe_data(record), *texts])
        run = (data, _device(record), format_time(record))
        found = [
            (section, text + _bound(finding), *how)
            for finding, (section, text, *how) in zip(
                record.findings, finding_rows(record), strict=True
            )
        ]
        rows += [(name, *row, *run) for row in found or [("–", "–", "complete", "–")]]
    return rows


def describe_data(record: RunRecord) -> str:
    """The data of a run, and the pretrained network that it starts from."""
    data = record.data
    text = f"{data.get('source', 'unknown')} {data.get('name', '')}".strip()
    return f"{text}, {data['backbone']}" if data.get("backbone") else text


def format_time(record: RunRecord) -> str:
    """How long a run took; where it found its networks trained, how long that took."""
    seconds = record.duration
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def count_verdicts(findings: Sequence[dict[str, Any]]) -> str:
    """How many findings have which verdict, ``3 met, 1 missed``; empty if none."""
    counts = Counter(finding["verdict"] for finding in findings)
    return ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])


def results_text(records: Mapping[str, RunRecord]) -> str:
    """The results for a terminal: a line about each run, and below it what it found."""
    lines: list[str] = []
    for run, rows in groupby(result_rows(records), _run):
        lines.append(" · ".join(run))
        for _, section, text, number, verdict, *_ in rows:
            where = "" if section == "–" else f"{section}: "
            lines.append(f"{number:>34}  {verdict}: {where}{text}")
    return "\n".join(lines)


def results_markdown(
    records: Mapping[str, RunRecord], notebooks: str = "notebooks"
) -> str:
    """The table of results in Markdown, with links into the folder ``notebooks``; what
    is of a whole run stands in its first row.
    """
    rows = []
    for (name, data, *run), found in groupby(result_rows(records), _run):
        link = f"[{name}]({notebooks}/{name}.ipynb)"
        about = [data.replace(" reduced", " *reduced*"), *run]
        for _, *finding, verdict in (row[:5] for row in found):
            rows.append((link, *finding, _emphasised(verdict), *about))
            link, about = "", [""] * len(about)
    return markdown_table(HEADER, rows)


def results_page(records: Mapping[str, RunRecord]) -> str:
    """RESULTS.md: the table of results of each assignment."""
    tables = [
        f"## {subject_of(assignment)}\n\n{results_markdown(runs)}\n"
        for assignment, runs in _by_assignment(records).items()
    ]
    return "\n".join([PAGE, *tables])


def readme_table(records: Mapping[str, RunRecord]) -> str:
    """README's table: for each assignment its goals, and how much is met of all."""
    header = ("Assignment", "Its goals", "Goals and requirements", "Data", "Device")
    rows = []
    for assignment, found in _by_assignment(records).items():
        runs = [*found.values()]
        asked = [row for run in runs for row in run.findings if row["section"]]
        subject = f"[{subject_of(assignment)}](notebooks/{assignment})"
        goals = "<br>".join(goal for run in runs for goal in _goals(run))
        names = (name for run in runs for name in run.data["name"].split(", "))
        data = [f"real {', '.join(dict.fromkeys(names))}"]  # what is kept is real
        others = (name for run in runs for name in run.replaced.split("; "))
        data += filter(None, dict.fromkeys(others))
        if any("measured_before" in run.data for run in runs):
            data.append("some of it measured before [later changes](RESULTS.md)")
        devices = ", ".join(sorted(set(map(_device, runs))))
        counts = count_verdicts(asked)
        rows.append((subject, goals, counts, "<br>".join(data), devices))
    return markdown_table(header, rows)


def write_tables() -> None:
    """Writes RESULTS.md, and the table between README's two markers."""
    records = collect_reference()
    readme = ROOT / "README.md"
    table = f"{BEGIN}\n\n{readme_table(records)}\n\n{END}"
    text = readme.read_text("utf-8")
    text = re.sub(f"{BEGIN}.*{END}", lambda _: table, text, flags=re.DOTALL)
    write_whole(readme, text.encode())
    write_whole(ROOT / "RESULTS.md", results_page(records).encode())


def _bound(finding: Mapping[str, Any]) -> str:
    """What a claim is held against, unless that is being above zero: `` (≤ 0)``."""
    bounds = {"≥": finding.get("at_least") or None, "≤": finding.get("at_most")}
    unit = finding["estimate"]["unit"]
    return "".join(
        f" ({sign} {Estimate(bound, 0, 1, unit).number})"
        for sign, bound in bounds.items()
        if bound is not None and not finding["section"]
    )


def _device(record: RunRecord) -> str:
    return str(record.environment.get("device", "–"))


def _goals(record: RunRecord) -> Iterator[str]:
    name = record.notebook.rpartition("/")[2]
    reduced = ", *reduced*" if record.reduced else ""
    for row in record.findings:
        if row["section"].endswith("goal"):
            verdict = _emphasised(row["verdict"]) + reduced
            yield f"{name}, {row['text']}: {reached(row)}, {verdict}"


def _emphasised(verdict: str) -> str:
    return re.sub("^(missed|contradicted)", r"**\1**", verdict)


def _by_assignment(records: Mapping[str, RunRecord]) -> dict[str, dict[str, RunRecord]]:
    groups = groupby(records, lambda name: name.partition("/")[0])
    return {assignment: {n: records[n] for n in names} for assignment, names in groups}
