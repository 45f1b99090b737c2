from __future__ import annotations

from typing import Any

import pytest
from pretended import Shown, make_study

from helpers.base.errors import ConfigError
from helpers.plots import plot_comparison
from helpers.study import Comparison, comparison


def compare(shown: Shown, **rows: list[int]) -> Comparison:
    studies = {name: make_study(name, right, shown) for name, right in rows.items()}
    return Comparison("ablation", studies, shown)


def test_a_gain_is_paired_by_seed(shown: Shown) -> None:
    rows = compare(shown, plain=[4, 6, 8], better=[5, 7, 9])
    assert str(rows.gain("better")) == "+10.0 points (3 seeds)"
    assert rows.gain("plain", "better").mean == pytest.approx(-0.1)
    assert rows.best == "better"


def test_a_loss_is_better_where_it_is_lower(shown: Shown) -> None:
    studies = {n: make_study(n, r, shown) for n, r in (("a", [4]), ("b", [6]))}
    rows = Comparison("ablation", studies, shown, metric="valid_loss")
    assert rows.best == "b"
    assert rows.best_of(["a", "b"]) == "b"
    losses = {n: make_study(n, [r] * 3, shown) for n, r in (("a", 4), ("b", 6))}
    rows = Comparison("ablation", losses, shown, metric="valid_loss", baseline="a")
    assert rows.significance() == {"b": "better"}


def test_the_lead_is_over_the_rival_that_is_least_surely_beaten(shown: Shown) -> None:
    rows = compare(
        shown, plain=[2, 2, 2], a=[8, 8, 9], b=[6, 6, 7], c=[1, 9, 3], d=[9, 9, 9]
    )
    assert rows.leads("a", among=["a", "plain", "b"]) == rows.gain("a", "b")
    # Its mean is lower than that of b, but it might lie above a.
    assert rows.leads("a", among=["a", "b", "c"]) == rows.gain("a", "c")
    one = compare(shown, plain=[2], a=[8], b=[5])
    assert one.leads("a", among=list(one)) == one.gain("a", "b")


def test_what_is_ahead_of_a_row_is_known_afterwards_only(shown: Shown) -> None:
    rows = compare(shown, a=[8, 8, 9], b=[6, 6, 7], c=[9, 9, 9])
    lead, pair = rows.leads("a", among=list(rows)), rows.gain("a", "c")
    assert lead.mean == pair.mean < 0
    # Student's t of two degrees of freedom, at 1 - 0.05 / 2 for two rivals.
    assert (lead.ci95 or 0) / (pair.ci95 or 1) == pytest.approx(6.205347 / 4.302653)


def test_of_losses_the_lead_is_how_far_below_the_others(shown: Shown) -> None:
    losses = {n: make_study(n, s, shown) for n, s in (("a", [8] * 3), ("b", [6] * 3))}
    losses["c"] = make_study("c", [1, 2, 9], shown)
    rows = Comparison("ablation", losses, shown, metric="valid_loss")
    assert rows.leads("a", among=["a", "b"]) == rows.gain("a", "b", metric="valid_loss")
    assert rows.leads("a", among=list(rows)) == rows.gain("a", "c")
    assert rows.leads("a", among=list(rows)).interval[1] > 0


def test_significance_is_corrected_for_the_number_of_rows(shown: Shown) -> None:
    # The difference of a alone passes 5 % (p = 0.035), that of b by far.
    plain = [1, 1, 1, 1]
    few = compare(shown, plain=plain, a=[2, 2, 3, 5])
    assert few.significance() == {"a": "not significant"}
    rows = compare(shown, plain=plain, a=[3, 2, 2, 2], b=[9, 8, 9, 9], c=[1, 1, 2, 1])
    assert rows.significance() == {
        "a": "better",
        "b": "better",
        "c": "not significant",
    }
    many = compare(
        shown, plain=plain, a=[3, 2, 2, 2], **{f"r{i}": plain for i in range(9)}
    )
    assert many.significance()["a"] == "not significant"


def test_a_row_far_below_is_worse(shown: Shown) -> None:
    rows = compare(shown, plain=[9, 9, 9, 9], a=[1, 1, 2, 1], b=[10, 9, 9, 9])
    assert rows.significance() == {"a": "worse", "b": "not significant"}
    said = rows.table().set_index("row")["significance"]
    assert (said["a"], said["b"]) == ("worse", "not significant")


def test_what_passes_leaves_the_others_a_milder_level(shown: Shown) -> None:
    rows = compare(shown, plain=[1, 1, 1, 1], a=[9, 9, 8, 9], b=[2, 3, 3, 5])
    # p of b is 0.037: too much for one of two rows, not for the only one that is left.
    assert rows.gain("b", level=1 - 0.05 / 2).interval[0] < 0
    assert rows.significance() == {"a": "better", "b": "better"}


def test_fewer_than_three_seeds_show_nothing(shown: Shown) -> None:
    rows = compare(shown, plain=[1, 1], a=[9, 9])
    assert rows.significance() == {"a": "not significant"}
    compare(shown, plain=[1], a=[9]).show()
    assert not any("interval" in caption for caption in shown.captions.values())


def test_it_shows_a_figure_and_a_table(shown: Shown) -> None:
    studies = {
        n: make_study(n, r, shown)
        for n, r in (("plain", [4, 5, 6]), ("+ a", [6, 7, 8]), ("+ b", [4, 5, 6]))
    }
    rows = Comparison("ablation", studies, shown, groups={"first": ["+ a"]})
    rows.show(caption="LeNet-5")
    assert "ablation" in shown.figures
    table = shown.tables["ablation"].set_index("row")
    assert list(table["group"]) == ["", "first", ""]
    assert table.loc["+ a", "difference"] == "+20.0 points"
    assert list(table["significance"]) == ["baseline", "better", "not significant"]
    assert shown.captions["ablation"].startswith("LeNet-5: mean of 3 seeds")


def test_each_row_is_drawn_with_its_own_values_and_interval(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}

    def plot(values: Any, **options: Any) -> Any:
        drawn.update(options, values=values)
        return plot_comparison(values, **options)

    monkeypatch.setattr(comparison, "plot_comparison", plot)
    rows = compare(shown, plain=[4, 5, 6], a=[6, 7, 9])
    rows.show_figure()
    for row, study in rows.items():
        assert drawn["values"][row] == study.metrics["valid_accuracy"]
        assert drawn["halves"][row] == study["valid_accuracy"].ci95


def test_an_unknown_row_is_refused(shown: Shown) -> None:
    rows = compare(shown, plain=[4, 6, 8], better=[5, 7, 9])
    for ask in (rows.gain, lambda row: rows.leads("better", ["better", "plain", row])):
        with pytest.raises(ConfigError, match="ablation has no row 'typo': it has pl"):
            ask("typo")


def test_an_unknown_baseline_is_refused(shown: Shown) -> None:
    study = make_study("a", [1], shown)
    with pytest.raises(ConfigError, match="no row 'b': it has a"):
        Comparison("ablation", {"a": study}, shown, baseline="b")
