"""PyTorch's optimizers and learning-rate schedules by name."""

from __future__ import annotations

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

    Raises:
        ConfigError: ``features_lr`` is set and no layers below ``features`` learn.
    """
    groups, momentum = _parameter_groups(model, config, extra), config.momentum
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, momentum=momentum)
    return (torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW)(
        groups
    )


def _parameter_groups(
    model: nn.Module, config: TrainConfig, extra: Iterable[nn.Parameter]
) -> list[dict[str, Any]]:
    """With and without decay; then likewise ``features``, if it has its own rate."""
    own_rate = config.features_lr != 1
    slowed: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            slow = own_rate and name.startswith("features.")
            (slowed if slow else rest).append(parameter)
    if own_rate and not slowed:
        raise ConfigError(
            f"features_lr is {config.features_lr}, but {type(model).__name__} has no "
            "layers below `features` that learn. Leave it at 1, or let them learn."
        )
    decayed = {id(parameter) for parameter in decayed_parameters(model)}

    def groups(
        parameters: list[nn.Parameter], lr: float, extra: Iterable[nn.Parameter] = ()
    ) -> list[dict[str, Any]]:
        weights = [p for p in parameters if id(p) in decayed]
        spared = [*(p for p in parameters if id(p) not in decayed), *extra]
        return [
            {"params": weights, "weight_decay": config.weight_decay, "lr": lr},
            {"params": spared, "weight_decay": 0.0, "lr": lr},
        ]

    own = groups(slowed, config.lr * config.features_lr) if slowed else []
    return groups(rest, config.lr, extra) + own


class Schedule:
    """The learning rate, which moves at every step or after an epoch."""

    def __init__(
        self, optimizer: Optimizer, config: TrainConfig, steps_per_epoch: int
    ) -> None:
        self._optimizer = optimizer
        self._every_step = config.schedule in ("one_cycle", "cosine")
        steps = config.epochs * steps_per_epoch
        self._scheduler = _make_scheduler(optimizer, config, steps)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimizer.param_groups[0]["lr"])

    def after_step(self) -> None:
        """Moves ``cosine`` and ``one_cycle``."""
        if self._every_step:
            self._scheduler.step()

    def after_epoch(self, valid_loss: float) -> None:
        """Moves the others; ``plateau`` watches the validation loss."""
        if isinstance(self._scheduler, lr_scheduler.ReduceLROnPlateau):
            self._scheduler.step(valid_loss)
        elif not self._every_step:
            self._scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        state = self._scheduler.state_dict()
        # OneCycleLR keeps a bound function of itself, which cannot be loaded safely.
        return {name: value for name, value in state.items() if not callable(value)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where a checkpoint left it."""
        self._scheduler.load_state_dict(state)


def _make_scheduler(
    optimizer: Optimizer, config: TrainConfig, steps: int
) -> lr_scheduler.LRScheduler:
    if config.schedule == "constant":
        return lr_scheduler.ConstantLR(optimizer, factor=1.0)
    if config.schedule == "step":
        return lr_scheduler.StepLR(optimizer, config.step_epochs, config.step_factor)
    if config.schedule == "plateau":
        return lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=config.step_factor, patience=config.step_epochs
        )
    # ``cosine`` is OneCycleLR without its cycle of the momentum. The rise takes a step.
    total_steps = max(steps, 2) + 1
    one_cycle = config.schedule == "one_cycle"
    return lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=total_steps,
        pct_start=max(config.warmup, 1.5 / total_steps),
        anneal_strategy="linear" if one_cycle else "cos",
        # Against the learning rate, by 0.05 around the configured value.
        cycle_momentum=one_cycle
        and config.optimizer in ("sgd", "rmsprop")
        and 0.05 < config.momentum < 0.95,
        base_momentum=round(config.momentum - 0.05, 6),
        max_momentum=round(config.momentum + 0.05, 6),
    )
