"""What makes an experiment fair, rule by rule: each fails where its rule is broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from helpers.data import Augment
from helpers.data.splits import Split, Splits
from helpers.models import ImprovedCNN
from helpers.training import (
    Experiment,
    TrainConfig,
    cross_validate,
    deal_folds,
    evaluate,
    fit,
    run_experiments,
)
from helpers.training.history import History
from helpers.training.loop import _make_mix

PLAIN = TrainConfig(epochs=2, batch_size=16, lr=0.05, precision="fp32")
STILL = replace(PLAIN, epochs=1, lr=1e-12, schedule="constant", weight_decay=0.0)


def trained(splits: Splits, config: TrainConfig) -> tuple[nn.Module, History]:
    torch.manual_seed(0)
    model = ImprovedCNN(4, widths=(4, 8))
    return model, fit(model, splits, config)


def judged(model: nn.Module, split: Split, splits: Splits) -> Any:
    mean, std = splits.channel_stats()
    return evaluate(model, split, mean=mean, std=std, precision="fp32")


def first_weights(model: nn.Module) -> Tensor:
    return next(model.parameters()).detach().clone()


def test_evaluation_data_is_never_augmented(corners: Splits) -> None:
    destroyed = Augment(erase=1.0, brightness=1.0, rotate=180)
    config = replace(PLAIN, augment=destroyed, watch_test=True)
    splits = replace(corners, test=corners.valid.subset(torch.arange(8)))
    model, history = trained(splits, config)
    for name in ("valid", "test"):
        found = judged(model, splits.parts[name], splits)
        assert history.rows[-1][f"{name}_loss"] == pytest.approx(found.loss)


def test_the_moving_average_is_what_is_judged_and_kept(corners: Splits) -> None:
    model, history = trained(corners, replace(PLAIN, ema=0.9))
    plain, _ = trained(corners, PLAIN)
    assert not torch.equal(first_weights(model), first_weights(plain))
    found = judged(model, corners.valid, corners)
    assert history.rows[-1]["valid_loss"] == pytest.approx(found.loss)


def test_a_plateau_is_one_of_the_validation_loss(corners: Splits) -> None:
    config = replace(
        PLAIN, epochs=6, lr=0.3, schedule="plateau", step_epochs=1, watch_test=True
    )
    wrong = replace(corners.valid, labels=corners.valid.labels.flip(0))
    splits = replace(corners, valid=wrong, test=corners.valid)  # others' losses fall
    _, history = trained(splits, config)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    schedule = ReduceLROnPlateau(optimizer, factor=config.step_factor, patience=1)
    for row in history.rows:
        assert row["lr"] == pytest.approx(optimizer.param_groups[0]["lr"])
        schedule.step(row["valid_loss"])
    assert optimizer.param_groups[0]["lr"] < 0.3


@pytest.mark.parametrize(
    "setting",
    [
        {"augment": Augment(flip=0.5)},
        {"clip_norm": 1e-3},
        {"l1": 0.1},
        {"weight_decay": 0.1},
        {"label_smoothing": 0.5},
        {"mixup": 0.5},
        {"cutmix": 0.5},
        {"momentum": 0.0},
        {"ema": 0.5},
        {"start_size": 8},
        {"warmup": 0.5},
        {"seed": 1},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_a_setting_makes_a_difference(corners: Splits, setting: dict[str, Any]) -> None:
    with_it, without = (
        first_weights(trained(corners, config)[0])
        for config in (replace(PLAIN, **setting), PLAIN)
    )
    assert not torch.equal(with_it, without)


def test_a_seed_is_one_of_the_weights_and_of_the_order(corners: Splits) -> None:
    built = [Experiment("improved_cnn", PLAIN).build(corners, seed) for seed in (0, 1)]
    assert not torch.equal(*map(first_weights, built))
    ordered = [trained(corners, replace(PLAIN, seed=seed))[0] for seed in (0, 1)]
    assert not torch.equal(*map(first_weights, ordered))  # from the same weights


def test_training_accuracy_is_counted_on_the_training_images(corners: Splits) -> None:
    learned, _ = trained(corners, replace(PLAIN, epochs=4, lr=0.3))
    history = fit(learned, corners, STILL)
    assert history.rows[0]["train_accuracy"] > 0.8
    flipped = corners.train.labels.flip(0)  # wrong for three of four
    wrong = replace(corners, train=replace(corners.train, labels=flipped))
    assert fit(learned, wrong, STILL).rows[0]["train_accuracy"] < 0.5


def test_a_fold_is_judged_by_the_network_that_has_not_seen_it(
    corners: Splits, tmp_path: Path
) -> None:
    rows = {"small": Experiment("improved_cnn", PLAIN, {"widths": (4, 8)})}
    [one] = cross_validate(rows, corners, folds=4, repeats=1, folder=tmp_path)["small"]
    folds = deal_folds(corners, folds=4, repeats=1)
    for fold, point, held_out, learned in zip(
        folds, one.points, one.folds, one.train_accuracy, strict=True
    ):
        own = point.evaluate(fold.held_out)
        assert torch.equal(held_out.probabilities, own.probabilities)
        assert torch.equal(one.held_out.probabilities[fold.places], own.probabilities)
        assert learned == point.evaluate(fold.splits.train).accuracy
        there = {image.numpy().tobytes() for image in fold.splits.train.images}
        assert not [i for i in fold.held_out.images if i.numpy().tobytes() in there]


def test_seeds_differ_from_the_same_first_weights_too(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Experiment.build
    monkeypatch.setattr(Experiment, "build", lambda one, data, _: build(one, data, 0))
    rows = {"small": Experiment("improved_cnn", PLAIN, {"widths": (4, 8)})}
    points = run_experiments(rows, corners, seeds=2, folder=tmp_path)["small"]
    assert not torch.equal(*(first_weights(point.model) for point in points))


def test_the_whole_gradient_is_clipped_to_its_norm(corners: Splits) -> None:
    config = replace(STILL, lr=1.0, clip_norm=1e-3, momentum=0.0)
    config = replace(config, batch_size=len(corners.train))  # one step
    model, _ = trained(corners, config)
    torch.manual_seed(0)
    first = ImprovedCNN(4, widths=(4, 8))
    pairs = zip(first.parameters(), model.parameters(), strict=True)
    step = torch.cat([(before - after).flatten() for before, after in pairs])
    assert step.norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_l1_makes_weights_smaller(corners: Splits) -> None:
    sums = [
        sum(p.abs().sum().item() for p in trained(corners, config)[0].parameters())
        for config in (replace(PLAIN, l1=0.01), PLAIN)
    ]
    assert sums[0] < sums[1]


def test_the_best_weights_are_those_of_the_moving_average(corners: Splits) -> None:
    config = replace(PLAIN, epochs=1, ema=0.5, keep_best=True)
    model, history = trained(corners, config)
    kept = history.best_weights or {}
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(kept[name], weight)


@pytest.mark.parametrize(("name", "values"), [("mixup", 1), ("cutmix", 2)])
def test_mixup_blends_and_cutmix_pastes(name: str, values: int) -> None:
    mix = _make_mix(replace(PLAIN, **{name: 1.0}))
    assert mix is not None
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 16, 16)
    torch.manual_seed(0)
    mixed, targets = mix(images, torch.eye(8))
    assert max(len(image.unique()) for image in mixed) == values
    torch.testing.assert_close(targets.sum(1), torch.ones(8))
    # What a target says of each image is how much of it is there.
    torch.testing.assert_close(mixed.mean((1, 2, 3)), targets @ torch.arange(8.0))
