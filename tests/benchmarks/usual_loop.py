"""The usual loop: ImageFolder, torchvision's v2 transforms, DataLoader with workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from contender import BATCH_SIZE, ROTATE, SCALE, SGD, TRANSLATE, Task, Window
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_loader(task: Task) -> DataLoader[tuple[Tensor, Tensor]]:
    """Caltech-101 as most tutorials load it."""
    transform = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(
                degrees=ROTATE,
                translate=(TRANSLATE, TRANSLATE),
                scale=(1 / (1 + SCALE), 1 + SCALE),
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    return DataLoader(
        ImageFolder(Path(task.folder) / "train", transform),
        batch_size=BATCH_SIZE,
        shuffle=True,
        drop_last=True,
        num_workers=task.workers,
        pin_memory=task.device == "cuda",
    )


def loop(task: Task) -> tuple[str, Callable[[Window], None]]:
    """The loop that PyTorch's own tutorial teaches."""
    loader = make_loader(task)
    model = task.make_model().to(task.device)
    optimizer = torch.optim.SGD(model.parameters(), **SGD)

    def train(window: Window) -> None:
        while True:
            for images, labels in loader:
                images, labels = (  # noqa: PLW2901
                    tensor.to(task.device, non_blocking=True)
                    for tensor in (images, labels)
                )
                optimizer.zero_grad()
                with torch.autocast(
                    task.device, dtype=torch.bfloat16, enabled=task.precision == "bf16"
                ):
                    loss = F.cross_entropy(model(images), labels)
                loss.backward()
                optimizer.step()
                if window.step():
                    return

    return task.precision, train
