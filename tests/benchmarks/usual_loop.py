"""The usual loop: torchvision's data, v2 transforms, DataLoader with workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from contender import CALTECH, ROTATE, SCALE, SGD, TRANSLATE, Task, Window
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from helpers.data import load_data
from helpers.data.splits import Split

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BILINEAR = v2.InterpolationMode.BILINEAR
FOLDERS = [  # Caltech-101
    v2.RandomHorizontalFlip(),
    v2.RandomAffine(
        degrees=ROTATE,
        translate=(TRANSLATE, TRANSLATE),
        scale=(1 / (1 + SCALE), 1 + SCALE),
        interpolation=BILINEAR,
    ),
]
ARRAYS = [  # CIFAR-10
    v2.RandomCrop(32, padding=4),
    v2.RandomHorizontalFlip(),
    v2.RandomRotation(ROTATE, interpolation=BILINEAR),
]
LAST = [
    v2.ToImage(),
    v2.ToDtype(torch.float32, scale=True),
    v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
]


class InMemory(Dataset[tuple[Tensor, int]]):
    """Images as ``torchvision.datasets.CIFAR10`` keeps them and gives them out."""

    def __init__(self, split: Split, transform: Callable[[Any], Tensor]) -> None:
        self.images = split.images.movedim(1, -1).contiguous().numpy()
        self.labels = split.labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index])
        return self.transform(image), self.labels[index]


def make_loader(task: Task) -> DataLoader[tuple[Tensor, Tensor]]:
    """The task's data as most tutorials load them."""
    data: Dataset[Any]
    if task.problem.data == CALTECH.data:
        transform = v2.Compose([*FOLDERS, *LAST])
        data = ImageFolder(Path(task.folder) / "train", transform)
    else:
        split = load_data(task.problem.data, source=task.source).train
        data = InMemory(split, v2.Compose([*ARRAYS, *LAST]))
    return DataLoader(
        data,
        batch_size=task.problem.batch_size,
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
