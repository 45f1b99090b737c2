"""EXERCISES.md is what the kept records say, and these are of the exercises."""

from __future__ import annotations

import measure
import pytest

from helpers.handin.caveats import own_caveats
from helpers.handin.reference import collect_reference

KEPT = measure.kept()


def test_the_page_is_made_of_the_records() -> None:
    assert measure.PAGE.read_text("utf-8") == measure.page()


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_record_is_of_its_exercise(path: measure.Path) -> None:
    record, name = KEPT[path], f"{path.parent.name}/{path.stem.rpartition('-')[0]}"
    assert record.notebook == name
    _, values = measure.exercises(name)[measure.number_of(path)]
    own = collect_reference()[name]
    changed = {
        key
        for key, value in record.parameters.items()
        if value != own.parameters[key] and key not in ("source", "jobs")
    }
    assert changed == {value.partition("=")[0] for value in values}
    assert record.status == "complete"
    drawn = [caveat.text for caveat in own_caveats(record) if caveat.kind == "stand-in"]
    assert "weights" in changed or not drawn
