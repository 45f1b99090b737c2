"""This library's training loop, and the limit that its data work is held against."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import torch
import torch.nn.functional as F
from contender import SGD, Task, Window
from torch import Tensor

from helpers.data import load_data
from helpers.training import TrainConfig
from helpers.training.device import choose_arithmetic, choose_device
from helpers.training.launch import OneLaunch, compiled
from helpers.training.loop import TrainingRun
from helpers.training.optimizers import make_optimizer
from helpers.training.turns import Steps, take_turns


class _TimeOverError(Exception):
    """Ends all trainings in mid-epoch."""


def endless(run: TrainingRun) -> Steps[None]:
    """The first epoch's steps, over and over."""
    while True:
        run._read(*(yield from run._learn()))


def ours(task: Task) -> tuple[str, Callable[[Window], None]]:
    """What ``fit`` does, all of it: the loop itself runs, and is only counted."""
    data = load_data(task.problem.data, source=task.source)
    run = TrainingRun(task.make_model(), data, _config(task), None)

    def train(window: Window) -> None:
        for _ in endless(run):
            if window.step():
                return

    return _name(run.arithmetic.dtype), train


def sweep(task: Task) -> tuple[str, Callable[[Window], None]]:
    """Several seeds side by side on a GPU, as ``run_experiments`` trains them."""
    data = load_data(task.problem.data, source=task.source)
    runs = [
        TrainingRun(task.make_model(), data, replace(_config(task), seed=seed), None)
        for seed in range(task.jobs)
    ]

    def train(window: Window) -> None:
        window.warmup *= task.jobs  # it counts the steps of all

        def counted(run: TrainingRun) -> Steps[None]:
            for _ in endless(run):
                if window.step():
                    raise _TimeOverError
                yield

        with suppress(_TimeOverError):
            take_turns([counted(run) for run in runs], task.jobs)

    return _name(runs[0].arithmetic.dtype), train


def limit(task: Task) -> tuple[str, Callable[[Window], None]]:
    """The same model, precision, layout, optimizer and allocator on one batch that
    never changes; on a GPU, compiled and in one launch likewise.
    """
    config, problem = _config(task), task.problem
    device = choose_device(task.device)
    arithmetic = choose_arithmetic(device, config.precision)
    model = task.make_model().to(device).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, config)
    forward = compiled(model) if device.type == "cuda" else model
    shape = problem.batch_size, 3, problem.image_size, problem.image_size
    images = torch.randn(shape, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(problem.classes, shape[:1], device=device)

    def plain(images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        with arithmetic.in_use():
            logits = forward(images)
        loss = F.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return (loss.detach(),)

    on_gpu = device.type == "cuda"
    drawn = torch.Generator(device)
    step = OneLaunch(plain, optimizer, drawn) if on_gpu else plain

    def train(window: Window) -> None:
        while True:
            step(images, labels)
            if window.step():
                return

    return _name(arithmetic.dtype), train


def _config(task: Task) -> TrainConfig:
    return TrainConfig(
        epochs=10_000,  # more than any benchmark lasts
        batch_size=task.problem.batch_size,
        lr=SGD["lr"],
        momentum=SGD["momentum"],
        weight_decay=SGD["weight_decay"],
        augment=task.problem.augment,
        precision=task.precision,
        device=task.device,
    )


def _name(dtype: torch.dtype) -> str:
    return "fp32" if dtype == torch.float32 else "bf16"
