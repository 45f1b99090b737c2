"""How fast several ways to train are on this machine, as ratios measured in one run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, count, islice
from statistics import median

import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

from helpers.base.errors import TrainingError
from helpers.data.splits import Splits
from helpers.training.experiments import Experiment
from helpers.training.launch import EAGER
from helpers.training.loop import TrainingRun

WARMUP = 2  # steps; the first compiles, and finds the fastest algorithms
# Seconds, after which a turn ends with its step: emulated bf16 takes a minute each.
LONGEST_TURN = 10.0


@dataclass
class Speed:
    """What one variant reached.

    Attributes:
        start_seconds: of the steps before the first round: mostly compilation.
        rates: images per second in each round.
    """

    start_seconds: float
    rates: list[float] = field(default_factory=list)

    @property
    def images_per_second(self) -> float:
        """Median over the rounds."""
        return median(self.rates)


def time_training(
    variants: Mapping[str, Experiment],
    splits: Splits,
    *,
    steps: int = 10,
    rounds: int = 5,
) -> dict[str, Speed]:
    """Times steps of ``fit``, without evaluation and at a constant learning rate.

    Args:
        variants: by name.
        splits: the data; only ``train`` is used.
        steps: timed steps of a variant in each round, or as many as it begins in
            ``LONGEST_TURN``.
        rounds: how often the variants take turns.

    Raises:
        TrainingError: a variant is to be compiled, and that does not work here.
    """
    running, speeds = {}, {}
    with torch.random.fork_rng():  # the caller's random numbers are kept
        for name, experiment in variants.items():
            config = replace(experiment.config, schedule="constant")
            model = experiment.build(splits, config.seed)
            run = TrainingRun(model, splits, config, None)
            endless = chain.from_iterable(map(run.train_batches.epoch, count()))
            running[name] = partial(_timed, run, endless)
            try:
                # On a GPU the one after the first few is captured.
                captures = EAGER if run.device.type == "cuda" else 0
                seconds, _ = running[name](captures + WARMUP)
            except TorchDynamoException as error:
                reason = str(error).strip().splitlines()[0]
                raise TrainingError(
                    f"{name}: the network cannot be compiled here ({reason}). "
                    "Compilation needs a C++ compiler on a CPU and Triton on a GPU: "
                    "install it, or leave compile out."
                ) from error
            speeds[name] = Speed(seconds)
        for _ in range(rounds):
            for name, speed in speeds.items():
                seconds, images = running[name](steps)
                speed.rates.append(images / seconds)
    return speeds


def _timed(
    run: TrainingRun, batches: Iterator[tuple[Tensor, Tensor]], steps: int
) -> tuple[float, int]:
    """Seconds that the steps take, and the images that they see."""
    run.model.train()
    _wait_for(run.device)
    started = time.perf_counter()
    seen = 0
    for images, labels in islice(batches, steps):
        run.step(images, labels)
        seen += len(labels)
        if time.perf_counter() - started > LONGEST_TURN:
            break
    _wait_for(run.device)
    return time.perf_counter() - started, seen


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
