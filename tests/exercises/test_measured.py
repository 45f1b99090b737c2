"""EXERCISES.md is what the kept records say, and these are of the exercises."""

from __future__ import annotations

from dataclasses import replace

import measure
import pytest

from helpers.base.declared import find_notebooks

KEPT = measure.kept()


def test_the_page_is_made_of_the_records() -> None:
    assert measure.PAGE.read_text("utf-8") == measure.page()


def test_every_exercise_that_names_parameters_is_measured() -> None:
    there = {(record.notebook, measure.number_of(p)) for p, record in KEPT.items()}
    assert not [
        (one.name, number)
        for one in find_notebooks()
        for number, (_, values) in measure.exercises(one.name).items()
        if values and (one.name, number) not in there
    ]


def test_a_parameter_that_a_base_does_not_have_is_a_change() -> None:
    base = next(iter(KEPT.values()))
    newer = replace(base, parameters=base.parameters | {"newer": None})
    assert measure.changes(base, newer) == {"newer"}


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_record_is_of_its_exercise(path: measure.Path) -> None:
    record, name = KEPT[path], f"{path.parent.name}/{path.stem.rpartition('-')[0]}"
    assert record.notebook == name
    own = measure.reference()[name]
    assert record.parameters.keys() == own.parameters.keys()  # else it is older
    number = measure.number_of(path)
    if number == 0:
        smaller = measure.SMALLER[name]
        assert {key: record.parameters[key] for key in smaller} == smaller
        assert set(smaller) >= measure.changes(own, record)
    else:
        _, values = measure.exercises(name)[number]
        changed = measure.changes(measure.base_of(record), record)
        assert changed == {value.partition("=")[0] for value in values}
    assert record.status == "complete" or measure.diverged(record)
    drawn = [text for kind, text in record.caveats() if kind == "stand-in"]
    assert record.parameters.get("weights") == "random" or not drawn
