"""What a training step of ConvNet takes on a GPU, and what several at once bring.

    python tests/benchmarks/steps.py

The images are random numbers: how fast a step is does not depend on what they show.
README.md beside this file has what was measured.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import click
import torch
import torch.nn.functional as F
from contender import CIFAR
from ours import endless
from torch import Tensor, nn

from helpers.base.environment import commit
from helpers.data.splits import Split, Splits
from helpers.models import create_model
from helpers.training import TrainConfig
from helpers.training.device import choose_device
from helpers.training.launch import OneLaunch
from helpers.training.loop import TrainingRun
from helpers.training.turns import Steps, take_turns

SMALL = {"hidden_sizes": (8, 8, 8, 8, 8)}
WARM = 8  # steps: more than are run before a capture


class _Halve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        halved, places = F.max_pool2d(maps, 2, return_indices=True)
        ctx.save_for_backward(places)
        ctx.width = maps.shape[-1]
        return halved

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        places, gradient = (
            one[:, :, :, None, :, None] for one in (*ctx.saved_tensors, *gradients)
        )
        two = torch.arange(2, device=places.device)
        column, row = places % 2 == two, places // ctx.width % 2 == two[:, None, None]
        return torch.where(row & column, gradient, 0).flatten(4).flatten(2, 3)


class Halving(nn.Module):
    """Max pooling to half the size, whose gradient is chosen where it is used: that of
    PyTorch's own, once compiled, is added up in memory. Of even sides only.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, H, W) to (B, C, H / 2, W / 2)."""
        halved: Tensor = _Halve.apply(maps)
        return halved


class Probe:
    """ConvNet with batch normalisation, trained for a while in several ways."""

    def __init__(self, device: str, *, quick: bool) -> None:
        self.device, self.quick = choose_device(device), quick
        train, valid = (400, 200) if quick else (45_000, 5_000)
        names = tuple(str(label) for label in range(CIFAR.classes))
        splits = _random_split(train), _random_split(valid)
        self.splits = Splits("cifar10", "synthetic", names, *splits)
        self.config = TrainConfig(
            epochs=10_000,
            batch_size=CIFAR.batch_size,
            lr=1e-3,
            augment=CIFAR.augment,
            device=device,
        )
        self.network = dict(CIFAR.network) | (SMALL if quick else {})

    def make(
        self,
        *,
        seed: int = 0,
        dropout: float = 0.0,
        halving: bool = False,
        **settings: Any,
    ) -> TrainingRun:
        """A training that has not begun."""
        config = replace(self.config, seed=seed, **settings)
        torch.manual_seed(seed)
        network = create_model(
            "conv_net", num_classes=CIFAR.classes, dropout=dropout, **self.network
        )
        for name, _ in network.features.named_children() if halving else ():
            if name.startswith("pool"):
                network.features.set_submodule(name, Halving())
        return TrainingRun(network, self.splits, config, None)

    def rate(self, *runs: TrainingRun) -> float:
        """Images per second of all of them side by side, in mid-epoch."""
        steps = (4 if self.quick else 1500) // len(runs)
        self._turns(runs, lambda run: _steps(run, WARM))
        seconds = self._turns(runs, lambda run: _steps(run, steps))
        return steps * sum(run.config.batch_size for run in runs) / seconds

    def epochs(self, runs: list[TrainingRun]) -> float:
        """Images per second of whole epochs, validation included."""
        self._turns(runs, TrainingRun.one_epoch)  # with the first evaluation
        seconds = self._turns(runs, _two_epochs)
        return 2 * len(runs) * len(self.splits.train) / seconds

    def launch(self, part: Any) -> str:
        """Milliseconds that a part's graph takes."""
        self._wait()
        started = time.perf_counter()
        for _ in range(200):
            part._graph.replay()
        self._wait()
        return f"{(time.perf_counter() - started) * 5:.2f} ms"

    def _turns(
        self, runs: Sequence[TrainingRun], steps: Callable[[TrainingRun], Steps[None]]
    ) -> float:
        gc.collect()  # a graph that goes during a capture breaks it off
        for run in runs:
            run.model.train()
        self._wait()
        started = time.perf_counter()
        take_turns([steps(run) for run in runs], len(runs))
        self._wait()
        return time.perf_counter() - started

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def _random_split(count: int) -> Split:
    images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(CIFAR.classes, (count,))
    return Split(images, labels, tuple(map(str, range(count))))


def _steps(run: TrainingRun, count: int) -> Steps[None]:
    for _ in islice(endless(run), count):
        yield


def _two_epochs(run: TrainingRun) -> Steps[None]:
    for _ in range(2):
        yield from run.one_epoch()


def measure(probe: Probe) -> Iterator[tuple[str, str]]:
    """What was timed, and how it went."""
    run = probe.make()
    started = time.perf_counter()
    probe.rate(run)
    yield "compiling, and 1,500 steps", f"{time.perf_counter() - started:.0f} s"
    yield "one training", _rate(probe.rate(run))
    captured = isinstance(run.update, OneLaunch)  # on a GPU
    if captured:
        yield "– its launch", probe.launch(run.update)
        draws = OneLaunch(run._take, run.optimizer, run.train_batches.generator)
        chosen = torch.arange(run.config.batch_size, device=probe.device)
        for _ in range(WARM):
            draws(chosen, size=32)
        yield "– of it, drawing a batch", probe.launch(draws)
    variants: dict[str, dict[str, Any]] = {
        "Adam": {"optimizer": "adam"},
        "moving average": {"ema": 0.99},
        "dropout of 0.3": {"dropout": 0.3},
        "pooling's gradient chosen where it is used": {"halving": True},
    }
    for name, settings in variants.items() if captured else ():
        run = probe.make(**settings)
        probe.rate(run)
        yield f"– the same, {name}", probe.launch(run.update)
    for jobs in (2,) if probe.quick else (2, 3, 4, 6, 8):
        runs = [probe.make(seed=seed) for seed in range(jobs)]
        yield f"{jobs} trainings side by side", _rate(probe.rate(*runs))
    runs = [probe.make(seed=seed, halving=True) for seed in range(2 + 2 * captured)]
    what = f"{len(runs)} side by side, that gradient chosen where it is used"
    yield what, _rate(probe.rate(*runs))
    for jobs in (1, 2) if probe.quick else (1, 4):
        runs = [probe.make(seed=seed) for seed in range(jobs)]
        yield f"whole epochs, {jobs} at a time", _rate(probe.epochs(runs))
    if captured:  # last: another shape makes all that is compiled after it slower
        run = probe.make(batch_size=1000)
        probe.rate(run)
        yield "– one launch, batches of 1,000", probe.launch(run.update)


def _rate(images: float) -> str:
    return f"{images:,.0f} images/s"


@click.command()
@click.option("--device", default="cuda", show_default=True)
@click.option("--quick", is_flag=True, help="Few steps of a small network.")
def main(*, device: str, quick: bool) -> None:
    """Prints a line of a Markdown table for each measurement, as it is made."""
    click.echo("| | |\n| --- | ---: |")
    for what, how in measure(Probe(device, quick=quick)):
        click.echo(f"| {what} | {how} |")
    where = torch.cuda.get_device_name() if device.startswith("cuda") else "CPU"
    click.echo(f"\n{where}, torch {torch.__version__}, commit {commit() or 'unknown'}")


if __name__ == "__main__":
    main()
