"""What training minimises: a loss over classes, or the weighted losses of heads."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.base.errors import ConfigError
from helpers.models.heads import Heads, heads_of, marginals
from helpers.training.config import LEARNED, TrainConfig


def _binary_cross_entropy(
    logits: Tensor, targets: Tensor, label_smoothing: float
) -> Tensor:
    """Every class against all others, each through a sigmoid of its own."""
    targets = _smoothed(targets, label_smoothing)
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return losses.sum(1).mean()


def _squared_error(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Logits drawn to the targets themselves (Hui and Belkin 2021)."""
    return (logits - _smoothed(targets, label_smoothing)).square().sum(1).mean()


def _smoothed(targets: Tensor, label_smoothing: float) -> Tensor:
    return targets * (1 - label_smoothing) + label_smoothing / targets.shape[1]


# Logits (B, K), soft targets (B, K) and label smoothing to the batch's mean.
_LOSSES: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "cross_entropy": lambda logits, targets, smoothing: F.cross_entropy(
        logits, targets, label_smoothing=smoothing
    ),
    "binary_cross_entropy": _binary_cross_entropy,
    "squared_error": _squared_error,
}


class ClassObjective(nn.Module):
    """The configured loss over all classes."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.loss, self.label_smoothing = _LOSSES[config.loss], config.label_smoothing

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, K) and soft targets (B, K) to the mean loss."""
        return self.loss(outputs, targets, self.label_smoothing)


class HeadsObjective(nn.Module):
    """The weighted sum of the heads' losses.

    Learned weights follow Kendall, Gal and Cipolla (CVPR 2018, section 3): head i costs
    exp(-s_i) times its loss plus s_i / 2, where s_i, the logarithm of the head's noise
    variance, is learned with the network.
    """

    fixed: Tensor

    def __init__(self, heads: Heads, config: TrainConfig) -> None:
        super().__init__()
        self.heads, self.config = heads, config
        weights, by_name = config.head_weights, dict.fromkeys(heads.factors, 1.0)
        if isinstance(weights, dict):
            by_name = weights
        if set(by_name) != set(heads.factors):
            raise ConfigError(
                f"head_weights is {weights}: expected a weight for each of "
                f"{', '.join(heads.factors)}."
            )
        fixed = [by_name[name] for name in heads.factors]
        self.log_variances = (
            nn.Parameter(torch.zeros(len(fixed))) if weights == LEARNED else None
        )
        self.register_buffer("fixed", torch.tensor(fixed), persistent=False)

    @property
    def weights(self) -> Tensor:
        """What each head's loss is multiplied by (H,)."""
        return self.fixed if self.log_variances is None else (-self.log_variances).exp()

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (B, D) and soft targets (B, K) of joint classes to the mean loss."""
        own = marginals(targets, self.heads.factors)
        smoothing, loss = self.config.label_smoothing, _LOSSES[self.config.loss]
        losses = [
            loss(logits, own[name], smoothing)
            for name, logits in self.heads.logits(outputs).items()
        ]
        total = (self.weights * torch.stack(losses)).sum()
        if self.log_variances is None:
            return total
        return total + self.log_variances.sum() / 2


def make_objective(
    model: nn.Module, config: TrainConfig
) -> ClassObjective | HeadsObjective:
    """The configured loss, over the model's heads where it has several.

    Raises:
        ConfigError: weights are given for other heads, or for a network without any.
    """
    heads = heads_of(model)
    if heads is not None:
        return HeadsObjective(heads, config)
    if config.head_weights is not None:
        raise ConfigError(
            f"head_weights is {config.head_weights}, but {type(model).__name__} has no "
            "heads: leave it out."
        )
    return ClassObjective(config)
