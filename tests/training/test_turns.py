from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import starmap
from pathlib import Path

import pytest
import torch
from torch import Tensor

from helpers.data.splits import Splits
from helpers.training import Experiment, TrainConfig, experiments, run_experiments
from helpers.training.turns import Steps, run_alone, take_turns

CONFIG = TrainConfig(
    epochs=2, batch_size=16, lr=0.05, mixup=0.2, precision="fp32", device="cpu"
)
SMALL = Experiment("improved_cnn", CONFIG, {"widths": (4, 8), "dropout": 0.2})


def test_everyone_draws_what_it_would_draw_alone() -> None:
    order: list[int] = []

    def draw(seed: int) -> Steps[list[float]]:
        torch.manual_seed(seed)
        drawn = []
        for _ in range(4):
            order.append(seed)
            drawn.append(torch.rand(()).item())
            yield
        return drawn

    torch.manual_seed(9)
    expected, before = (
        [run_alone(draw, seed) for seed in range(4)],
        torch.get_rng_state(),
    )
    order.clear()
    assert take_turns(map(draw, range(4)), 3) == expected
    assert order == [0, 1, 2] * 4 + [3] * 4
    assert torch.equal(torch.get_rng_state(), before)


def test_an_error_in_one_ends_all() -> None:
    ended: list[int] = []

    def fails() -> Steps[None]:
        yield
        raise ValueError("broken")

    def goes_on(number: int) -> Steps[None]:
        try:
            while True:
                yield
        finally:
            ended.append(number)

    with pytest.raises(ValueError, match="broken"):
        take_turns([goes_on(0), fails(), goes_on(1), goes_on(2)], 3)
    assert sorted(ended) == [0, 1]  # what had begun


def test_points_that_take_turns_are_the_points_one_after_the_other(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"small": SMALL, "adam": replace(SMALL, config=replace(CONFIG, lr=0.02))}

    def weights(folder: str, jobs: int) -> list[Tensor]:
        found = run_experiments(
            rows, corners, seeds=2, folder=tmp_path / folder, jobs=jobs
        )
        points = [point for points in found.values() for point in points]
        return [point.model.state_dict()["fc.weight"] for point in points]

    alone = weights("alone", 1)
    steps: list[int] = []

    def counted(trainings: list[Steps[object]], jobs: int) -> list[object]:
        def counting(number: int, training: Steps[object]) -> Steps[object]:
            while True:
                try:
                    next(training)
                except StopIteration as end:
                    return end.value
                steps.append(number)
                yield

        return take_turns(starmap(counting, enumerate(trainings)), jobs)

    monkeypatch.setattr(experiments, "take_turns", counted)
    second = torch.device("cuda:1")
    used: list[torch.device | None] = []

    class Chosen(nullcontext[None]):
        def __init__(self, gpu: torch.device | None) -> None:
            super().__init__()
            used.append(gpu)

    monkeypatch.setattr(experiments, "_gpu_of", lambda _rows: second)
    monkeypatch.setattr(torch.cuda, "device", Chosen)
    together = weights("together", 4)
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    # Where streams are made; a GPU that is there is waited for, without a number.
    assert [gpu for gpu in used if gpu is not None] == [second]
    assert len(steps) == 4 * 2 * (8 + 1)  # of an epoch: its steps, and the evaluation
    assert steps != sorted(steps)  # nobody trains to the end at once
