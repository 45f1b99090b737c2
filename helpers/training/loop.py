"""The training loop."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException
from torch.optim.swa_utils import AveragedModel
from torchvision.transforms import v2

from helpers.base.errors import ConfigError, DivergedError
from helpers.base.tensors import write_tensors
from helpers.data.batches import Batches
from helpers.data.splits import Splits
from helpers.models.heads import class_logits, heads_of
from helpers.training.checkpoint import read_checkpoint, resuming
from helpers.training.config import TrainConfig, changed
from helpers.training.device import choose_arithmetic, choose_device
from helpers.training.evaluate import all_logits, evaluation_of, images_per_pass
from helpers.training.history import History, Row
from helpers.training.launch import OneLaunch, Step, compiled, is_compiled, say_once
from helpers.training.objective import HeadsObjective, make_objective
from helpers.training.optimizers import Schedule, decayed_parameters, make_optimizer
from helpers.training.turns import Steps, run_alone

# Raise it when a change that no source in ``identity`` shows, such as of a default in
# TrainConfig, makes the same settings give other weights.
VERSION = 2

# Added to the seed of dropout and mixup, which would otherwise draw the same numbers as
# the batches' generator for order and augmentation; seeds are a million apart.
OTHER_STREAM = 500_000
# Seconds between two checkpoints on a GPU, where writing one takes as long as an epoch.
GPU_PAUSE = 20.0
Report = Callable[[str, History, int], None]


def fit(
    model: nn.Module, splits: Splits, config: TrainConfig, *, folder: Path | None = None
) -> History:
    """Trains ``model`` in place and leaves it in evaluation mode.

    Args:
        model: images (B, C, H, W) to logits (B, K), or outputs of heads (B, D).
        splits: learns from ``train``, is watched on ``valid``.
        config: every setting.
        folder: where ``checkpoint.pt`` is kept: a killed run goes on there and, on a
            CPU, ends with the same bits; on a GPU up to 20 s and an epoch are lost.
            It is of one network and its data: only settings are compared. None keeps
            nothing.

    Raises:
        DivergedError: the loss is not a number.
        TrainingError: the checkpoint is damaged, or of other settings.
        WriteError: it cannot be written; the one before is intact.
    """
    return run_alone(TrainingRun(model, splits, config, folder).all_epochs)


def image_size(config: TrainConfig, epoch: int, full: int) -> int:
    """Side of the training images in ``epoch`` (from 0), in pixels."""
    if config.start_size is None or epoch == config.epochs - 1:
        return full
    grown = config.start_size + (full - config.start_size) * epoch / (config.epochs - 1)
    return min(full, max(8, round(grown / 8) * 8))


class TrainingRun:
    """All that changes from epoch to epoch, and how."""

    def __init__(
        self, model: nn.Module, splits: Splits, config: TrainConfig, folder: Path | None
    ) -> None:
        self.config = config
        self.device = choose_device(config.device)
        self.arithmetic = choose_arithmetic(self.device, config.precision)
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        self.forward: Callable[[Tensor], Tensor] = self.model
        if is_compiled(config, self.device, len(splits.train)):
            self.forward = compiled(self.model)
        heads, factors = heads_of(self.model), splits.factors
        if heads and factors and [*heads.factors.items()] != [*factors.items()]:
            raise ConfigError(f"heads are {heads.factors}, not {factors}, in order.")
        self.classes = torch.arange(len(splits.classes), device=self.device)
        self._load(splits)
        self.objective = make_objective(self.model, config).to(self.device)
        self.optimizer = make_optimizer(self.model, config, self.objective.parameters())
        self.schedule = Schedule(self.optimizer, config, len(self.train_batches))
        self.average: _MovingAverage | None = None
        if config.ema is not None:
            self.average = _MovingAverage(self.model, config.ema)
        self.mix = _make_mix(config)
        self.take: Step = self._take
        self.update: Step = self._update if self.mix else self._whole
        if self.device.type == "cuda":
            own = self.optimizer, self.train_batches.generator
            self.take = OneLaunch(self.take, *own)
            self.update = OneLaunch(self.update, *own)
        self.history = History()
        # What has a state, by its name in a checkpoint.
        self.parts: dict[str, Any] = {
            "model": self.model,
            "objective": self.objective,
            "optimizer": self.optimizer,
            "schedule": self.schedule.scheduler,
        }
        if self.average is not None:
            self.parts["average"] = self.average
        self.checkpoint = None if folder is None else folder / "checkpoint.pt"
        self._kept = time.monotonic()
        if self.checkpoint is not None:
            self._resume(self.checkpoint)

    def _load(self, splits: Splits) -> None:
        config, (mean, std) = self.config, splits.channel_stats()
        batches = partial(Batches, device=self.device, mean=mean, std=std)
        self.train_batches = batches(
            splits.train,
            config.batch_size,
            seed=config.seed,
            shuffle=True,
            augment=config.augment,
        )
        if config.watch_test and splits.test is None:
            raise ConfigError(
                f"{splits.name} has no test split to watch: leave watch_test out."
            )
        names = ("valid", "test") if config.watch_test else ("valid",)
        self.watched = {
            name: batches(split, images_per_pass(self.model, split))
            for name, split in splits.parts.items()
            if name in names
        }

    @property
    def epoch(self) -> int:
        """Epochs done, which is also the index of the next."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience has run out."""
        patience = self.config.patience
        if self.epoch and patience and self.epoch - self.history.best_epoch >= patience:
            return True
        return self.epoch >= self.config.epochs

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated and kept: the averaged one, if there is one."""
        return self.model if self.average is None else self.average.module

    def all_epochs(
        self, label: str = "", report: Report | None = None
    ) -> Steps[History]:
        """What ``fit`` does, step by step.

        Args:
            label: put before each line of progress, ``lenet5 seed 0``.
            report: called with label, history and ``config.epochs`` after each epoch;
                None prints a line.
        """
        config = self.config
        # Each epoch seeds the random numbers anew: resuming needs no memory of them.
        devices = [self.device] if self.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices):
                while not self.finished:
                    seed = config.seed * 1_000_003 + OTHER_STREAM + self.epoch
                    torch.manual_seed(seed)
                    yield from self.one_epoch()
                    (report or _print)(label, self.history, config.epochs)
        finally:
            # They hold the run and its graphs, whose end would break off a capture.
            del self.take, self.update
        self._leave_weights()
        return self.history

    def one_epoch(self) -> Steps[None]:
        """Trains for an epoch, judges the network and writes the checkpoint."""
        started, lr = time.perf_counter(), self.schedule.lr
        row: Row = {"epoch": self.epoch + 1, "lr": lr, "seconds": 0.0}
        learned = yield from self._learn()
        logits = {
            name: all_logits(self.judged, batches, self.arithmetic)
            for name, batches in self.watched.items()
        }
        yield  # others launch theirs before this one waits
        row |= self._read(*learned) | self._judge(logits)
        valid_loss = row["valid_loss"]
        if not math.isfinite(valid_loss):
            # The last step did it: no training loss has seen its weights yet.
            step = (self.epoch + 1) * len(self.train_batches)
            raise self._diverged("validation loss", valid_loss, step, self.schedule.lr)
        self.history.rows.append(row)
        self.schedule.after_epoch(valid_loss)
        if self.config.looks_for_best and self.history.best_epoch == row["epoch"]:
            self.history.best_weights = copy.deepcopy(self.judged.state_dict())
        row["seconds"] = time.perf_counter() - started
        pause = GPU_PAUSE if self.device.type == "cuda" else 0
        if self.checkpoint is not None and time.monotonic() >= self._kept + pause:
            self._keep(self.checkpoint)
            self._kept = time.monotonic()

    def _learn(self) -> Steps[tuple[Tensor, Tensor, list[float]]]:
        """The losses and learning rates of all steps, and their accuracy between."""
        self.model.train()
        losses, hits, rates = [], [], []
        full = self.train_batches.images.shape[-1]
        side = image_size(self.config, self.epoch, full)
        for chosen in self.train_batches.order(self.epoch):
            loss, correct = self.step(chosen, side)
            losses.append(loss)
            hits.append(correct)
            rates.append(self.schedule.lr)
            self.schedule.after_step()
            yield
        seen = len(chosen) * len(losses)  # a batch is as large as the other
        return torch.stack(losses), torch.stack(hits).sum().double() / seen, rates

    def _read(self, losses: Tensor, accuracy: Tensor, rates: list[float]) -> Row:
        # The first wait for the device in an epoch; the steps after a loss that is not
        # a number were wasted, but no checkpoint has kept them.
        values = losses.cpu()
        if bad := (~values.isfinite()).nonzero().flatten().tolist():
            step = self.epoch * len(losses) + bad[0] + 1
            raise self._diverged("loss", values[bad[0]].item(), step, rates[bad[0]])
        return {"train_loss": values.mean().item(), "train_accuracy": accuracy.item()}

    def step(self, chosen: Tensor, side: int) -> tuple[Tensor, ...]:
        """One optimizer step on the device, at the learning rate that is set.

        The training images with these indices (B,), augmented to ``side`` pixels, give
        the mean loss and the number of correct predictions.
        """
        if self.mix is None:
            return self.update(chosen, size=side)
        images, targets = self.mix(*self.take(chosen, size=side))  # by the host
        images = images.contiguous(memory_format=torch.channels_last)  # mixup's are not
        return self.update(images, targets)

    def _whole(self, chosen: Tensor, *, size: int) -> tuple[Tensor, ...]:
        return self._update(*self._take(chosen, size=size))

    def _take(self, chosen: Tensor, *, size: int) -> tuple[Tensor, ...]:
        """Augmented images (B, C, H, W) and soft targets (B, K)."""
        images, labels = self.train_batches.take(chosen, size=size)
        # F.one_hot would look at the labels first.
        return images, (labels[:, None] == self.classes).float()

    def _update(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """As ``step``, of soft targets (B, K): what a GPU does without the host."""
        try:
            return self._descend(images, targets)
        except TorchDynamoException as error:  # no weight has changed yet
            say_once("The network is not compiled", str(error))
            self.forward = self.model
            return self._descend(images, targets)

    def _descend(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        with self.arithmetic.in_use():
            outputs = self.forward(images)
        outputs = outputs.float()
        loss = cost = self.objective(outputs, targets)
        if self.config.l1:
            norms = (weight.abs().sum() for weight in decayed_parameters(self.model))
            cost = loss + self.config.l1 * sum(norms)
        self.optimizer.zero_grad(set_to_none=True)
        cost.backward()
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        predictions = class_logits(self.model, outputs.detach()).argmax(1)
        return loss.detach(), (predictions == targets.argmax(1)).sum()

    def _judge(self, logits: Mapping[str, Tensor]) -> Row:
        """Loss and accuracy on what is watched; with heads, each one's on ``valid``."""
        row: Row = {}
        for name, batches in self.watched.items():
            found = evaluation_of(logits[name], batches.labels)
            row |= {f"{name}_loss": found.loss, f"{name}_accuracy": found.accuracy}
            if name == "valid" and isinstance(self.objective, HeadsObjective):
                heads = found.by_factor(self.objective.heads.factors)
                weights = self.objective.weights.tolist()
                for (head, own), weight in zip(heads.items(), weights, strict=True):
                    row[f"valid_loss_{head}"] = own.loss
                    row[f"valid_accuracy_{head}"] = own.accuracy
                    row[f"weight_{head}"] = weight
        return row

    def _diverged(self, what: str, value: float, step: int, lr: float) -> DivergedError:
        return DivergedError(
            f"The {what} is {value} at step {step} (epoch {self.epoch + 1}), learning "
            f"rate {lr:.3g}. Training has diverged: lower lr, or set clip_norm."
        )

    def _leave_weights(self) -> None:
        best = self.history.best_weights if self.config.patience else None
        self.model.load_state_dict(best or self.judged.state_dict())
        self.model.zero_grad()  # gradients lie in the graph's memory
        if not self.config.keep_best:
            self.history.best_weights = None
        self.model.eval()

    def _settings(self) -> dict[str, Any]:
        """What must be the same where a checkpoint is taken up."""
        threads = torch.get_num_threads() if self.device.type == "cpu" else None
        return {**changed(self.config), "threads": threads}

    def _keep(self, path: Path) -> None:
        states = {name: part.state_dict() for name, part in self.parts.items()}
        kept = {"config": self._settings(), "history": vars(self.history)}
        write_tensors(path, {**kept, **states})

    def _resume(self, path: Path) -> None:
        state = read_checkpoint(path, self._settings())
        if state is None:
            return
        with resuming(path):
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
            self.history = History(**state["history"])


class _MovingAverage(AveragedModel):
    """Its decay rises to ``decay``: the first, random weights are soon forgotten.

    PyTorch's own would make the host wait for the device, to read the steps so far.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model, next(model.parameters()).device)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """One step; the first takes on the weights."""
        steps = self.n_averaged
        new = 1 - ((1 + steps) / (10 + steps)).clamp(max=self.decay) * (steps > 0)
        own = self.module.state_dict()
        for name, current in model.state_dict().items():
            if current.is_floating_point():
                own[name].lerp_(current, new)
            else:  # a counter of batch normalisation
                own[name].copy_(current)
        self.n_averaged.add_(1)


def _make_mix(config: TrainConfig) -> nn.Module | None:
    kinds = ((v2.MixUp, config.mixup), (v2.CutMix, config.cutmix))
    mixes = [kind(alpha=alpha) for kind, alpha in kinds if alpha]
    return v2.RandomChoice(mixes) if mixes else None


def _print(label: str, history: History, epochs: int) -> None:
    # With its end: other processes print beside it.
    print(f"{epoch_line(label, history.rows[-1], epochs)}\n", end="", flush=True)


def epoch_line(label: str, row: Row, epochs: int) -> str:
    """The figures of an epoch."""
    prefix, digits = f"{label}: " if label else "", len(str(epochs))
    return (
        f"{prefix}epoch {row['epoch']:{digits}.0f}/{epochs}  "
        f"loss {row['train_loss']:.3f}  acc {row['train_accuracy']:.3f} | "
        f"valid loss {row['valid_loss']:.3f}  acc {row['valid_accuracy']:.3f} | "
        f"lr {row['lr']:.2g} | {row['seconds']:.1f} s"
    )
