from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from helpers.data.splits import Splits
from helpers.training import Experiment, TrainConfig, experiments, run_experiments
from helpers.training.turns import take_turns

Pause = Callable[[], None]
CONFIG = TrainConfig(epochs=2, batch_size=16, lr=0.05, mixup=0.2, precision="fp32")
SMALL = Experiment("improved_cnn", CONFIG, {"widths": (4, 8), "dropout": 0.2})


def test_everyone_draws_what_it_would_draw_alone() -> None:
    order: list[int] = []

    def drawing(seed: int) -> Callable[[Pause], list[float]]:
        def draw(pause: Pause) -> list[float]:
            torch.manual_seed(seed)
            drawn = []
            for _ in range(4):
                order.append(seed)
                drawn.append(torch.rand(()).item())
                pause()
            return drawn

        return draw

    calls = [drawing(seed) for seed in range(4)]
    torch.manual_seed(9)
    expected, before = [call(lambda: None) for call in calls], torch.get_rng_state()
    order.clear()
    assert take_turns(calls, 3) == expected
    assert sorted(order) == sorted(list(range(4)) * 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_error_in_one_ends_all() -> None:
    def fails(pause: Pause) -> None:
        pause()
        raise ValueError("broken")

    def goes_on(pause: Pause) -> None:
        while True:
            pause()

    with pytest.raises(ValueError, match="broken"):
        take_turns([goes_on, fails, goes_on, goes_on], 3)


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

    def counted(calls: list[Callable[[Pause], object]], jobs: int) -> list[object]:
        def counting(call: Callable[[Pause], object], number: int) -> object:
            def step(pause: Pause) -> None:
                steps.append(number)
                pause()

            return lambda pause: call(lambda: step(pause))

        return take_turns([counting(call, i) for i, call in enumerate(calls)], jobs)

    monkeypatch.setattr(experiments, "take_turns", counted)
    monkeypatch.setattr(experiments, "_shares_a_gpu", lambda _rows: True)
    together = weights("together", 4)
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    assert len(steps) == 4 * 2 * 8
    assert steps != sorted(steps)  # nobody trains to the end at once
