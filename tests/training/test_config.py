from __future__ import annotations

import pytest

from helpers.base.errors import ConfigError
from helpers.training import Augment, TrainConfig


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"optimizer": "adamax"}, "known are sgd, adam, adamw, rmsprop"),
        ({"schedule": "linear"}, "known are constant, step, cosine, one_cycle, plateau"),
        ({"precision": "fp8"}, "known are auto, fp32, bf16"),
        ({"keep": "first"}, "known are last, best"),
        ({"epochs": 0}, "at least 1"),
        ({"lr": 0.0}, "more than 0"),
        ({"weight_decay": -1e-4}, "at least 0"),
        ({"label_smoothing": 1.0}, "less than 1"),
        ({"warmup": 1.0}, "between 0 and 1"),
        ({"clip_norm": 0.0}, "more than 0"),
        ({"ema": 1.0}, "between 0 and 1"),
        ({"patience": 0}, "at least 1"),
        ({"start_size": 4}, "at least 8"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        TrainConfig(**setting)  # type: ignore[arg-type]
    assert next(iter(setting)) in str(error.value)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        TrainConfig().lr = 1.0  # type: ignore[misc]


def test_images_grow_evenly_to_full_size() -> None:
    config = TrainConfig(epochs=9, start_size=32)
    sizes = [config.image_size(epoch, 64) for epoch in range(9)]
    assert sizes[0] == 32
    assert sizes[-1] == 64
    assert sizes == sorted(sizes)
    assert all(size % 8 == 0 for size in sizes)
    assert TrainConfig(epochs=9).image_size(0, 64) == 64


def test_settings_survive_the_way_into_a_file() -> None:
    settings = TrainConfig(augment=Augment(flip=0.5)).to_dict()
    assert settings["augment"]["flip"] == 0.5
    assert settings["optimizer"] == "sgd"
