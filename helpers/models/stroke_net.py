"""StrokeNet: a small network for drawings, made for what is special about them.

The background of a drawing has one colour, which says nothing. Strokes are thin and
long: they are read along and across, near by and further off, and careless downsampling
breaks them. Whether areas are filled is a matter of the whole picture.

Its parts are known: parallel branches with 1×n and n×1 filters (Inception; Szegedy et
al. 2015, 2016), channel gates from global averages (squeeze-and-excitation; Hu et al.
2018), blurred downsampling (Zhang 2019). New is that the gates share a context: one
vector for the whole picture, to which each block adds what it has seen.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.base.errors import ModelError, require_known
from helpers.models.building import initialise, register

POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def remove_paper(images: Tensor) -> Tensor:
    """Subtracts the background's colour, the median of the outermost pixels of each
    image (B, C, H, W) and channel: it is then zero, like the padding of a convolution.
    """
    # An index of a list would make the host wait for a GPU.
    edges = images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]
    border = torch.cat(edges, dim=2)
    return images - border.median(dim=2).values[..., None, None]


class StrokeBlock(nn.Module):
    """Four parallel convolutions, concatenated and gated by the context.

    A quarter of the maps each is read along rows (1×5), along columns (5×1), near by
    (3×3) and further off (3×3 with dilation 2), for little more than a quarter of the
    work of 5×5 filters.
    """

    def __init__(
        self, channels: int, width: int, context: int, *, batch_norm: bool
    ) -> None:
        super().__init__()

        def read(size: tuple[int, int], dilation: int = 1) -> nn.Conv2d:
            maps, bias = width // 4, not batch_norm
            return nn.Conv2d(channels, maps, size, 1, "same", dilation, bias=bias)

        self.along, self.across = read((1, 5)), read((5, 1))
        self.near, self.far = read((3, 3)), read((3, 3), dilation=2)
        self.norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
        self.note = nn.Linear(width, context) if context else None
        self.gate = nn.Linear(context, width) if context else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, channels, H, W), context (B, D) to (B, width, H, W) and (B, D)."""
        branches = (self.along(x), self.across(x), self.near(x), self.far(x))
        x = self.norm(torch.cat(branches, dim=1))
        if self.note is not None and self.gate is not None:
            context = context + self.note(x.mean(dim=(2, 3)))
            # Twice a sigmoid: a gate with weights of zero is the identity.
            x = x * 2 * self.gate(F.relu(context)).sigmoid()[:, :, None, None]
        return self.relu(x), context


class StrokePool(nn.Module):
    """Halves maps: 2×2 pooling at every place, then a 3×3 blur with stride 2 (Zhang
    2019): maps change gradually when a stroke moves by a pixel.

    The blur is learned, for each map its own; its weights are positive with sum 1, and
    start as a binomial filter's. Without ``blur``, the pooling has stride 2, as usual.
    """

    def __init__(self, channels: int, pooling: str, *, blur: bool) -> None:
        super().__init__()
        stride = 1 if blur else 2
        require_known(ModelError, "There is no pooling", pooling, POOLINGS)
        self.pool = POOLINGS[pooling](2, stride)
        binomial = torch.tensor([1.0, 2.0, 1.0]).log().repeat(channels, 1)
        self.weights = nn.Parameter(binomial) if blur else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, H, W) to (B, C, H // 2, W // 2)."""
        x = self.pool(x)
        if self.weights is None:
            return x
        row = self.weights.softmax(dim=1)  # (C, 3)
        means = (row[:, :, None] * row[:, None, :]).unsqueeze(1)  # (C, 1, 3, 3)
        return F.conv2d(x, means, stride=2, padding=1, groups=len(means))


class StrokeFeatures(nn.Module):
    """Images to features: paper removed, then stages of blocks with pooling between.

    Args:
        widths: maps of the first convolution, then of each stage: multiples of 4.
        depths: blocks of each stage.
        features: number of features.
        context: length of the context vector; 0 does without.
        paper: whether the background's colour is subtracted first.
        pooling: ``max`` or ``average``.
        blur: as in ``StrokePool``.
        batch_norm: in every block, and of the features.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        widths: Sequence[int] = (32, 48, 96, 192, 384),
        depths: Sequence[int] = (1, 2, 2, 1),
        features: int = 256,
        context: int = 64,
        paper: bool = True,
        pooling: str = "max",
        blur: bool = True,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.paper, self.context = paper, context

        def norm(channels: int) -> nn.Module:
            return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()

        first = nn.Conv2d(in_channels, widths[0], 5, 2, 2, bias=not batch_norm)
        self.stem = nn.Sequential(first, norm(widths[0]), nn.ReLU())
        steps: list[nn.Module] = []
        for (before, width), depth in zip(pairwise(widths), depths, strict=True):
            if steps:
                steps.append(StrokePool(before, pooling, blur=blur))
            for channels in [before] + [width] * (depth - 1):
                block = StrokeBlock(channels, width, context, batch_norm=batch_norm)
                steps.append(block)
        self.steps = nn.ModuleList(steps)
        self.summary = nn.Linear(2 * widths[-1] + context, features)
        self.norm = nn.BatchNorm1d(features) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to features (B, features); comments: 96×96 pixels."""
        x = self.stem(remove_paper(images) if self.paper else images)  # (B, 32, 48, 48)
        context = torch.zeros(len(x), self.context, device=x.device)
        for step in self.steps:  # to (B, 384, 6, 6)
            if isinstance(step, StrokeBlock):
                x, context = step(x, context)
            else:
                x = step(x)
        # How much there is of something, whether it is there, and in what picture.
        seen = (x.mean(dim=(2, 3)), x.amax(dim=(2, 3)), context.to(x.dtype))
        summary = self.summary(torch.cat(seen, dim=1))
        features: Tensor = self.relu(self.norm(summary))
        return features


@register("stroke_net")
class StrokeNet(nn.Module):
    """``StrokeFeatures``, dropout and one linear layer.

    Args:
        dropout: of features.
        init: as ``initialise`` takes it.
        options: what else ``StrokeFeatures`` takes.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        dropout: float = 0.2,
        init: str | None = "he",
        **options: Any,
    ) -> None:
        super().__init__()
        self.features = StrokeFeatures(in_channels, **options)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.features.summary.out_features, num_classes)
        initialise(self, init)
        for name, parameter in self.named_parameters():
            if ".gate." in name:
                nn.init.zeros_(parameter)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        logits: Tensor = self.fc(self.dropout(self.features(images)))
        return logits
