"""Every setting of a training run, in one frozen and validated place."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from helpers.base.errors import ConfigError
from helpers.data.augment import Augment

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "plateau")
LOSSES = ("cross_entropy", "binary_cross_entropy", "squared_error")
LEARNED = "learned"
PRECISIONS = ("auto", "fp32", "bf16")
KEEP = ("last", "best", "both")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        epochs: passes over the training set.
        batch_size: images per step.
        optimizer: one of ``OPTIMIZERS``.
        lr: learning rate; the peak where the schedule has one.
        features_lr: what it is multiplied by for the layers below ``model.features``:
            less than 1 where these are pretrained and the rest is new (discriminative
            learning rates; Howard and Ruder 2018).
        momentum: of SGD (Nesterov's) and RMSprop; ``one_cycle`` moves it by 0.05 either
            way.
        weight_decay: L2 on weights; biases and normalisation parameters are spared.
            Decoupled for AdamW.
        l1: L1 on the same weights, added to the loss.
        schedule: one of ``SCHEDULES``.
        warmup: share of the steps in which the learning rate rises (``cosine`` and
            ``one_cycle``).
        step_epochs: epochs between two drops of ``step``; epochs without progress
            before one of ``plateau``.
        step_factor: what the learning rate is multiplied by at a drop.
        loss: one of ``LOSSES``.
        head_weights: what the loss of each head of a multi-head network is multiplied
            by, by its name; None is 1 for all; ``learned`` learns them with the network
            (Kendall et al. 2018).
        label_smoothing: share of the target given to all classes alike (Szegedy et al.
            2016).
        mixup: parameter of mixup's beta distribution (Zhang et al. 2018); 0 is off.
        cutmix: likewise of CutMix (Yun et al. 2019); with both, each batch gets one of
            them.
        clip_norm: largest norm of the whole gradient; None does not clip.
        ema: decay of a moving average of the weights, which is then evaluated and kept;
            None is off.
        augment: applied to training batches only.
        start_size: side in pixels of the training images in the first epoch; it grows
            evenly to the images' own side in the last ones. Less work, and no worse for
            networks that take any size (progressive resizing; Tan and Le 2021). None
            trains at full size throughout.
        patience: epochs without a better validation accuracy before training stops;
            None never stops.
        keep: the weights that ``fit`` leaves in the model: of the ``last`` epoch, or of
            the ``best`` one on validation (always so with patience); ``both`` leaves
            the last, and the history holds the best.
        seed: fixes the order of the images, augmentation and dropout.
        precision: one of ``PRECISIONS``; ``auto`` takes bfloat16 where the device is
            faster with it.
        device: ``auto``, ``cpu``, ``cuda`` …
        compile: whether to compile the network (worth it on a GPU only).
        channels_last: whether images and filters lie in memory channel by channel
            within each pixel, which convolutions are faster with; the results are the
            same but for rounding.
    """

    epochs: int = 30
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    features_lr: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    l1: float = 0.0
    schedule: str = "one_cycle"
    warmup: float = 0.25
    step_epochs: int = 10
    step_factor: float = 0.1
    loss: str = "cross_entropy"
    head_weights: dict[str, float] | str | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    clip_norm: float | None = None
    ema: float | None = None
    augment: Augment = field(default_factory=Augment)
    start_size: int | None = None
    patience: int | None = None
    keep: str = "last"
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    compile: bool = False
    channels_last: bool = True

    def __post_init__(self) -> None:
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("loss", LOSSES),
            ("precision", PRECISIONS),
            ("keep", KEEP),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}: known are {', '.join(known)}."
                )
        for name in ("epochs", "batch_size", "step_epochs"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        for name in ("lr", "features_lr", "step_factor"):
            self._check(name, getattr(self, name) > 0, "more than 0")
        for name in ("weight_decay", "l1", "mixup", "cutmix"):
            self._check(name, getattr(self, name) >= 0, "at least 0")
        for name in ("momentum", "label_smoothing"):
            self._check(
                name, 0 <= getattr(self, name) < 1, "0 or more, and less than 1"
            )
        weights = self.head_weights
        positive = isinstance(weights, dict) and all(
            weight > 0 for weight in weights.values()
        )
        self._check(
            "head_weights",
            weights in (None, LEARNED) or positive,
            f"positive numbers by name, {LEARNED!r} or None",
        )
        self._check("warmup", 0 < self.warmup < 1, "between 0 and 1")
        self._check(
            "clip_norm",
            self.clip_norm is None or self.clip_norm > 0,
            "more than 0, or None",
        )
        self._check(
            "ema", self.ema is None or 0 < self.ema < 1, "between 0 and 1, or None"
        )
        self._check(
            "start_size",
            self.start_size is None or self.start_size >= 8,
            "at least 8, or None",
        )
        self._check(
            "patience",
            self.patience is None or self.patience >= 1,
            "at least 1, or None",
        )

    def _check(self, name: str, good: bool, expected: str) -> None:
        if not good:
            raise ConfigError(f"{name} is {getattr(self, name)}: expected {expected}.")

    @property
    def keeps_best(self) -> bool:
        """Whether the weights of the best epoch are kept, beside those of the last or
        in their place.
        """
        return self.keep != "last" or self.patience is not None

    def image_size(self, epoch: int, full: int) -> int:
        """Side in pixels of the training images in ``epoch`` (from 0), a multiple of 8
        up to ``full``.
        """
        if self.start_size is None:
            return full
        grown = self.start_size + (full - self.start_size) * epoch / max(
            1, self.epochs - 1
        )
        return min(full, max(8, round(grown / 8) * 8))

    def changed(self) -> dict[str, Any]:
        """The settings that are not at their defaults, as plain values.

        They identify a run in files: a setting that is added later leaves what was
        trained before it valid.
        """
        return _changed(self)


def _changed(settings: Any) -> dict[str, Any]:
    defaults, found = type(settings)(), {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        if value != getattr(defaults, one.name):
            found[one.name] = _changed(value) if is_dataclass(value) else value
    return found
