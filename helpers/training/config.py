"""Every setting of a training run, in one frozen and validated place."""

from dataclasses import dataclass, field, is_dataclass
from typing import Any

from helpers.base.errors import ConfigError
from helpers.base.schema import NUMBER, SIZE, TEXT, check, fields
from helpers.data.augment import Augment

LEARNED = "learned"
CHOICES = {
    "optimizer": ("sgd", "adam", "adamw", "rmsprop"),
    "schedule": ("constant", "step", "cosine", "one_cycle", "plateau"),
    "loss": ("cross_entropy", "binary_cross_entropy", "squared_error"),
    "precision": ("auto", "fp32", "bf16"),
}
# A step is taken in single precision, which ends at 3e38.
POSITIVE = {**NUMBER, "exclusiveMinimum": 0, "exclusiveMaximum": 1e30}
AMOUNT = {**NUMBER, "minimum": 0, "exclusiveMaximum": 1e30}
SHARE = {**NUMBER, "minimum": 0, "exclusiveMaximum": 1}
PART = {**SHARE, "exclusiveMinimum": 0}
TRUTH = {"type": "boolean"}
SCHEMA = fields(
    {name: {"enum": [*known]} for name, known in CHOICES.items()}
    | dict.fromkeys(("epochs", "batch_size", "step_epochs"), SIZE)
    | dict.fromkeys(("lr", "features_lr"), POSITIVE)
    | dict.fromkeys(("weight_decay", "l1", "mixup", "cutmix"), AMOUNT)
    | dict.fromkeys(("momentum", "label_smoothing"), SHARE)
    | dict.fromkeys(("warmup", "step_factor"), PART)
    | dict.fromkeys(("keep_best", "watch_test"), TRUTH)
    | {
        "seed": {"type": "integer"},
        "device": TEXT,
        "ema": {**PART, "type": ["number", "null"]},
        "clip_norm": {**POSITIVE, "type": ["number", "null"]},
        "patience": {**SIZE, "type": ["integer", "null"]},
        "start_size": {"type": ["integer", "null"], "minimum": 8, "multipleOf": 8},
        "head_weights": {
            "type": ["object", "string", "null"],
            "pattern": f"^{LEARNED}$",
            "additionalProperties": POSITIVE,
        },
    },
    more=True,
)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained; ``CHOICES`` lists what settings in words may be.

    Attributes:
        optimizer: PyTorch's, by name.
        lr: learning rate; the peak where the schedule has one.
        features_lr: factor of it for the layers below ``model.features`` (Howard and
            Ruder 2018).
        momentum: of SGD (Nesterov's) and RMSprop.
        weight_decay: L2 on weights, not on biases or normalisation; decoupled for
            AdamW.
        l1: L1 on the same weights, added to the loss.
        warmup: share of the steps in which ``cosine`` and ``one_cycle`` rise.
        step_epochs: epochs between two drops of ``step``, or without progress that
            ``plateau`` bears before one.
        step_factor: factor of the learning rate at a drop.
        loss: over all classes, or of each head.
        head_weights: weight of each head's loss, by name; None is 1 for all;
            ``learned`` learns them with the network (Kendall et al. 2018).
        label_smoothing: share of the target given to all classes (Szegedy et al. 2016).
        mixup: parameter of mixup's beta distribution (Zhang et al. 2018); 0 is off.
        cutmix: likewise of CutMix (Yun et al. 2019); with both, each batch gets one.
        clip_norm: largest norm of the network's gradient; None does not clip.
        ema: decay of a moving average of the weights, which is then evaluated and kept;
            it rises over the first steps, as (1 + t) / (10 + t). None is off.
        augment: applied to training batches only.
        start_size: side in pixels of the training images in the first epoch, from where
            it grows to their own in the last, in multiples of 8 (Tan and Le 2021), for
            networks that take any size, and leave something of so small a one; None is
            full size throughout.
        patience: epochs without a better validation accuracy before training stops, at
            the weights of the best epoch; None leaves those of the last.
        keep_best: whether the history holds the weights of the best epoch too.
        watch_test: whether the test split is judged after each epoch too, for its
            learning curve only.
        seed: fixes the order of the images, augmentation and dropout.
        precision: ``auto`` is bfloat16 where that is faster.
        device: ``auto``, ``cpu``, ``cuda`` …
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
    keep_best: bool = False
    watch_test: bool = False
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not isinstance(self.augment, Augment):
            raise ConfigError(f"augment is {self.augment!r}: expected an Augment.")
        own = self.head_weights if isinstance(self.head_weights, dict) else {}
        check(self, SCHEMA, **{f"head_weights.{head}": own[head] for head in own})

    @property
    def looks_for_best(self) -> bool:
        """Whether validation chooses an epoch."""
        return self.keep_best or self.patience is not None


def changed(settings: Any) -> dict[str, Any]:
    """The settings that are not at their defaults, by which files know a run: a setting
    added later leaves earlier runs valid.
    """
    defaults = vars(type(settings)())
    return {
        name: changed(value) if is_dataclass(value) else value
        for name, value in vars(settings).items()
        if value != defaults[name]
    }
