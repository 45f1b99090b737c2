"""EXERCISES.md is what the kept records say, and these are of the exercises."""

from __future__ import annotations

import measure
import pytest

from helpers.base.record import RunRecord
from helpers.handin.caveats import own_caveats
from helpers.handin.reference import collect_reference

KEPT = sorted(measure.KEPT.glob("*/*.json"))


def test_the_page_is_made_of_the_records() -> None:
    assert measure.PAGE.read_text("utf-8") == measure.page()


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_record_is_of_its_exercise(path: measure.Path) -> None:
    name, number = f"{path.parent.name}/{path.stem}".rsplit("-", 1)
    _, values = measure.exercises(name)[int(number)]
    record, own = RunRecord.load(path), collect_reference()[name]
    changed = {
        key
        for key, value in record.parameters.items()
        if value != own.parameters[key] and key not in ("source", "jobs")
    }
    assert changed == {value.partition("=")[0] for value in values}
    assert record.status == "complete"
    drawn = [caveat.text for caveat in own_caveats(record) if caveat.kind == "stand-in"]
    assert "weights" in changed or not drawn
