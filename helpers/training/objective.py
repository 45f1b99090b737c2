"""What training minimises: a loss over classes, or the weighted losses of heads."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.base.errors import ConfigError
from helpers.models.heads import Heads, heads_of, marginals
from helpers.training.config import LEARNED, TrainConfig


class Objective(nn.Module):
    """The configured loss over all classes, or over those of one head."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits and soft targets, both (B, K), to the batch's mean loss."""
        kind, smoothing = self.config.loss, self.config.label_smoothing
        if kind == "cross_entropy":
            return F.cross_entropy(logits, targets, label_smoothing=smoothing)
        targets = targets * (1 - smoothing) + smoothing / targets.shape[1]
        if kind == "squared_error":  # of the logits themselves (Hui and Belkin 2021)
            losses = (logits - targets).square()
        else:  # every class against all others, each through a sigmoid of its own
            losses = F.binary_cross_entropy_with_logits(
                logits, targets, reduction="none"
            )
        return losses.sum(1).mean()


class HeadsObjective(nn.Module):
    """The weighted sum of the heads' losses.

    Learned weights follow Kendall, Gal and Cipolla (CVPR 2018, section 3): head i costs
    exp(-s_i) times its loss plus s_i / 2, where s_i, the logarithm of the head's noise
    variance, is learned with the network.
    """

    fixed: Tensor

    def __init__(self, heads: Heads, config: TrainConfig) -> None:
        super().__init__()
        self.loss, self.heads = Objective(config), heads
        weights = config.head_weights
        equal = dict.fromkeys(heads.factors, 1.0)
        by_name = weights if isinstance(weights, dict) else equal
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
        losses = [
            self.loss(logits, own[name])
            for name, logits in self.heads.logits(outputs).items()
        ]
        total = (self.weights * torch.stack(losses)).sum()
        if self.log_variances is None:
            return total
        return total + self.log_variances.sum() / 2


def make_objective(model: nn.Module, config: TrainConfig) -> Objective | HeadsObjective:
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
    return Objective(config)
