from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.base.errors import ExportError
from helpers.base.record import RunRecord, summarize

FOUND = {"mean": 0.6, "ci95": None, "count": 1, "unit": "percent", "over": "seeds"}
ASKED = {"section": "1", "text": "most", "estimate": FOUND, "verdict": "met"}
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
        status="complete",
        data={"name": "x", "source": "real"},
        parameters={"limit": None},
        seconds=1.5,
    )
    record.results["cnn"] = {"valid_accuracy": summarize([0.5, 0.75])}
    record.save(tmp_path / "run" / "metrics.json")
    assert RunRecord.load(tmp_path / "run" / "metrics.json") == record
    assert list(json.loads((tmp_path / "run" / "metrics.json").read_text())) == KEYS


def test_a_run_is_unfinished_until_it_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    RunRecord("course/01_first").save(path)
    assert RunRecord.load(path) == RunRecord("course/01_first", status="unfinished")


def test_the_values_of_a_metric_and_what_there_is_instead() -> None:
    record = RunRecord(
        "course/01_first", results={"cnn": {"valid_accuracy": summarize([0.5, 0.75])}}
    )
    assert record.values("cnn", "valid_accuracy") == [0.5, 0.75]
    with pytest.raises(
        ExportError,
        match="no metric of cnn called 'test_accuracy': known are valid_accuracy",
    ):
        record.values("cnn", "test_accuracy")
    with pytest.raises(ExportError, match="no model 'mlp': known are cnn"):
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
        (lambda text: text[: len(text) // 2], r"cut short.*\((Expecting|Untermin)"),
        (lambda text: text[:0], r"damaged or cut short.*\(Expecting value"),
        (lambda text: f"[{text}]", r"of another version \(it must be object"),
        (
            lambda text: text.replace('"seconds"', '"minutes"'),
            r"of another version \(it must contain \['seconds'\] properties",
        ),
        (
            lambda text: text.replace("{", '{"model": 1, ', 1),
            r"of another version \(it must not contain {'model'} properties",
        ),
        (
            lambda text: text.replace('"unfinished"', '"done"'),
            r"it\.status must be one of \['unfinished', 'complete', 'failed'",
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
    assert summarize([0.5]) == {"mean": 0.5, "ci95": None, "values": [0.5]}


def test_a_result_says_what_its_values_are_of() -> None:
    found = summarize([0.5, 0.75], "repeats")
    record = RunRecord("course/01_first", results={"cnn": {"valid_accuracy": found}})
    estimate = record.estimate("cnn", "valid_accuracy")
    assert (estimate.over, estimate.unit, estimate.count) == ("repeats", "percent", 2)


def test_trainings_count_once_and_as_many_at_a_time_as_there_were() -> None:
    own = {"train_seconds": summarize([30, 50])}
    both = {"best": own, "latest": own, "other": {"train_seconds": summarize([100])}}
    record = RunRecord("course/01_first", results=both, seconds=4.0)
    assert record.duration == 180
    record.environment["device"] = "NVIDIA H200"  # three of at most four at a time
    assert record.duration == 60


def finding(**changes: Any) -> dict[str, Any]:
    return {"findings": [{**ASKED, **changes}]}


def found(**changes: Any) -> dict[str, Any]:
    return finding(estimate={**FOUND, **changes})


def result(**changes: Any) -> dict[str, Any]:
    summary = {"mean": 1, "std": 0, "ci95": None, "values": [1], **changes}
    return {"results": {"cnn": {"valid_accuracy": summary}}}


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


MALFORMED: dict[str, dict[str, Any]] = {
    "seconds as text": {"seconds": "abc"},
    "no seconds": {"seconds": None},
    "negative seconds": {"seconds": -1},
    "seconds true": {"seconds": True},
    "nothing reduced": {"reduced": None},
    "reduced in objects": {"reduced": [{}]},
    "reduced in a parameter that is not there": {"reduced": ["epochs"]},
    "no findings": {"findings": None},
    "finding a number": {"findings": [1]},
    "results a text": {"results": {"cnn": "x"}},
    "results a list": {"results": [[]]},
    "values of text": result(values=["y"]),
    "values null": result(values=None),
    "no values": result(values=[]),
    "not a number": result(mean=math.nan, values=[math.nan]),
    "infinite": result(mean=math.inf),
    "too large for a float": result(mean=10**400),
    "negative interval": result(ci95=-0.1),
    "over a number": result(over=5),
    "unknown verdict": finding(verdict="maybe"),
    "verdict a list": finding(verdict=["met"]),
    "section a number": finding(section=1),
    "bound a text": finding(at_least="0.5"),
    "no estimate": {"findings": [without(ASKED, "estimate")]},
    "estimate null": finding(estimate=None),
    "estimate empty": finding(estimate={}),
    "mean a text": found(mean="x"),
    "mean null": found(mean=None),
    "unknown unit": found(unit="metres"),
    "no count": finding(estimate=without(FOUND, "count")),
    "count of zero": found(count=0),
    "more in an estimate": found(colour="red"),
    "notebook null": {"notebook": None},
    "notebook a list": {"notebook": ["a"]},
    "notebook elsewhere": {"notebook": "../../x"},
    "notebook hidden": {"notebook": "course/.x"},
    "source a list": {"data": {"source": [1], "name": 5}},
    "splits of text": {"data": {"splits": {"train": "many"}}},
    "environment null": {"environment": None},
    "error a number": {"error": 5},
    "half a character": {"error": "\ud800"},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_record_is_refused_in_one_sentence(
    change: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "metrics.json"
    RunRecord("course/01_a").save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(
        ExportError, match=r"metrics\.json is (damaged|of another)"
    ) as e:
        RunRecord.load(path)
    assert len(str(e.value)) < 600 + len(str(path))
    assert str(e.value).endswith("run its notebook again or `git checkout` it.")


@pytest.mark.parametrize("depth", [900, 200_000])
def test_a_nest_of_lists_is_damaged(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "metrics.json"
    RunRecord("course/01_a").save(path)
    nest = "[" * depth + "]" * depth
    path.write_text(path.read_text().replace("{}", f'{{"deep": {nest}}}', 1))
    with pytest.raises(ExportError, match=r"metrics\.json is damaged or cut short"):
        RunRecord.load(path)


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    RunRecord("course/01_a", parameters={"epochs": -2, "lr": 1e-3}).save(path)
    assert repr(RunRecord.load(path).parameters) == "{'epochs': -2, 'lr': 0.001}"
