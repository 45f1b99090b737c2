"""How good a network is on a split, images as they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.metrics import precision_recall_fscore_support
from torch import Tensor, nn

from helpers.data.batches import Batches
from helpers.data.splits import Split
from helpers.models.heads import class_logits, factor_labels, marginals
from helpers.training.device import Arithmetic, choose_arithmetic

GPU_VALUES = 3 * 2**22  # in the images of one forward pass


@dataclass(frozen=True)
class Evaluation:
    """Predictions on a split, and what follows from them; all on the CPU.

    Attributes:
        probabilities: (N, K), float32.
        labels: true classes, ``int64`` (N,).
        loss: mean cross-entropy, in nats, without label smoothing.
    """

    probabilities: Tensor
    labels: Tensor
    loss: float

    @property
    def predictions(self) -> Tensor:
        """The most likely class of each image, ``int64`` (N,)."""
        return self.probabilities.argmax(1)

    @property
    def accuracy(self) -> float:
        """Share of images whose class is predicted."""
        return (self.predictions == self.labels).double().mean().item()

    @property
    def per_class_accuracy(self) -> Tensor:
        """Recall of each class (K,), 0–1; NaN for a class without images."""
        return torch.from_numpy(self._scores[1])

    @property
    def per_class_f1(self) -> Tensor:
        """F1 of each class (K,), 0–1; NaN for one neither present nor predicted."""
        return torch.from_numpy(self._scores[2])

    @property
    def f1_macro(self) -> float:
        """Mean over classes of their F1."""
        return self.per_class_f1.nanmean().item()

    @property
    def mean_class_accuracy(self) -> float:
        """Mean over classes of their accuracy, however many images each has."""
        return self.per_class_accuracy.nanmean().item()

    def scores(self, classes: Sequence[str]) -> pd.DataFrame:
        """Precision, recall and F-score (0–1) of each class, and its images, by row."""
        names = ("precision", "recall", "F-score", "images")
        columns = dict(zip(names, self._scores, strict=True))
        return pd.DataFrame({"class": list(classes), **columns})

    def by_factor(self, factors: Mapping[str, Sequence[str]]) -> dict[str, Evaluation]:
        """The same predictions judged on each of the ``factors`` of ``Splits`` that the
        classes combine.
        """
        own = factor_labels(self.labels, factors)
        judged = {}
        for name, table in marginals(self.probabilities, factors).items():
            # Sums round: to zero, or above 1.
            logs = table.clamp(torch.finfo(torch.float32).tiny, 1).log()
            loss = F.nll_loss(logs, own[name]).item()
            judged[name] = Evaluation(table, own[name], loss)
        return judged

    @cached_property
    def _scores(self) -> Any:
        """By class (K,): precision, recall, F1, images."""
        classes = range(self.probabilities.shape[1])
        return precision_recall_fscore_support(
            self.labels, self.predictions, labels=classes, zero_division=math.nan
        )


def evaluate(
    model: nn.Module,
    split: Split,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    precision: str = "auto",
) -> Evaluation:
    """Predicts a whole split in evaluation mode; afterwards the mode is as before.

    The model stays on its device. ``mean`` and ``std`` of each channel, in 0–1, and
    ``precision`` are those of its training.
    """
    device = next(model.parameters()).device
    batches = Batches(
        split, images_per_pass(model, split), device=device, mean=mean, std=std
    )
    arithmetic = choose_arithmetic(device, precision)
    return evaluation_of(all_logits(model, batches, arithmetic), batches.labels)


def images_per_pass(model: nn.Module, split: Split) -> int:
    """How many images an evaluation gives the network at once.

    A GPU gets some 4,000 of 32×32 pixels, so that launches do not count.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    _, channels, _, side = split.images.shape
    side = getattr(getattr(model, "features", None), "size", None) or side  # enlarged
    side *= getattr(model, "enlarge", 1)
    return max(256, 0 if on_cpu else GPU_VALUES // (channels * side**2))


def all_logits(model: nn.Module, batches: Batches, arithmetic: Arithmetic) -> Tensor:
    """The logits (N, K) of all images, on the device, without a wait for it."""
    made = predict(model, batches, arithmetic)
    return torch.cat([class_logits(model, outputs.float()) for outputs in made])


def evaluation_of(logits: Tensor, labels: Tensor) -> Evaluation:
    """What logits (N, K) say of N images with these labels."""
    loss = F.cross_entropy(logits, labels, reduction="none").mean().item()
    return Evaluation(logits.softmax(1).cpu(), labels.cpu(), loss)


@torch.no_grad()
def predict(
    model: nn.Module, batches: Batches, arithmetic: Arithmetic
) -> Iterator[Tensor]:
    """Yields what the model makes of each batch, in evaluation mode."""
    with evaluation_mode(model):
        for images, _ in map(batches.take, batches.order(0)):
            with arithmetic.in_use():
                outputs = model(images)
            yield outputs


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode within the block; afterwards each module's own, frozen or not."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
