from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.base.estimate import Estimate, exact
from helpers.base.record import RunRecord
from helpers.handin import results
from helpers.handin.reference import collect_reference

RealRun = Callable[..., RunRecord]
Finding = Callable[..., dict[str, Any]]


def by_name(*records: RunRecord) -> dict[str, RunRecord]:
    return {record.notebook: record for record in records}


def test_each_finding_is_a_row_with_its_interval(real_run: RealRun) -> None:
    run = ("real shapes", "cpu", "25 min")
    assert results.result_rows(by_name(real_run())) == [
        ("course/01_a", "1(b)", "at least 71 %", "85.0 ± 2.5 % (3 seeds)", "met", *run),
        (
            "course/01_a",
            "1(c), goal",
            "a loss | below 0.5",
            "0.60 ± 0.25 nats (3 seeds)",
            "missed",
            *run,
        ),
        (
            *("course/01_a", "–", "Depth helps.", "+1.3 ± 2.0 points (3 seeds)"),
            *("not shown", *run),
        ),
    ]


def test_what_was_counted_is_shown_as_it_is(
    real_run: RealRun, finding: Finding
) -> None:
    asked = [finding(found=exact(value)) for value in (0.85, 12_000)]
    rows = results.result_rows(by_name(real_run(findings=asked)))
    assert [row[3] for row in rows] == ["0.850", "12,000"]


def test_what_replaces_the_courses_own_is_said_where_something_is_asked(
    real_run: RealRun,
) -> None:
    data = real_run().data | {"replaces": "squeezenet1_1 in place of alexnet"}
    record = real_run(data=data)
    assert [row[4] for row in results.result_rows(by_name(record))] == [
        "met, squeezenet1_1 in place of alexnet",
        "missed, squeezenet1_1 in place of alexnet",
        "not shown",
    ]
    shown = "| **missed**, squeezenet1_1 in place of alexnet |"
    assert shown in results.results_markdown(by_name(record))


def test_a_run_without_findings_is_a_row_too(real_run: RealRun) -> None:
    [seen] = results.result_rows(by_name(real_run(findings=[])))
    assert seen[3] == "complete"


def test_the_time_is_that_of_training_where_it_was_found_done(
    real_run: RealRun,
) -> None:
    trained = {"train_seconds": {"values": [600.0, 600.0]}}
    assert results.format_time(real_run(seconds=4.0)) == "4 s"
    done = real_run(results={"cnn": trained}, seconds=4.0)
    assert results.format_time(done) == "20 min"
    # Trainings that take turns on a GPU each count the time of all.
    done.parameters["jobs"], done.environment["device"] = 0, "NVIDIA H200"
    assert results.format_time(done) == "10 min"


def test_the_terminal_shows_a_line_about_each_run_and_its_findings(
    real_run: RealRun,
) -> None:
    text = results.results_text(by_name(real_run("lines/02_b"), real_run("clipart/01")))
    about, *found = text.splitlines()
    assert about == "lines/02_b · real shapes · cpu · 25 min"
    assert "            85.0 ± 2.5 % (3 seeds)  met: 1(b): at least 71 %" in found
    assert all(len(line) < 100 for line in found)
    assert "clipart/01 · real shapes · cpu · 25 min" in found


@pytest.fixture
def written(
    tmp_path: Path, kept: Path, real_run: RealRun, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with two kept records and a README, whose tables have been written."""
    whole, reduced = real_run("lines/02_b"), {"parameters": {"epochs": 2}}
    whole.save(kept / "lines/02_b.json")
    real_run("clipart/01_a", **reduced, reduced=["epochs"]).save(
        kept / "clipart/01_a.json"
    )
    monkeypatch.setattr(results, "ROOT", tmp_path)
    marks = f"# Title\n\n{results.BEGIN}\nold\n{results.END}\n\nmore\n"
    (tmp_path / "README.md").write_text(marks)
    results.write_tables()
    return tmp_path


def test_readme_takes_a_line_for_each_assignment_and_keeps_the_rest(
    written: Path,
) -> None:
    text = (written / "README.md").read_text()
    table = results.readme_table(collect_reference())
    begin, end = results.BEGIN, results.END
    assert text == f"# Title\n\n{begin}\n\n{table}\n\n{end}\n\nmore\n"
    _, _, clipart, lines = table.splitlines()
    goal = "a loss \\| below 0.5: 0.60 ± 0.25 nats (3 seeds), **missed**"
    assert clipart.startswith(
        f"| [Clip art](notebooks/clipart) | 01_a, {goal}, *reduced* | 1 met, 1 missed |"
    )
    assert lines == (
        f"| [Lines and digits](notebooks/lines) | 02_b, {goal} | 1 met, 1 missed | "
        "real shapes | cpu |"
    )


def test_readme_has_all_goals_of_an_assignment_in_order(real_run: RealRun) -> None:
    [goal] = [row for row in real_run().findings if row["section"].endswith("goal")]
    findings = [
        goal | {"text": text, "verdict": verdict}
        for text, verdict in (("a", "missed"), ("b", "met on average"), ("c", "met"))
    ]
    shown = real_run(findings=findings, data={"name": "x", "replaces": "y for z; b"})
    row = results.readme_table(by_name(shown)).splitlines()[-1]
    name = shown.notebook.rpartition("/")[2]
    found = [text.partition(":")[0] for text in row.split(" | ")[1].split("<br>")]
    assert found == [f"{name}, {text}" for text in "abc"]
    assert "| real x<br>y for z<br>b |" in row


def test_the_page_of_results_has_every_row_under_its_assignment(written: Path) -> None:
    text = (written / "RESULTS.md").read_text()
    assert "\n## Clip art\n" in text
    assert (
        "| [lines/02_b](notebooks/lines/02_b.ipynb) | 1(b) | at least 71 % | 85.0 ± "
        "2.5 % (3 seeds) | met | real shapes | cpu | 25 min |" in text
    )
    assert "| real shapes; *reduced* run: epochs 2 |" in text
    assert "| **missed** |" in text


@pytest.mark.parametrize(
    "text", ["# Title\n", f"{results.BEGIN}\n", f"{results.END}\n{results.BEGIN}\n"]
)
def test_a_readme_without_markers_stays_as_it_is(written: Path, text: str) -> None:
    (written / "README.md").write_text(text)
    results.write_tables()
    assert (written / "README.md").read_text() == text


def test_what_rests_on_a_reduced_run_says_so(real_run: RealRun) -> None:
    reduced = real_run(
        "lines/02_own_network", parameters={"epochs": 6}, reduced=["epochs"]
    )
    [*_, row] = results.result_rows(
        by_name(reduced, real_run("lines/04_visualization"))
    )
    assert row[5] == "real shapes; based on reduced runs: lines/02_own_network"
    assert (
        "; based on *reduced* runs: lines/02_own_network |"
        in results.results_markdown(
            by_name(reduced, real_run("lines/04_visualization"))
        )
    )


def test_a_claim_is_shown_with_its_bound_where_that_is_not_above_zero(
    real_run: RealRun, finding: Finding
) -> None:
    bounds = ({"at_least": 0.1}, {"at_most": 0}, {"at_least": 0}, {})
    gap = Estimate(0.2, 0.1, 3, "points")
    claims = []
    for bound in bounds:
        claim = finding("It is so.", section="", found=gap)
        del claim["at_least"]
        claims.append(claim | bound)
    asked = finding("at least 71 %")
    rows = results.result_rows(by_name(real_run(findings=[*claims, asked])))
    assert [row[2] for row in rows] == [
        "It is so. (≥ +10.0 points)",
        "It is so. (≤ +0.0 points)",
        *["It is so."] * 2,
        "at least 71 %",  # says so itself
    ]


def test_no_interval_is_rounded_away(real_run: RealRun, finding: Finding) -> None:
    asked = [
        finding(found=Estimate(0.9960, 0.00013, 4, "percent")),
        finding(found=Estimate(0.0, 0.0, 3, "number")),
    ]
    rows = results.result_rows(by_name(real_run(findings=asked)))
    assert [row[3] for row in rows] == ["99.60 ± 0.01 % (4 seeds)", "0 (3 seeds)"]
