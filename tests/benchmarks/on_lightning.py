"""Lightning, on the usual loop's data loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from contender import SGD, Task, Window
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from usual_loop import make_loader


class Classifier(LightningModule):
    """A network, its loss and its optimizer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
        images, labels = batch
        return F.cross_entropy(self.model(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), **SGD)


class Timed(Callback):
    """Counts the steps and stops when the time is over."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.window.step():
            trainer.should_stop = True


def lightning(task: Task) -> tuple[str, Callable[[Window], None]]:
    """A Trainer without what is not training: no logger, no checkpoints, no progress
    bar.
    """
    loader = make_loader(task)
    module = Classifier(task.make_model())

    def train(window: Window) -> None:
        trainer = Trainer(
            accelerator=task.device,
            devices=1,
            precision="bf16-mixed" if task.precision == "bf16" else "32-true",
            max_epochs=-1,
            callbacks=[Timed(window)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)

    return task.precision, train
