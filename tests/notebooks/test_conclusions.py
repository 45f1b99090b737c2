"""What a notebook concludes is judged by the numbers beside it, and nothing else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from helpers.base.estimate import Estimate, judge
from helpers.base.files import ROOT, notebooks_dir
from helpers.base.record import RunRecord
from helpers.base.runs import other_values

KEPT = sorted((ROOT / "exports/reference").glob("*/*.json"))
EXERCISES = sorted((ROOT / "exports/reference/exercises").glob("*/*.json"))
PATHS = sorted(notebooks_dir().glob("*/*.ipynb"))
MEASURED = re.compile(r"±|\d[.,]\d+\s*(%|percent|points|nats)")


def contradictions(record: RunRecord) -> list[str]:
    """The verdicts that do not follow from the numbers beside them."""
    found = []
    for row in record.findings:
        bounds = {"at_least": row.get("at_least"), "at_most": row.get("at_most")}
        number = Estimate(**row["estimate"])
        verdict = judge(number, **bounds, asked=bool(row["section"]))
        if row["verdict"] != verdict:
            found.append(f"{row['text']} {number.number}: {row['verdict']}")
    return found


@pytest.mark.parametrize(
    "path", KEPT, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_kept_verdict_follows_from_its_numbers(path: Path) -> None:
    assert contradictions(RunRecord.load(path)) == []


@pytest.mark.parametrize(
    "path", KEPT, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_kept_run_has_the_notebooks_values_or_says_that_it_is_older(
    path: Path,
) -> None:
    record = RunRecord.load(path)
    assert not other_values(record) or record.data["measured_before"]


def test_a_conclusion_that_contradicts_its_record_is_seen() -> None:
    record = RunRecord.load(ROOT / "exports/reference/caltech101/02_improved_cnn.json")
    claim = next(row for row in record.findings if row["verdict"] == "supported")
    claim["estimate"]["mean"] *= -1
    assert len(contradictions(record)) == 1


@pytest.mark.parametrize(
    "path", KEPT + EXERCISES, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_kept_claim_is_one_that_the_notebook_makes(path: Path) -> None:
    record = RunRecord.load(path)
    patterns = texts(notebooks_dir() / f"{record.notebook}.ipynb")
    strange = [
        row["text"]
        for row in record.findings
        if not any(re.fullmatch(pattern, row["text"]) for pattern in patterns)
    ]
    assert strange == []


@pytest.mark.parametrize(
    "path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_prose_has_no_measured_numbers(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert [found.group(0) for found in MEASURED.finditer(prose)] == []


def texts(path: Path) -> list[str]:
    """The strings of a notebook's code, as patterns with a gap for each value."""
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        nodes = ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ()
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, "value", "") for part in node.values]
                said = [part if isinstance(part, str) else "" for part in parts]
                # One that is hardly more than gaps would match everything.
                if len("".join(said)) >= 10:
                    found.append("".join(re.escape(part) or ".+" for part in said))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.escape(node.value))
    return found
