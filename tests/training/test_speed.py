from __future__ import annotations

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException

from helpers.base.errors import TrainingError
from helpers.data.splits import Splits
from helpers.training import Experiment, Speed, TrainConfig, speed, time_training
from helpers.training.loop import TrainingRun

CONFIG = TrainConfig(epochs=1, batch_size=16, lr=0.01, device="cpu", precision="fp32")


def experiment(**settings: object) -> Experiment:
    return Experiment(
        "improved_cnn", TrainConfig(**(vars(CONFIG) | settings)), {"widths": (4, 8)}
    )


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> list[TrainConfig]:
    """The settings of every step that is taken, in order."""
    taken: list[TrainConfig] = []
    plain_step = TrainingRun.step

    def step(run: TrainingRun, images: torch.Tensor, labels: torch.Tensor) -> object:
        taken.append(run.config)
        return plain_step(run, images, labels)

    monkeypatch.setattr(TrainingRun, "step", step)
    return taken


def test_each_variant_has_its_turn_in_every_round(
    corners: Splits, stepped: list[TrainConfig]
) -> None:
    variants = {"last": experiment(), "first": experiment(channels_last=False)}
    # More steps than the schedule of one epoch has.
    random = torch.get_rng_state()
    speeds = time_training(variants, corners, steps=3, rounds=4)
    assert torch.equal(torch.get_rng_state(), random)
    turns = [config.channels_last for config in stepped]
    assert turns == [True] * 2 + [False] * 2 + ([True] * 3 + [False] * 3) * 4
    for measured in speeds.values():
        assert len(measured.rates) == 4
        assert min(measured.rates) > 0
        assert measured.start_seconds > 0


def test_a_long_turn_ends_with_the_step_that_it_is_at(
    corners: Splits, stepped: list[TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "LONGEST_TURN", 0.0)
    measured = time_training({"slow": experiment()}, corners, steps=50, rounds=2)[
        "slow"
    ]
    assert len(stepped) == 1 + 2  # before the first round, and in each
    assert len(measured.rates) == 2
    assert min(measured.rates) > 0


def test_a_speed_is_the_median_of_its_rounds() -> None:
    assert Speed(0.0, [20.0, 2.0, 60.0]).images_per_second == 20.0


def test_what_cannot_be_compiled_says_what_to_do(
    corners: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_model: object) -> object:
        def forward(_images: torch.Tensor) -> torch.Tensor:
            raise TorchDynamoException("No working C++ compiler\nmuch more")

        return forward

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(
        TrainingError,
        match=r"compiled: .* cannot be compiled here \(No working C\+\+ compiler\)\.",
    ):
        time_training({"compiled": experiment(compile=True)}, corners)


@pytest.mark.parametrize("channels_last", [True, False])
def test_images_lie_in_memory_as_they_are_asked_to(
    corners: Splits, channels_last: bool
) -> None:
    run = TrainingRun(
        experiment().build(corners, 0),
        corners,
        experiment(channels_last=channels_last).config,
        None,
    )
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for batches in (run.train_batches, run.watched["valid"]):
        images, _ = next(batches.epoch(0))
        assert images.is_contiguous(memory_format=layout)
    stem = next(
        module for module in run.model.modules() if isinstance(module, torch.nn.Conv2d)
    )
    assert stem.weight.is_contiguous(memory_format=layout)
