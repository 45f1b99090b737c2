from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.base.errors import ExportError
from helpers.base.files import ROOT
from helpers.base.record import RunRecord, summarize
from helpers.handin import results

WriteNotebook = Callable[..., Path]


def about(metric: str, row: dict[str, Any]) -> dict[str, Any]:
    """A requirement whose value is the mean of this metric."""
    return row | {"threshold": 0.5, "metric": ["cnn", metric]}


def real_run(name: str = "course/01_a", **changes: Any) -> RunRecord:
    record = RunRecord(
        name,
        status="complete",
        data={"name": "shapes", "source": "real", "splits": {"train": 8}},
        parameters={"epochs": 60, "source": "auto"},
        results={
            "cnn": {
                "valid_accuracy": summarize([0.84, 0.85, 0.86]),
                "train_loss": summarize([0.5, 0.6, 0.7]),
            }
        },
        requirements=[
            about(
                "valid_accuracy",
                {
                    "section": "1(b)",
                    "text": "at least 71 %",
                    "value": 0.85,
                    "met": True,
                },
            ),
            about(
                "train_loss",
                {
                    "section": "1(c)",
                    "text": "a loss | below 0.5",
                    "value": 0.6,
                    "met": False,
                },
            ),
            {
                "section": "1(d)",
                "text": "points",
                "threshold": 12,
                "value": 15,
                "met": None,
            },
        ],
        environment={"device": "cpu"},
        seconds=1500.0,
    )
    return RunRecord(**(vars(record) | changes))


@pytest.fixture
def declared(notebooks: Path, write_notebook: WriteNotebook) -> Path:
    write_notebook(
        "01_a",
        parameters='epochs: int = 60  # passes\nsource: str = "real"  # which data',
    )
    return notebooks


def test_each_requirement_is_a_row_with_its_interval() -> None:
    run = ("real shapes", "cpu", "25 min")
    assert results.result_rows([real_run()]) == [
        ("course/01_a", "1(b)", "at least 71 %", "85.0 ± 2.5 % (3 seeds)", "yes", *run),
        (
            "course/01_a",
            "1(c)",
            "a loss | below 0.5",
            "0.600 ± 0.248 (3 seeds)",
            "no",
            *run,
        ),
        ("course/01_a", "1(d)", "points", "15", "–", *run),
    ]


def test_no_interval_is_rounded_away() -> None:
    measured = {
        "test_accuracy": summarize([0.9959, 0.9960, 0.9961, 0.9960]),
        "test_errors": summarize([0, 0, 0]),
    }
    asked = [
        about(name, {"section": "1", "text": "most", "value": 0.0, "met": True})
        for name in measured
    ]
    rows = results.result_rows(
        [real_run(results={"cnn": measured}, requirements=asked)]
    )
    assert [row[3] for row in rows] == [
        "99.60 ± 0.01 % (4 seeds)",
        "0.0 ± 0.0 (3 seeds)",
    ]


def test_a_value_that_no_result_is_named_for_is_shown_as_it_is() -> None:
    asked = [
        {"section": "1", "text": "most", "threshold": 1, "value": value, "met": True}
        for value in (0.85, 12_000)
    ]
    assert [row[3] for row in results.result_rows([real_run(requirements=asked)])] == [
        "0.85",
        "12,000",
    ]


def test_without_requirements_each_model_is_a_row() -> None:
    models = {
        "a": {"valid_accuracy": summarize([0.5]), "test_accuracy": summarize([0.25])},
        "b": {"valid_accuracy": summarize([0.75])},
        "c": {"train_loss": summarize([1.0])},
    }
    rows = results.result_rows([real_run(requirements=[], results=models, seconds=20)])
    assert [row[1:5] for row in rows] == [
        ("–", "a: test accuracy", "25.0 % (one seed)", "–"),
        ("–", "b: valid accuracy", "75.0 % (one seed)", "–"),
    ]
    assert rows[0][-1] == "20 s"


def test_a_run_that_measured_nothing_or_failed_is_a_row_too() -> None:
    [seen] = results.result_rows([real_run(requirements=[], results={})])
    [failed] = results.result_rows([real_run(status="failed", error="cell 3 raised")])
    assert (seen[3], failed[3]) == ("complete", "failed: cell 3 raised")


def test_the_terminals_table_has_aligned_columns() -> None:
    assert results.text_table(("a", "b"), [("long", "3")]) == "a     b\nlong  3"


def test_csv_has_the_rows_of_the_table() -> None:
    text = results.csv_table(results.HEADER, results.result_rows([real_run()]))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["Section"], row["Requirement"], row["Met"]) for row in rows] == [
        ("1(b)", "at least 71 %", "yes"),
        ("1(c)", "a loss | below 0.5", "no"),
        ("1(d)", "points", "–"),
    ]


def test_every_metric_is_a_row_of_its_own() -> None:
    text = results.csv_table(results.METRIC_HEADER, results.metric_rows([real_run()]))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [
        (row["model"], row["metric"], float(row["mean"]), row["seeds"]) for row in rows
    ] == [
        ("cnn", "valid_accuracy", pytest.approx(0.85), "3"),
        ("cnn", "train_loss", pytest.approx(0.6), "3"),
    ]


def test_quick_runs_and_references_are_not_among_the_results(
    exports: Path, notebooks: Path
) -> None:
    real_run().save(exports / "course/01_a/metrics.json")
    real_run("course/02_b").save(exports / "quick/course/02_b/metrics.json")
    real_run("course/03_c").save(exports / "reference/course/03_c.json")
    assert [record.notebook for record in results.collect()] == ["course/01_a"]
    assert [record.notebook for record in results.collect(exports / "quick")] == [
        "course/02_b"
    ]
    assert [
        record.notebook for record in results.collect_reference(exports / "reference")
    ] == ["course/03_c"]


def test_a_real_run_is_kept_as_it_is(declared: Path, tmp_path: Path) -> None:
    path = results.save_reference(
        real_run(), notebooks=declared, reference=tmp_path / "reference"
    )
    assert path == tmp_path / "reference/course/01_a.json"
    assert RunRecord.load(path) == real_run()


def test_predictions_are_kept_beside_the_record(
    declared: Path, exports: Path, tmp_path: Path
) -> None:
    results.save_reference(
        real_run(), notebooks=declared, reference=tmp_path / "reference"
    )
    assert [path.name for path in (tmp_path / "reference/course").iterdir()] == [
        "01_a.json"
    ]
    written = exports / "course/01_a/test_predictions.txt"
    written.parent.mkdir(parents=True)
    written.write_text("id,label\n0001, 2\n")
    results.save_reference(
        real_run(), notebooks=declared, reference=tmp_path / "reference"
    )
    assert (
        tmp_path / "reference/course/test_predictions.txt"
    ).read_bytes() == written.read_bytes()


PRETRAINED = {
    "name": "shapes",
    "source": "real",
    "backbone": "squeezenet1_1",
    "weights": "squeezenet1_1.pth",
}


def test_a_run_with_another_backbone_is_kept_and_says_which(
    notebooks: Path, write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    lines = (
        'backbone: str = "alexnet"  # which',
        'layer: str = "conv4"  # to',
        'weights: str = "imagenet"  # whose',
    )
    write_notebook("01_a", parameters="\n".join(lines))
    chosen = {
        "backbone": "squeezenet1_1",
        "layer": "features.7",
        "weights": "squeezenet1_1.pth",
    }
    run = real_run(parameters=chosen, data=PRETRAINED)
    path = results.save_reference(
        run, notebooks=notebooks, reference=tmp_path / "reference"
    )
    assert {row[5] for row in results.result_rows([RunRecord.load(path)])} == {
        "real shapes, squeezenet1_1"
    }
    untrained = real_run(parameters=chosen, data=PRETRAINED | {"weights": "random"})
    assert results.result_rows([untrained])[0][5] == "real shapes, random squeezenet1_1"
    with pytest.raises(
        ExportError, match="its squeezenet1_1 had random weights, not pretrained ones"
    ):
        results.save_reference(
            untrained, notebooks=notebooks, reference=tmp_path / "reference"
        )


def test_a_smaller_run_is_kept_and_says_in_what_it_is_smaller(
    notebooks: Path, write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    lines = (
        "epochs: int = 60  # passes",
        "train_limit: int | None = None  # images",
        "lr: float = 0.1  # rate",
    )
    write_notebook("01_a", parameters="\n".join(lines))
    values = {"epochs": 6, "train_limit": 900, "lr": 0.1}
    run = real_run(parameters=values, reduced=["epochs", "train_limit"])
    path = results.save_reference(
        run, notebooks=notebooks, reference=tmp_path / "reference"
    )
    kept = RunRecord.load(path)
    assert kept.parameters == values
    assert {row[5] for row in results.result_rows([kept])} == {
        "real shapes; reduced: epochs 6, train_limit 900"
    }
    assert (
        "| real shapes; *reduced*: epochs 6, train_limit 900 |"
        in results.results_markdown([kept])
    )
    for other in ({"lr": 0.2}, {"epochs": 61}):
        with pytest.raises(
            ExportError, match=f"the notebook's own values of {next(iter(other))}"
        ):
            results.save_reference(
                real_run(parameters=values | other, reduced=["epochs", "train_limit"]),
                notebooks=notebooks,
            )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "running"}, "its status is running"),
        (
            {"status": "failed", "error": "cell 3 raised"},
            r"its status is failed \(cell 3 raised\)",
        ),
        (
            {"data": {"name": "shapes", "source": "synthetic"}},
            "it ran on synthetic data",
        ),
        ({"data": {}}, "it ran on unknown data"),
        (
            {"parameters": {"epochs": 2, "source": "auto"}},
            "the notebook's own values of epochs",
        ),
        (
            {"parameters": {"epochs": 60, "rate": 1}},
            "the notebook's own values of rate",
        ),
        ({"parameters": {}}, "the notebook's own values of epochs"),
        (
            {"environment": {"data": ["/home/me/data"]}},
            "it holds the path /home/me/data",
        ),
        ({"environment": {"note": f"in {ROOT}"}}, "it holds the path in "),
    ],
)
def test_what_is_no_evidence_is_refused(
    declared: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(
        ExportError,
        match=rf"The run of course/01_a is no reference: .*{reason}.*run course/01_a$",
    ):
        results.save_reference(
            real_run(**changes), notebooks=declared, reference=tmp_path / "reference"
        )
    assert not (tmp_path / "reference").exists()


def test_readme_takes_the_table_and_keeps_the_rest(tmp_path: Path) -> None:
    real_run().save(tmp_path / "reference/course/01_a.json")
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{results.BEGIN}\nold\n{results.END}\n\nmore\n")
    assert results.update_readme(readme, tmp_path / "reference")
    table = results.readme_table(tmp_path / "reference")
    assert (
        readme.read_text()
        == f"# Title\n\n{results.BEGIN}\n\n{table}\n\n{results.END}\n\nmore\n"
    )
    assert (
        "| [course/01_a](notebooks/course/01_a.ipynb) | 1(b) | at least 71 % | 85.0 ± "
        "2.5 % (3 seeds) | yes |" in table
    )
    assert "| **no** |" in table
    assert not results.update_readme(readme, tmp_path / "reference")


@pytest.mark.parametrize(
    "text", ["# Title\n", f"{results.BEGIN}\n", f"{results.END}\n{results.BEGIN}\n"]
)
def test_a_readme_without_markers_is_a_clear_error(tmp_path: Path, text: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(ExportError, match="no place for the results"):
        results.update_readme(readme, tmp_path / "reference")
    assert readme.read_text() == text


def test_what_rests_on_a_reduced_run_says_so() -> None:
    reduced = real_run(
        "lines/02_own_network", parameters={"epochs": 6}, reduced=["epochs"]
    )
    [*_, row] = results.result_rows([reduced, real_run("lines/04_visualization")])
    assert row[5] == "real shapes; based on reduced runs: lines/02_own_network"
    assert (
        "; based on *reduced* runs: lines/02_own_network |"
        in results.results_markdown([reduced, real_run("lines/04_visualization")])
    )
