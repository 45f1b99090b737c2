"""Optimizers and learning-rate schedules by name, all of them PyTorch's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler

from helpers.base.errors import ConfigError
from helpers.training.config import TrainConfig


def decayed_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The weights that regularisation applies to: matrices and filters, not biases or
    normalisation.
    """
    return [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]


def make_optimizer(
    model: nn.Module, config: TrainConfig, extra: Iterable[nn.Parameter] = ()
) -> Optimizer:
    """The configured optimizer over the model's trainable parameters, and ``extra``
    ones that are spared decay.

    Raises:
        ConfigError: ``features_lr`` is set and the model has no trainable layers below
            ``features``.
    """
    groups = _parameter_groups(model, config, extra)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0
        )
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=config.lr, momentum=config.momentum)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=config.lr)
    return torch.optim.AdamW(groups, lr=config.lr)


def _parameter_groups(
    model: nn.Module, config: TrainConfig, extra: Iterable[nn.Parameter]
) -> list[dict[str, Any]]:
    """Those with decay and those without, at the full learning rate; then, if theirs
    differs, those of ``features``.
    """
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    slowed = {
        name: p
        for name, p in learning.items()
        if config.features_lr != 1 and name.startswith("features.")
    }
    if config.features_lr != 1 and not slowed:
        raise ConfigError(
            f"features_lr is {config.features_lr}, but {type(model).__name__} has no "
            "layers below `features` that "
            "learn. Leave it at 1, or let them learn."
        )
    rest = [p for name, p in learning.items() if name not in slowed]
    groups = _by_decay(rest, extra, config.weight_decay, config.lr)
    if slowed:
        groups += _by_decay(
            slowed.values(), (), config.weight_decay, config.lr * config.features_lr
        )
    return groups


def _by_decay(
    parameters: Iterable[nn.Parameter],
    extra: Iterable[nn.Parameter],
    weight_decay: float,
    lr: float,
) -> list[dict[str, Any]]:
    parameters = list(parameters)
    return [
        {
            "params": [p for p in parameters if p.ndim >= 2],
            "weight_decay": weight_decay,
            "lr": lr,
        },
        {
            "params": [*(p for p in parameters if p.ndim < 2), *extra],
            "weight_decay": 0.0,
            "lr": lr,
        },
    ]


class Schedule:
    """The learning rate over time: some schedules move at every step, others at the end
    of an epoch.
    """

    def __init__(
        self, optimizer: Optimizer, config: TrainConfig, steps_per_epoch: int
    ) -> None:
        self._optimizer = optimizer
        self._every_step = config.schedule in ("one_cycle", "cosine")
        self._scheduler = _SCHEDULERS[config.schedule](
            optimizer, config, config.epochs * steps_per_epoch
        )

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimizer.param_groups[0]["lr"])

    def after_step(self) -> None:
        """To be called after every optimizer step."""
        if self._every_step:
            self._scheduler.step()

    def after_epoch(self, valid_loss: float) -> None:
        """To be called after every epoch, with the validation loss that ``plateau``
        watches.
        """
        if isinstance(self._scheduler, lr_scheduler.ReduceLROnPlateau):
            self._scheduler.step(valid_loss)
        elif not self._every_step:
            self._scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        # OneCycleLR keeps a bound function of itself, which is no state and cannot be
        # loaded safely.
        return {
            k: v for k, v in self._scheduler.state_dict().items() if not callable(v)
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes a schedule up where a checkpoint left it."""
        self._scheduler.load_state_dict(state)


def _constant(
    optimizer: Optimizer, _config: TrainConfig, _steps: int
) -> lr_scheduler.LRScheduler:
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _step(
    optimizer: Optimizer, config: TrainConfig, _steps: int
) -> lr_scheduler.LRScheduler:
    return lr_scheduler.StepLR(optimizer, config.step_epochs, config.step_factor)


def _cosine(
    optimizer: Optimizer, config: TrainConfig, steps: int
) -> lr_scheduler.LRScheduler:
    # A linear rise, then half a cosine to zero: OneCycleLR without its cycle of the
    # momentum.
    return lr_scheduler.OneCycleLR(
        optimizer, _peaks(optimizer), **_cycle(config, steps), cycle_momentum=False
    )


def _peaks(optimizer: Optimizer) -> list[float]:
    """The learning rate that each group of parameters was given, which its cycle rises
    to.
    """
    return [group["lr"] for group in optimizer.param_groups]


def _cycle(config: TrainConfig, steps: int) -> dict[str, Any]:
    """The length of OneCycleLR and the share of it in which the rate rises, which it
    cannot do in no time at all.
    """
    total_steps = max(steps, 2) + 1
    return {
        "total_steps": total_steps,
        "pct_start": max(config.warmup, 1.5 / total_steps),
    }


def _one_cycle(
    optimizer: Optimizer, config: TrainConfig, steps: int
) -> lr_scheduler.LRScheduler:
    return lr_scheduler.OneCycleLR(
        optimizer,
        _peaks(optimizer),
        **_cycle(config, steps),
        anneal_strategy="linear",
        # The momentum swings against the learning rate, by 0.05 around the configured
        # value; Adam's stays.
        cycle_momentum=config.optimizer in ("sgd", "rmsprop")
        and 0.05 < config.momentum < 0.95,
        base_momentum=round(config.momentum - 0.05, 6),
        max_momentum=round(config.momentum + 0.05, 6),
    )


def _plateau(
    optimizer: Optimizer, config: TrainConfig, _steps: int
) -> lr_scheduler.ReduceLROnPlateau:
    return lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=config.step_factor, patience=config.step_epochs
    )


_SCHEDULERS = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "plateau": _plateau,
}
