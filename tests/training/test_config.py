from __future__ import annotations

import math
from dataclasses import asdict, replace

import pytest

from helpers.base.errors import ConfigError
from helpers.data import Augment
from helpers.training import TrainConfig
from helpers.training.config import changed
from helpers.training.loop import VERSION, image_size


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"optimizer": "adamax"}, "one of .*sgd.*adam.*adamw.*rmsprop.* is 'adamax'"),
        ({"schedule": "linear"}, "one of .*constant.*step.*cosine.*one_cycle.*plateau"),
        ({"precision": "fp8"}, "one of .*auto.*fp32.*bf16"),
        ({"epochs": 0}, "bigger than or equal to 1, but is 0"),
        ({"epochs": 2.5}, "must be a whole number"),
        ({"batch_size": 20.0}, "must be a whole number, not 20.0"),
        ({"step_factor": 1.0}, "smaller than 1"),
        ({"keep_best": "no"}, "must be boolean"),
        ({"seed": "0"}, "must be integer"),
        ({"device": 0}, "must be string"),
        ({"augment": {"flip": 0.5}}, "expected an Augment"),
        ({"lr": 0.0}, "bigger than 0"),
        ({"lr": 1e308}, "smaller than 1e"),
        ({"lr": math.nan}, "lr must be a finite number, not nan"),
        ({"lr": None}, "must be number"),
        ({"weight_decay": -1e-4}, "bigger than or equal to 0"),
        ({"label_smoothing": 1.0}, "smaller than 1"),
        ({"warmup": 1.0}, "smaller than 1"),
        ({"clip_norm": 0.0}, "bigger than 0"),
        ({"ema": 1.0}, "smaller than 1"),
        ({"patience": 0}, "bigger than or equal to 1"),
        ({"start_size": 4}, "bigger than or equal to 8"),
        ({"start_size": 20}, "multiple of 8"),
        ({"head_weights": {"angle": 0.0}}, "head_weights.angle must be bigger than 0"),
        ({"head_weights": {"angle": math.nan}}, "head_weights.angle must be a finite"),
        ({"head_weights": "taught"}, "must match pattern .*learned"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(
    setting: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        TrainConfig(**setting)  # type: ignore[arg-type]
    assert next(iter(setting)) in str(error.value)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        TrainConfig().lr = 1.0  # type: ignore[misc]


def test_images_grow_evenly_to_full_size() -> None:
    config = TrainConfig(epochs=9, start_size=32)
    sizes = [image_size(config, epoch, 64) for epoch in range(9)]
    assert sizes[0] == 32
    assert sizes[-1] == 64
    assert sizes == sorted(sizes)
    assert all(size % 8 == 0 for size in sizes)
    assert image_size(TrainConfig(epochs=9), 0, 64) == 64
    assert image_size(replace(config, start_size=24), 8, 50) == 50


def test_a_run_is_known_by_the_settings_that_are_not_at_their_defaults() -> None:
    assert changed(TrainConfig()) == {}
    settings = TrainConfig(
        optimizer="adam",
        lr=0.1,
        head_weights={"a": 2.0},
        augment=Augment(flip=0.5, crop=0),
    )
    assert changed(settings) == {
        "optimizer": "adam",
        "head_weights": {"a": 2.0},
        "augment": {"flip": 0.5},
    }


def test_defaults_stay_or_the_version_of_the_loop_is_raised() -> None:
    """A kept point is known by what differs from the defaults: another default would
    give it another meaning.
    """
    pinned = {
        "epochs": 30,
        "batch_size": 128,
        "optimizer": "sgd",
        "lr": 0.1,
        "features_lr": 1.0,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "one_cycle",
        "warmup": 0.25,
        "step_epochs": 10,
        "step_factor": 0.1,
        "loss": "cross_entropy",
        "seed": 0,
        "precision": "auto",
        "device": "auto",
        "augment": {"padding": "reflection"},
    }
    defaults = asdict(TrainConfig())
    defaults["augment"] = {
        name: value for name, value in defaults["augment"].items() if value != 0
    }
    assert {
        name: value for name, value in defaults.items() if value or name in pinned
    } == pinned
    assert VERSION == 2
