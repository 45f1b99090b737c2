from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import pytest
from torch import nn

from helpers.base.errors import ConfigError
from helpers.models.stroke_net import StrokePool
from helpers.training.config import CHOICES, TrainConfig
from helpers.training.optimizers import Schedule, make_optimizer


def small_model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2)
    )


def rates(
    config: TrainConfig, steps_per_epoch: int, valid_losses: list[float]
) -> list[float]:
    """The learning rate of every step."""
    optimizer = make_optimizer(small_model(), config)
    schedule = Schedule(optimizer, config, steps_per_epoch)
    seen = []
    for loss in valid_losses:
        for _ in range(steps_per_epoch):
            seen.append(schedule.lr)
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch(loss)
    return seen


@pytest.mark.parametrize("name", CHOICES["optimizer"])
def test_every_optimizer_decays_weights_and_spares_biases_and_normalisation(
    name: str,
) -> None:
    optimizer = make_optimizer(
        small_model(), TrainConfig(optimizer=name, weight_decay=0.1)
    )
    decayed, spared = optimizer.param_groups
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert [p.ndim for p in spared["params"]] == [1, 1, 1, 1]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)


@pytest.mark.parametrize("schedule", CHOICES["schedule"])
def test_features_learn_at_a_rate_of_their_own(schedule: str) -> None:
    model = nn.Sequential(OrderedDict(features=nn.Linear(2, 2), head=nn.Linear(2, 2)))
    config = TrainConfig(
        epochs=4, lr=0.4, features_lr=0.1, schedule=schedule, weight_decay=0.1
    )
    optimizer = make_optimizer(model, config)
    moving = Schedule(optimizer, config, steps_per_epoch=5)
    for _ in range(3):
        head, _, features, biases = optimizer.param_groups
        assert [id(p) for p in (*features["params"], *biases["params"])] == [
            id(p) for p in model[0].parameters()
        ]
        assert (features["weight_decay"], biases["weight_decay"]) == (0.1, 0.0)
        assert moving.lr == head["lr"]
        assert features["lr"] == pytest.approx(0.1 * head["lr"])
        optimizer.step()
        moving.after_step()


def test_a_rate_for_features_that_do_not_learn_is_refused() -> None:
    with pytest.raises(ConfigError, match="no layers below `features` that learn"):
        make_optimizer(small_model(), TrainConfig(features_lr=0.1))


def test_one_cycle_rises_to_the_peak_and_falls_to_nothing() -> None:
    seen = rates(TrainConfig(epochs=4, lr=0.4, warmup=0.25), 10, [1.0] * 4)
    peak = seen.index(max(seen))
    # The peak falls between two steps.
    assert max(seen) == pytest.approx(0.4, rel=0.05)
    assert 8 <= peak <= 12
    assert seen[:peak] == sorted(seen[:peak])
    assert seen[-1] < 0.02


def test_cosine_warms_up_and_falls_to_nothing() -> None:
    seen = rates(
        TrainConfig(epochs=4, lr=0.4, schedule="cosine", warmup=0.1), 10, [1.0] * 4
    )
    assert seen.index(max(seen)) in (3, 4)
    assert seen[-1] < 0.01


def test_step_drops_after_so_many_epochs() -> None:
    seen = rates(
        TrainConfig(epochs=4, lr=1.0, schedule="step", step_epochs=2, step_factor=0.5),
        2,
        [1.0] * 4,
    )
    assert seen == [1.0] * 4 + [0.5] * 4


def test_plateau_drops_when_the_validation_loss_stands_still() -> None:
    config = TrainConfig(
        epochs=5, lr=1.0, schedule="plateau", step_epochs=1, step_factor=0.5
    )
    assert rates(config, 1, [3.0, 2.0, 2.0, 2.0, 1.0]) == [1.0, 1.0, 1.0, 1.0, 0.5]


def test_constant_stays() -> None:
    assert set(
        rates(TrainConfig(epochs=3, lr=0.2, schedule="constant"), 2, [1.0] * 3)
    ) == {0.2}


@pytest.mark.parametrize("name", CHOICES["schedule"])
def test_a_schedule_goes_on_where_its_state_was_taken(name: str) -> None:
    config = TrainConfig(epochs=6, schedule=name, step_epochs=1)
    optimizer = make_optimizer(small_model(), config)
    schedule = Schedule(optimizer, config, 2)
    for _ in range(3):
        optimizer.step()
        schedule.after_step()
    schedule.after_epoch(1.0)
    states = schedule.scheduler.state_dict(), optimizer.state_dict()
    again = make_optimizer(small_model(), config)
    resumed = Schedule(again, config, 2)
    resumed.scheduler.load_state_dict(states[0])
    again.load_state_dict(states[1])
    for loss in (2.0, 3.0):
        for one, other in ((optimizer, schedule), (again, resumed)):
            one.step()
            other.after_step()
            other.after_epoch(loss)
        assert resumed.lr == schedule.lr


@pytest.mark.parametrize("name", ["cosine", "one_cycle"])
@pytest.mark.parametrize("steps", range(1, 9))
def test_a_cycle_of_few_steps_rises_and_falls(name: str, steps: int) -> None:
    seen = rates(TrainConfig(epochs=1, lr=0.1, schedule=name), steps, [1.0])
    assert len(seen) == steps
    assert all(0 < rate <= 0.1 for rate in seen)
    assert steps < 2 or seen[0] < max(seen)
    assert steps < 3 or seen[-1] < max(seen)


def test_a_learned_pooling_is_no_weight_to_decay() -> None:
    model = StrokePool(4, "max", blur=True)
    assert model.weights is not None
    assert model.weights.ndim == 2
    decayed, spared = make_optimizer(
        nn.Sequential(model, nn.Linear(4, 2)), TrainConfig(weight_decay=0.1)
    ).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(2, 4)]
    assert [tuple(p.shape) for p in spared["params"]] == [(4, 3), (2,)]


def test_one_cycle_falls_along_a_line_and_cosine_along_its_curve() -> None:
    for name, is_line in (("one_cycle", True), ("cosine", False)):
        config = TrainConfig(epochs=4, lr=0.4, warmup=0.25, schedule=name)
        falling = rates(config, 10, [1.0] * 4)[12:]
        drops = [before - after for before, after in pairwise(falling)]
        assert (max(drops) - min(drops) < 1e-6) == is_line


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_momentum_is_nesterovs_and_rmsprops_too(momentum: float) -> None:
    config = TrainConfig(optimizer="sgd", momentum=momentum)
    sgd = make_optimizer(small_model(), config).defaults
    assert (sgd["momentum"], sgd["nesterov"]) == (momentum, momentum > 0)
    config = TrainConfig(optimizer="rmsprop", momentum=momentum)
    assert make_optimizer(small_model(), config).defaults["momentum"] == momentum
