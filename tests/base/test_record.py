from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.base.errors import ExportError
from helpers.base.record import RunRecord, summarize

ASKED = {"section": "1", "text": "most", "estimate": {}, "verdict": "met"}
KEYS = [
    "notebook",
    "status",
    "data",
    "parameters",
    "results",
    "findings",
    "environment",
    "seconds",
]


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    record = RunRecord(
        "course/01_first",
        data={"name": "x", "source": "real"},
        parameters={"limit": None},
        seconds=1.5,
    )
    record.results["cnn"] = {"valid_accuracy": summarize([0.5, 0.75])}
    record.save(tmp_path / "run" / "metrics.json")
    assert RunRecord.load(tmp_path / "run" / "metrics.json") == record
    assert list(json.loads((tmp_path / "run" / "metrics.json").read_text())) == KEYS


def test_the_values_of_a_metric_and_what_there_is_instead() -> None:
    record = RunRecord(
        "course/01_first", results={"cnn": {"valid_accuracy": summarize([0.5, 0.75])}}
    )
    assert record.values("cnn", "valid_accuracy") == [0.5, 0.75]
    with pytest.raises(
        ExportError, match="no test_accuracy of cnn; cnn has valid_accuracy"
    ):
        record.values("cnn", "test_accuracy")
    with pytest.raises(ExportError, match="no test_accuracy of mlp; it has cnn"):
        record.values("mlp", "test_accuracy")


def test_the_reason_of_a_failure_is_kept(tmp_path: Path) -> None:
    RunRecord("course/01_first", status="failed", error="why").save(
        tmp_path / "metrics.json"
    )
    assert RunRecord.load(tmp_path / "metrics.json").error == "why"


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    RunRecord("course/01_first", seconds=1.0).save(path)
    with pytest.raises(ValueError, match="JSON"):
        RunRecord("course/01_first", seconds=math.nan).save(path)
    assert RunRecord.load(path).seconds == 1.0
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "damaged or cut short"),
        (lambda text: text[:0], "damaged or cut short"),
        (lambda text: f"[{text}]", "of another version: it lacks"),
        (
            lambda text: text.replace('"seconds"', '"minutes"'),
            "of another version: it lacks seconds",
        ),
        (
            lambda text: text.replace("{", '{"model": 1, ', 1),
            "of another version: it holds the unknown model",
        ),
        (
            lambda text: text.replace('"running"', '"done"'),
            "status 'done' instead of one of running, complete",
        ),
    ],
)
def test_a_record_that_is_not_whole_is_a_clear_error(
    tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    path = tmp_path / "metrics.json"
    RunRecord("course/01_first").save(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(ExportError, match=message) as error:
        RunRecord.load(path)
    assert str(path) in str(error.value)


def test_a_missing_record_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no record of a run at .*metrics\.json"):
        RunRecord.load(tmp_path / "metrics.json")


def test_one_seed_has_no_interval() -> None:
    assert summarize([0.5]) == {"mean": 0.5, "std": 0.0, "ci95": None, "values": [0.5]}


def test_a_result_says_what_its_values_are_of() -> None:
    found = summarize([0.5, 0.75], "repeats")
    record = RunRecord("course/01_first", results={"cnn": {"valid_accuracy": found}})
    estimate = record.estimate("cnn", "valid_accuracy")
    assert (estimate.over, estimate.unit, estimate.count) == ("repeats", "percent", 2)


@pytest.mark.parametrize(
    "change",
    [
        {"results": {"cnn": {"valid_accuracy": {"mean": 0.5, "std": 0.0}}}},
        {"findings": [{"section": "1", "text": "most"}]},
        {"findings": [ASKED]},
    ],
)
def test_a_record_whose_parts_are_of_another_version_is_named(
    change: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "metrics.json"
    RunRecord("course/01_a").save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(
        ExportError, match=r"metrics\.json is of another version: .* of another form"
    ):
        RunRecord.load(path)
