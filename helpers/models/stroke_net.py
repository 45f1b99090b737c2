"""StrokeNet: a small network for drawings, made for what is special about them.

A drawing is paper, strokes and flat areas. Its paper has one colour, which says
nothing. Its strokes are thin and long: what tells about them is read along and across
them, near by and further off, rather than in squares; and a careless downsampling
breaks them. Whether areas are filled or only outlined is a matter of the whole picture,
and decides what strokes mean.

Known are: averages before downsampling (Zhang 2019), gates (squeeze-and-excitation; Hu
et al. 2018), filters of 1×n and n×1 (Szegedy et al. 2016). New is how they are put
together, and the context: no map is added to a later one, as in ResNet, or handed on to
all later ones, as in DenseNet. What goes past the layers is one vector for the whole
picture, to which each block adds what it has seen and by which it weighs its maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.models.initialise import initialise
from helpers.models.registry import register

POOLINGS = ("max", "average")


def remove_paper(images: Tensor) -> Tensor:
    """Subtracts the colour of the paper: the median of the outermost pixels, of each
    image (B, C, H, W) and channel.

    From then on paper is zero, as is what a convolution pads a picture with, which
    otherwise draws a frame around it.
    """
    rim = (images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1])
    return images - torch.cat(rim, dim=-1).median(dim=-1).values[..., None, None]


class StrokeBlock(nn.Module):
    """Reads strokes in four ways and weighs what it finds by the context.

    A quarter of the maps each is read along rows (1×5), along columns (5×1), near by
    (3×3) and further off (3×3 with gaps of a pixel): what four whole 5×5 filters see,
    for little more than a quarter of their work.

    Args:
        channels: maps that come in.
        width: maps that come out, a multiple of 4.
        context: length of the context vector; 0 does without.
        batch_norm: normalise what was read.
    """

    def __init__(
        self, channels: int, width: int, context: int, *, batch_norm: bool
    ) -> None:
        super().__init__()

        def read(size: tuple[int, int], dilation: int = 1) -> nn.Conv2d:
            padding = (size[0] // 2 * dilation, size[1] // 2 * dilation)
            return nn.Conv2d(
                channels,
                width // 4,
                size,
                padding=padding,
                dilation=dilation,
                bias=not batch_norm,
            )

        self.along, self.across = read((1, 5)), read((5, 1))
        self.near, self.far = read((3, 3)), read((3, 3), dilation=2)
        self.norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
        self.note = nn.Linear(width, context) if context else None
        self.gate = nn.Linear(context, width) if context else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, channels, H, W) and context (B, D) to maps (B, width, H, W) and the
        next context.
        """
        x = self.norm(
            torch.cat((self.along(x), self.across(x), self.near(x), self.far(x)), dim=1)
        )
        if self.note is not None and self.gate is not None:
            context = context + self.note(x.mean(dim=(2, 3)))
            # Twice a sigmoid: a gate that knows nothing yet, with weights of zero,
            # leaves the maps as they are.
            x = x * 2 * self.gate(F.relu(context)).sigmoid()[:, :, None, None]
        return self.relu(x), context


class StrokePool(nn.Module):
    """Halves the side of maps: the largest of 2×2 values at every place, then weighted
    means of 3×3 of those.

    A stroke of one pixel then survives wherever it lies. The weights are learned, for
    each map its own; they are positive with sum 1, and start as a binomial filter's.

    Args:
        channels: maps.
        pooling: ``max``, or ``average`` of the 2×2 values.
        blur: whether the weighted means follow; otherwise one of each 2×2 values is
            kept, as usual.
    """

    def __init__(self, channels: int, pooling: str, *, blur: bool) -> None:
        super().__init__()
        stride = 1 if blur else 2
        self.pool = (
            nn.MaxPool2d(2, stride) if pooling == "max" else nn.AvgPool2d(2, stride)
        )
        self.weights = (
            nn.Parameter(torch.tensor([1.0, 2.0, 1.0]).log().repeat(channels, 1))
            if blur
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, H, W) to (B, C, H // 2, W // 2)."""
        x = self.pool(x)
        if self.weights is None:
            return x
        row = self.weights.softmax(dim=1)  # (C, 3)
        means = (row[:, :, None] * row[:, None, :]).unsqueeze(1)  # (C, 1, 3, 3)
        return F.conv2d(x, means, stride=2, padding=1, groups=len(means))


class StrokeFeatures(nn.Module):
    """Images to features: ``StrokeNet`` without its last layer; takes its arguments."""

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        depths: Sequence[int],
        features: int,
        *,
        context: int,
        paper: bool,
        pooling: str,
        blur: bool,
        batch_norm: bool,
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ModelError(
                f"pooling is {pooling!r}: known are {', '.join(POOLINGS)}."
            )
        if len(depths) != len(widths) - 1 or any(width % 4 for width in widths[1:]):
            raise ModelError(
                f"widths {list(widths)} and depths {list(depths)} do not fit: expected "
                "one depth for each width but "
                "the first, and widths that are multiples of 4."
            )
        self.paper, self.context = paper, context

        def norm(channels: int) -> nn.Module:
            return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()

        first = nn.Conv2d(
            in_channels, widths[0], 5, stride=2, padding=2, bias=not batch_norm
        )
        self.stem = nn.Sequential(first, norm(widths[0]), nn.ReLU())
        steps: list[nn.Module] = []
        for (before, width), depth in zip(pairwise(widths), depths, strict=True):
            if steps:
                steps.append(StrokePool(before, pooling, blur=blur))
            inputs = [before] + [width] * (depth - 1)
            steps += [
                StrokeBlock(channels, width, context, batch_norm=batch_norm)
                for channels in inputs
            ]
        self.steps = nn.ModuleList(steps)
        self.summary = nn.Linear(2 * widths[-1] + context, features)
        self.norm = nn.BatchNorm1d(features) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to features (B, features); sizes in comments are those of
        96×96 pixels.
        """
        x = self.stem(remove_paper(images) if self.paper else images)  # (B, 32, 48, 48)
        context = torch.zeros(len(x), self.context, device=x.device)
        for step in (
            self.steps
        ):  # (B, 48, 48, 48), (B, 96, 24, 24), (B, 192, 12, 12), (B, 384, 6, 6)
            if isinstance(step, StrokeBlock):
                x, context = step(x, context)
            else:
                x = step(x)
        # How much there is of something, whether it is there at all, and what kind of
        # picture it is.
        seen = torch.cat(
            (x.mean(dim=(2, 3)), x.amax(dim=(2, 3)), context.to(x.dtype)), dim=1
        )
        features: Tensor = self.relu(self.norm(self.summary(seen)))
        return features


@register("stroke_net")
class StrokeNet(nn.Module):
    """Paper removed, strokes read block by block under a common context, features,
    dropout and one linear layer.

    Args:
        num_classes: number of logits.
        in_channels: channels of an image.
        widths: maps of the first convolution, then of the blocks of each stage; between
            stages the side is halved.
        depths: blocks of each stage.
        features: number of features that the last layer sees.
        context: length of the context vector; 0 does without.
        paper: whether the colour of the paper is subtracted first.
        pooling: ``max`` or ``average``.
        blur: whether weighted means follow the pooling, as ``StrokePool`` says.
        batch_norm: normalise in every block, and the features (Ioffe and Szegedy 2015).
        dropout: probability of dropping a feature before the last layer.
        init: ``he``, ``xavier``, or None for PyTorch's default.

    Raises:
        ModelError: an unknown pooling or initialisation, or widths and depths that do
            not fit together.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        widths: Sequence[int] = (32, 48, 96, 192, 384),
        depths: Sequence[int] = (1, 2, 2, 1),
        features: int = 256,
        context: int = 64,
        paper: bool = True,
        pooling: str = "max",
        blur: bool = True,
        batch_norm: bool = True,
        dropout: float = 0.2,
        init: str | None = "he",
    ) -> None:
        super().__init__()
        self.features = StrokeFeatures(
            in_channels,
            widths,
            depths,
            features,
            context=context,
            paper=paper,
            pooling=pooling,
            blur=blur,
            batch_norm=batch_norm,
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(features, num_classes)
        initialise(self, init)
        for block in self.features.steps:
            if isinstance(block, StrokeBlock) and block.gate is not None:
                nn.init.zeros_(block.gate.weight)
                nn.init.zeros_(block.gate.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        logits: Tensor = self.fc(self.dropout(self.features(images)))
        return logits
