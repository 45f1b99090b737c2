"""PyTorch's optimizers and learning-rate schedules by name."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler

from helpers.base.errors import ConfigError
from helpers.training.config import TrainConfig

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def decayed_parameters(model: nn.Module) -> list[nn.Parameter]:
    """What regularisation applies to: matrices and filters, not biases or norms."""
    layers = (m for m in model.modules() if isinstance(m, WEIGHTED))
    weights = [layer.get_parameter("weight") for layer in layers]
    return [weight for weight in weights if weight.requires_grad]


def make_optimizer(
    model: nn.Module, config: TrainConfig, extra: Iterable[nn.Parameter] = ()
) -> Optimizer:
    """The configured optimizer over what learns, and ``extra`` parameters undecayed.

    Its groups are weights and the rest; then likewise ``features``, if it has its own
    learning rate.

    Raises:
        ConfigError: ``features_lr`` is set and no layers below ``features`` learn.
    """
    own_rate = config.features_lr != 1
    rates = [config.lr, config.lr * config.features_lr] if own_rate else [config.lr]
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": decay, "lr": lr}
        for lr in rates
        for decay in (config.weight_decay, 0.0)
    ]
    decayed = {id(parameter) for parameter in decayed_parameters(model)}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            slow = own_rate and name.startswith("features.")
            group = groups[2 * slow + (id(parameter) not in decayed)]
            group["params"].append(parameter)
    groups[1]["params"] += extra
    if own_rate and not any(group["params"] for group in groups[2:]):
        raise ConfigError(
            f"features_lr is {config.features_lr}, but {type(model).__name__} has no "
            "layers below `features` that learn. Leave it at 1, or let them learn."
        )
    momentum = config.momentum
    on_gpu = next(model.parameters()).is_cuda
    fused = True if on_gpu else None
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, momentum=momentum, nesterov=momentum > 0, fused=fused
        )
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, momentum=momentum, capturable=on_gpu)
    adam = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return adam(groups, capturable=on_gpu, fused=fused)


class Schedule:
    """The learning rate, which moves at every step or after an epoch.

    Attributes:
        scheduler: PyTorch's own, which holds the state.
    """

    def __init__(
        self, optimizer: Optimizer, config: TrainConfig, steps_per_epoch: int
    ) -> None:
        steps = config.epochs * steps_per_epoch
        self.scheduler = _make_scheduler(optimizer, config, steps)
        self._every_step = isinstance(self.scheduler, lr_scheduler.OneCycleLR)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self.scheduler.get_last_lr()[0])

    def after_step(self) -> None:
        """Moves ``cosine`` and ``one_cycle``."""
        if self._every_step:
            self.scheduler.step()

    def after_epoch(self, valid_loss: float) -> None:
        """Moves the others; ``plateau`` watches the validation loss."""
        if isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(valid_loss)
        elif not self._every_step:
            self.scheduler.step()


def _make_scheduler(
    optimizer: Optimizer, config: TrainConfig, steps: int
) -> lr_scheduler.LRScheduler:
    drop, wait = config.step_factor, config.step_epochs
    if config.schedule == "constant":
        return lr_scheduler.ConstantLR(optimizer, factor=1.0)
    if config.schedule == "step":
        return lr_scheduler.StepLR(optimizer, wait, drop)
    if config.schedule == "plateau":
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=drop, patience=wait)
    total_steps = max(steps, 2) + 1  # else the last rate is nearly 0
    return lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=total_steps,
        # The rise ends at step pct_start * total_steps - 1, which has to be above 0.
        pct_start=max(config.warmup, 1.5 / total_steps),
        anneal_strategy="linear" if config.schedule == "one_cycle" else "cos",
        cycle_momentum=False,  # else no captured step of SGD would be fused
    )
