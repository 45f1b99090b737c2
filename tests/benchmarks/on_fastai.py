"""fastai with its own data block and its augmentation of whole batches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from contender import BATCH_SIZE, ROTATE, SCALE, SGD, TRANSLATE, Task, Window
from fastai.vision.all import (
    AffineCoordTfm,
    Callback,
    CancelFitException,
    CancelValidException,
    CrossEntropyLossFlat,
    ImageDataLoaders,
    Learner,
    Normalize,
    OptimWrapper,
    affine_mat,
    aug_transforms,
    imagenet_stats,
)
from torch import Tensor


def shift(images: Tensor) -> Tensor:
    """Random translations as matrices (B, 3, 3); fastai composes them with its own into
    one resampling.
    """
    one, zero = (images.new_full((len(images),), value) for value in (1.0, 0.0))
    x, y = (
        images.new_empty(len(images)).uniform_(-2 * TRANSLATE, 2 * TRANSLATE)
        for _ in range(2)
    )
    return affine_mat(one, zero, x, zero, one, y)


def make_loaders(task: Task) -> ImageDataLoaders:
    """Caltech-101; fastai knows every transformation but the shift."""
    augmentation = aug_transforms(
        max_rotate=ROTATE,
        min_zoom=1 / (1 + SCALE),
        max_zoom=1 + SCALE,
        max_lighting=0,
        max_warp=0,
        p_affine=1.0,
        xtra_tfms=[AffineCoordTfm(aff_fs=shift)],
    )
    return ImageDataLoaders.from_folder(
        task.folder,
        bs=BATCH_SIZE,
        num_workers=task.workers,
        device=torch.device(task.device),
        batch_tfms=[*augmentation, Normalize.from_stats(*imagenet_stats)],
    )


class Timed(Callback):
    """Counts the steps and stops when the time is over; validation, which nobody is
    timed at, is left out.
    """

    order = 100  # after all others

    def __init__(self, window: Window) -> None:
        self.window = window

    def after_batch(self) -> None:
        if self.window.step():
            raise CancelFitException

    def before_validate(self) -> None:
        raise CancelValidException


class Bf16OnCpu(Callback):
    """What ``Learner.to_bf16`` does, which knows GPUs only."""

    def before_batch(self) -> None:
        self.autocast = torch.autocast("cpu", dtype=torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self) -> None:
        self.learn.pred = self.pred.float()

    def after_loss(self) -> None:
        self.autocast.__exit__(None, None, None)


def fastai(task: Task) -> tuple[str, Callable[[Window], None]]:
    """A Learner without its progress bar."""
    learner = Learner(
        make_loaders(task),
        task.make_model(),
        loss_func=CrossEntropyLossFlat(),
        opt_func=partial(
            OptimWrapper,
            opt=torch.optim.SGD,
            **{k: v for k, v in SGD.items() if k != "lr"},
        ),
        lr=SGD["lr"],
    )
    if task.precision == "bf16":
        learner = (
            learner.add_cb(Bf16OnCpu()) if task.device == "cpu" else learner.to_bf16()
        )

    def train(window: Window) -> None:
        with learner.no_bar(), learner.no_logging():
            learner.fit(10_000, cbs=Timed(window))

    return task.precision, train
