from __future__ import annotations

import math

import pytest

from helpers.base.errors import ConfigError
from helpers.base.estimate import Estimate, estimate, exact, judge, unit_of, unpaired


def test_the_interval_is_students() -> None:
    found = estimate([1.0, 2.0, 3.0])
    # t of 2 degrees of freedom
    assert (found.mean, found.count) == (2.0, 3)
    assert found.ci95 == pytest.approx(4.302653 / math.sqrt(3))


def test_one_value_says_nothing_about_others() -> None:
    found = estimate([0.5], "percent")
    assert (found.ci95, found.interval) == (None, (-math.inf, math.inf))
    assert str(found) == "50.0 % (one seed)"


def test_folds_that_share_training_images_have_a_wider_interval() -> None:
    values = [0.1, 0.2, 0.3, 0.4]
    corrected, plain = estimate(values, shared=0.25), estimate(values)
    assert corrected.ci95 == pytest.approx((plain.ci95 or 0) * math.sqrt(2))


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf]])
def test_only_finite_numbers_have_a_mean(values: list[float]) -> None:
    with pytest.raises(ConfigError, match="finite numbers"):
        estimate(values)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(0.85, 0.025, 3, "percent"), "85.0 ± 2.5 % (3 seeds)"),
        (Estimate(0.013, 0.004, 3, "points"), "+1.3 ± 0.4 points (3 seeds)"),
        (Estimate(-0.013, 0.004, 3, "points"), "−1.3 ± 0.4 points (3 seeds)"),
        (Estimate(1.234, 0.01, 5, "nats"), "1.23 ± 0.01 nats (5 seeds)"),
        (Estimate(312.4, 20.1, 3, "seconds"), "312 ± 20 s (3 seeds)"),
        (Estimate(0.99956, 0.00002, 3, "percent"), "99.956 ± 0.002 % (3 seeds)"),
        (Estimate(0.64, 0.01, 3, "percent", "repeats"), "64.0 ± 1.0 % (3 repeats)"),
        (exact(7_678_474), "7,678,474"),
        (exact(0.199), "0.199"),
    ],
)
def test_a_number_is_shown_with_its_interval_and_unit(
    found: Estimate, text: str
) -> None:
    assert str(found) == text


def test_the_unit_follows_from_the_name_of_a_metric() -> None:
    names = {
        "valid_accuracy": "percent",
        "test_f1_macro_angle": "percent",
        "train_loss_angle": "nats",
        "train_seconds": "seconds",
    }
    assert {name: unit_of(name) for name in names} == names


@pytest.mark.parametrize(
    ("mean", "half", "count", "asked", "claimed"),
    [
        (0.8, 0.05, 3, "met", "supported"),
        (0.8, 0.15, 3, "met on average", "not shown"),
        (0.8, 0.05, 2, "met on average", "not shown"),
        (0.8, None, 1, "met on average", "not shown"),
        (0.6, 0.15, 3, "missed", "not shown"),
        (0.6, 0.05, 3, "missed", "contradicted"),
        (0.6, 0.05, 2, "missed", "not shown"),
    ],
)
def test_a_verdict_follows_from_the_interval(
    mean: float, half: float | None, count: int, asked: str, claimed: str
) -> None:
    found = Estimate(mean, half, count, "percent")
    assert judge(found, at_least=0.7, asked=True) == asked
    assert judge(found, at_least=0.7, asked=False) == claimed
    mirrored = Estimate(-mean, half, count, "points")
    assert judge(mirrored, at_most=-0.7, asked=True) == asked
    assert judge(mirrored, at_most=-0.7, asked=False) == claimed


def test_what_was_counted_needs_no_seeds() -> None:
    assert judge(exact(0), at_most=0, asked=True) == "met"
    assert judge(exact(0), at_most=0, asked=False) == "supported"
    assert judge(exact(1), at_most=0, asked=False) == "contradicted"
    # A tie is no lead; a share that was computed may reach its bound.
    assert judge(exact(0.0, "points"), at_least=0, asked=False) == "not shown"
    assert judge(exact(1.0, "percent"), at_least=1, asked=False) == "supported"
    # Two seeds that happen to agree are no count.
    same = estimate([0.0, 0.0])
    assert judge(same, at_most=0.5, asked=True) == "met on average"


def test_what_is_not_finite_is_no_result() -> None:
    with pytest.raises(ConfigError, match="finite number, not nan"):
        exact(math.nan)


def test_independent_means_differ_by_both_intervals() -> None:
    one, other = Estimate(0.9, 0.03, 3), Estimate(0.8, 0.04, 5)
    found = unpaired(one, other, "points")
    assert (found.mean, found.ci95) == pytest.approx((0.1, 0.05))
    assert found.count == 3
    # What was computed takes nothing from the evidence, and adds none.
    sure = unpaired(one, exact(0.6, "percent"), "points")
    assert judge(sure, at_least=0, asked=False) == "supported"
    unsure = unpaired(exact(0.91, "percent"), one, "points")
    assert str(unsure) == "+1.0 ± 3.0 points (3 seeds)"
    assert judge(unsure, at_least=0, asked=False) == "not shown"
