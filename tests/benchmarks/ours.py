"""This library's training loop, and the limit that its data work is held against."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from contender import (
    BATCH_SIZE,
    CLASSES,
    IMAGE_SIZE,
    ROTATE,
    SCALE,
    SGD,
    TRANSLATE,
    Task,
    Window,
)
from torch import Tensor

from helpers.data import Augment, load_data
from helpers.training import TrainConfig
from helpers.training.device import choose_arithmetic, choose_device
from helpers.training.loop import TrainingRun
from helpers.training.optimizers import make_optimizer


class _TimeOverError(Exception):
    """Leaves the loop in mid-epoch."""


def ours(task: Task) -> tuple[str, Callable[[Window], None]]:
    """What ``fit`` does, all of it: the loop itself runs, and is only counted."""
    data = load_data("caltech101", source=task.source)
    run = TrainingRun(task.make_model(), data, _config(task), None)
    step = run.step

    def train(window: Window) -> None:
        def counted(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            result = step(images, labels)
            if window.step():
                raise _TimeOverError
            return result

        run.step = counted
        try:
            while True:
                run._learn()
        except _TimeOverError:
            pass

    return _name(run.arithmetic.dtype), train


def limit(task: Task) -> tuple[str, Callable[[Window], None]]:
    """The same model, precision, layout, optimizer and allocator on one batch that
    never changes.
    """
    config = _config(task)
    device = choose_device(task.device)
    arithmetic = choose_arithmetic(device, config.precision)
    model = task.make_model().to(device).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, config)
    images = torch.randn(BATCH_SIZE, 3, IMAGE_SIZE, IMAGE_SIZE, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (BATCH_SIZE,), device=device)

    def train(window: Window) -> None:
        while True:
            with arithmetic.in_use():
                logits = model(images)
            loss = F.cross_entropy(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if window.step():
                return

    return _name(arithmetic.dtype), train


def _config(task: Task) -> TrainConfig:
    return TrainConfig(
        epochs=10_000,  # more than any benchmark lasts
        batch_size=BATCH_SIZE,
        lr=SGD["lr"],
        momentum=SGD["momentum"],
        weight_decay=SGD["weight_decay"],
        augment=Augment(flip=0.5, rotate=ROTATE, scale=SCALE, translate=TRANSLATE),
        precision=task.precision,
        device=task.device,
    )


def _name(dtype: torch.dtype) -> str:
    return "fp32" if dtype == torch.float32 else "bf16"
