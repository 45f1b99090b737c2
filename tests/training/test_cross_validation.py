from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.base.errors import ConfigError
from helpers.data.splits import Splits
from helpers.training import (
    Experiment,
    TrainConfig,
    cross_validate,
    deal_folds,
)
from helpers.training.cross_validation import pool

CONFIG = TrainConfig(epochs=8, batch_size=16, lr=0.1, precision="fp32")
NETS = {
    "small": Experiment("improved_cnn", CONFIG, {"widths": (4, 8)}),
    "untrained": Experiment(
        "improved_cnn", replace(CONFIG, epochs=1, lr=1e-9), {"widths": (4, 8)}
    ),
}


def test_every_image_is_judged_once_by_a_network_that_has_not_seen_it(
    corners: Splits, tmp_path: Path
) -> None:
    found = cross_validate(NETS, corners, folds=4, repeats=2, folder=tmp_path)
    pooled = pool(corners)
    for rounds in found.values():
        assert len(rounds) == 2
        for one in rounds:
            assert len(one.points) == 4
            assert torch.equal(one.held_out.labels, pooled.labels)
            assert one.held_out.probabilities.sum(1).allclose(torch.ones(len(pooled)))
    trained, untrained = ([one.held_out for one in found[name]] for name in NETS)
    assert min(one.accuracy for one in trained) > 0.9
    assert max(one.accuracy for one in untrained) < 0.9
    losses = [point.evaluate(pooled).loss for point in found["small"][0].points]
    assert min(losses) <= trained[0].loss <= 2 * max(losses)


def test_finished_folds_are_kept(
    corners: Splits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"small": replace(NETS["small"], config=replace(CONFIG, epochs=1))}
    first = cross_validate(small, corners, folds=2, repeats=1, folder=tmp_path)[
        "small"
    ][0]
    capsys.readouterr()
    again = cross_validate(small, corners, folds=2, repeats=2, folder=tmp_path)["small"]
    assert capsys.readouterr().out.count("trained before") == 2
    assert torch.equal(again[0].held_out.probabilities, first.held_out.probabilities)
    assert not torch.equal(
        again[1].held_out.probabilities, first.held_out.probabilities
    )


def test_what_is_watched_is_neither_learned_from_nor_held_out(corners: Splits) -> None:
    pooled = pool(corners)
    for fold in deal_folds(corners, folds=4, repeats=2, watch=0.2):
        parts = (fold.splits.train, fold.splits.valid, fold.held_out)
        assert [len(part) for part in parts] == [96, 24, 40]
        assert [torch.bincount(part.labels).tolist() for part in parts] == [
            [24] * 4,
            [6] * 4,
            [10] * 4,
        ]
        assert len(
            {image.numpy().tobytes() for part in parts for image in part.images}
        ) == len(pooled)
        assert torch.equal(pooled.images[fold.places], fold.held_out.images)


def test_early_stopping_chooses_on_what_is_watched(
    corners: Splits, tmp_path: Path
) -> None:
    patient = {
        "patient": replace(NETS["small"], config=replace(CONFIG, epochs=30, patience=1))
    }
    one = cross_validate(
        patient, corners, folds=2, repeats=1, watch=0.2, folder=tmp_path
    )["patient"][0]
    for point, fold in zip(
        one.points, deal_folds(corners, folds=2, repeats=1, watch=0.2), strict=True
    ):
        assert len(point.history) < 30
        best = max(row["valid_accuracy"] for row in point.history.rows)
        assert point.evaluate(fold.splits.valid).accuracy == pytest.approx(best)


@pytest.mark.parametrize(
    "setting", [{"patience": 2}, {"keep_best": True}, {"schedule": "plateau"}]
)
def test_choosing_on_the_fold_that_judges_is_refused(
    corners: Splits, tmp_path: Path, setting: dict[str, Any]
) -> None:
    peeking = {"peeking": replace(NETS["small"], config=replace(CONFIG, **setting))}
    with pytest.raises(
        ConfigError, match=r"'peeking' looks at validation .* as watch, say 0\.2"
    ):
        cross_validate(peeking, corners, folds=2, repeats=1, folder=tmp_path)


def test_each_fold_watches_other_images(corners: Splits) -> None:
    pooled, learned = pool(corners), Counter[bytes]()
    for fold in deal_folds(corners, folds=4, repeats=5, watch=0.2):
        learned.update(image.numpy().tobytes() for image in fold.splits.train.images)
    # 3 of 4 folds hold an image, of which 4 in 5 teach it: 12 of 20, give or take 2.
    assert len(learned) == len(pooled)
    assert 6 <= min(learned.values()) <= max(learned.values()) <= 15


@pytest.mark.parametrize("watch", [-0.1, 0.01, 0.999, 1.0, 1, 20])
def test_a_share_to_watch_that_is_none_is_refused(
    corners: Splits, watch: float
) -> None:
    with pytest.raises(ConfigError, match=f"watch is {watch} .* Expected a share"):
        deal_folds(corners, folds=2, repeats=1, watch=watch)


def test_no_repeats_are_refused(corners: Splits) -> None:
    with pytest.raises(ConfigError, match="repeats is 0: expected at least 1"):
        deal_folds(corners, folds=2, repeats=0)


@pytest.mark.parametrize("folds", [1, 41])
def test_folds_that_cannot_be_dealt_are_refused(
    corners: Splits, tmp_path: Path, folds: int
) -> None:
    with pytest.raises(ConfigError, match=f"{folds} folds: expected 2 to 40"):
        cross_validate(NETS, corners, folds=folds, repeats=1, folder=tmp_path)
