from __future__ import annotations

from typing import Any

import pytest
import torch
from pretended import Point, Shown, make_splits, make_study

from helpers.base.errors import ConfigError
from helpers.base.estimate import estimate
from helpers.plots import plot_image_grid
from helpers.study import CrossStudy
from helpers.study import study as study_module
from helpers.study.study import file_name
from helpers.training import History
from helpers.training.cross_validation import CrossValidated


def test_a_metric_is_an_estimate_over_seeds(shown: Shown) -> None:
    study = make_study("net", [5, 6, 7], shown)
    assert str(study["valid_accuracy"]) == "60.0 ± 24.8 % (3 seeds)"
    assert study["valid_loss"].unit == "nats"
    assert study.metrics["train_seconds"] == [2.0, 2.0, 2.0]
    with pytest.raises(ConfigError, match="net has no metric 'test_accuracy'"):
        study["test_accuracy"]


def test_a_gap_is_paired_by_seed(shown: Shown) -> None:
    study = make_study("net", [10, 10, 10], shown)
    gap = study.difference("valid_accuracy", "train_accuracy")
    assert str(gap) == "+16.7 points (3 seeds)"


def test_a_loss_rises_from_its_lowest_epoch_to_the_last(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def history(point: Point) -> History:
        losses = enumerate((1.0, 0.5, point.right / 10), 1)
        about = {"valid_accuracy": 0.5, "seconds": 2.0}
        return History(
            [{"epoch": n, "valid_loss": loss, **about} for n, loss in losses]
        )

    study = make_study("net", [6, 8, 5], shown)
    monkeypatch.setattr(Point, "history", property(history))
    rise = study.loss_rise()
    assert (rise.mean, rise.unit, rise.count) == (pytest.approx(0.4 / 3), "nats", 3)


def test_it_shows_its_curves_results_and_errors(shown: Shown) -> None:
    study = make_study("+ my net", [5, 6], shown, test=True)
    study.show_curves()
    study.show_results()
    study.show_confusions(worst=2)
    study.show_classes()
    study.show_scores()
    study.show_errors(4)
    kinds = ("curves", "confusion", "classes", "errors")
    assert set(shown.figures) == {f"my_net_{kind}" for kind in kinds}
    results = shown.tables["my_net_results"].set_index("measure")
    assert results.loc["accuracy", "test"] == "68.8 ± 79.4 %"  # 5 and 6 of 8
    assert results.loc["accuracy", "validation"] == "55.0 ± 63.5 %"
    # Of the test images "abcdefgh", the first network has the last three wrong.
    said = {"+ bee\n→ ant", "ant\n→ cup", "cup\n→ + bee"}
    assert set(shown.titles["my_net_errors"]) == said
    assert results.loc["seconds", "training"] == "2.0 s"
    assert results.loc["seconds", "test"] == ""
    assert len(shown.tables["my_net_confused"]) == 2
    assert "test images, 2 seeds pooled" in shown.captions["my_net_confusion"]
    assert shown.tables["my_net_scores"]["images"].sum() == 8
    without_test = make_study("net", [5, 6], shown)
    without_test.show_confusions()
    assert "validation images, 2 seeds pooled" in shown.captions["net_confusion"]


def test_a_study_without_errors_shows_none(shown: Shown) -> None:
    study = make_study("net", [12, 12], shown)
    study.show_errors()
    study.show_confusions()
    assert set(shown.figures) == {"net_confusion"}
    assert not shown.tables


def test_errors_are_under_their_own_titles(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, int] = {}

    def plot(images: Any, *, titles: list[str], **options: Any) -> Any:
        drawn.update(zip(titles, images[:, 0, 0, 0].tolist(), strict=True))
        return plot_image_grid(images, titles=titles, **options)

    monkeypatch.setattr(study_module, "plot_image_grid", plot)
    make_study("net", [5], shown, test=True).show_errors()
    assert drawn == {"+ bee\n→ ant": 5, "ant\n→ cup": 6, "cup\n→ + bee": 7}


def cross_validated(*right: int) -> CrossValidated:
    """Two folds of six images, of each of which so many are predicted."""
    images = make_splits().train
    halves = [images.subset(torch.arange(6)), images.subset(torch.arange(6, 12))]
    points = [Point(count) for count in right]
    folds = [p.evaluate(half) for p, half in zip(points, halves, strict=True)]
    held_out = Point(sum(right)).evaluate(images)
    return CrossValidated(tuple(points), held_out, (1.0, 1.0), tuple(folds))  # type: ignore[arg-type]


def test_cross_validation_speaks_of_repeats_and_corrects_its_interval(
    shown: Shown,
) -> None:
    rounds = [cross_validated(3, 4), cross_validated(4, 5), cross_validated(3, 5)]
    study = CrossStudy("net", rounds, make_splits(), shown)
    found = study["valid_accuracy"]
    assert (found.over, found.count) == ("repeats", 3)
    assert found.mean == pytest.approx((7 + 9 + 8) / 36)
    folds = torch.tensor([3, 4, 4, 5, 3, 5]) / 6
    # Nadeau and Bengio: test over training images, here 1, is added to 1 / 6.
    half = 2.570582 * folds.std().item() * (1 / 6 + 1) ** 0.5
    assert found.ci95 == pytest.approx(half, rel=1e-5)
    kept = study.summaries()["valid_accuracy"]
    assert (kept["over"], kept["ci95"]) == ("repeats", found.ci95)
    assert study.judged_split == "held-out"
    # A fifth of the training images set aside: 1 / 0.8 test images for each.
    wider = CrossStudy("net", rounds, make_splits(), shown, watch=0.2)
    half = 2.570582 * folds.std().item() * (1 / 6 + 1.25) ** 0.5
    assert wider["valid_accuracy"].ci95 == pytest.approx(half, rel=1e-5)

    gap = study.difference("train_accuracy", "valid_accuracy")
    assert (gap.mean, gap.count) == (pytest.approx(1 - found.mean), 3)
    assert gap.ci95 == pytest.approx(found.ci95)

    own, other = [1.0, 2.0, 4.0], [1.0, 1.0, 1.0]  # seconds, one of each repeat
    plain = estimate([0.0, 1.0, 3.0], "seconds", "repeats")
    assert study.paired("train_seconds", own, other) == plain

    counts = iter([3, 4, 4, 5, 3, 5])
    many = study.per_epoch(lambda _: next(counts) / 6, "seconds")
    assert (many.over, many.count) == ("repeats", 3)
    assert many.ci95 == pytest.approx(found.ci95)


def test_names_of_files() -> None:
    assert file_name("+ weight decay", "curves") == "weight_decay_curves"
    assert file_name("p = 0.1", "classes") == "p_0_1_classes"
