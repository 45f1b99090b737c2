"""A problem that a network learns in a second."""

from __future__ import annotations

import pytest
import torch

from helpers.data.splits import Split, Splits
from helpers.training import loop
from helpers.training.loop import TrainingRun
from helpers.training.turns import Steps


def squares(count: int, seed: int) -> Split:
    """Noise with a bright square in one of four corners; the corner is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    images = torch.randint(
        0, 90, (count, 3, 16, 16), generator=generator, dtype=torch.uint8
    )
    for image, label in zip(images, labels.tolist(), strict=True):
        row, column = divmod(label, 2)
        image[:, 8 * row + 2 : 8 * row + 7, 8 * column + 2 : 8 * column + 7] += 120
    return Split(images, labels, tuple(f"{i}" for i in range(count)))


@pytest.fixture(autouse=True)
def checkpoints_after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU too."""
    monkeypatch.setattr(loop, "GPU_PAUSE", 0.0)


@pytest.fixture(scope="session")
def corners() -> Splits:
    """128 training and 32 validation images, 16×16, of four classes."""
    return Splits(
        "corners", "synthetic", ("a", "b", "c", "d"), squares(128, 0), squares(32, 1)
    )


def stop_before_epoch(number: int, patch: pytest.MonkeyPatch) -> None:
    """Interrupts training there, as Ctrl-C does."""
    plain = TrainingRun.one_epoch

    def one_epoch(run: TrainingRun) -> Steps[None]:
        if run.epoch + 1 == number:
            raise KeyboardInterrupt
        return plain(run)

    patch.setattr(TrainingRun, "one_epoch", one_epoch)
