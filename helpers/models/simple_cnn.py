"""SimpleCNN: the course's small network to recognise artists, and the family around it.

The course hands out its code in class; the defaults here follow the assignment it was
taken from (MIT 6.867): two 5×5 convolutions with stride 2 and 16 maps, padded so that a
stride s makes ceil(n / s) of n pixels, and a hidden layer of 64 units.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.models.initialise import initialise
from helpers.models.registry import register


@register("simple_cnn")
class SimpleCNN(nn.Module):
    """Convolutions with ReLU and max pooling if wanted, two fully connected layers.

    Args:
        depths: maps of each convolution.
        filter_sizes: side of the filters, odd: one for all convolutions, or for each.
        strides: likewise.
        pooling: whether max pooling follows each convolution.
        pool_size: side of the pooling windows; the last may reach over the edge.
        pool_stride: pixels between two of them.
        hidden: units of the hidden layer.
        dropout: of hidden units.
        batch_norm: after each convolution (Ioffe and Szegedy 2015).
        local_response: local response normalisation (Krizhevsky et al. 2012).
        init: as ``initialise`` takes it.

    Raises:
        ModelError: the numbers of filter sizes, strides and depths differ, a filter
            size is even, or the maps shrink to nothing.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 50,
        *,
        depths: Sequence[int] = (16, 16),
        filter_sizes: int | Sequence[int] = 5,
        strides: int | Sequence[int] = 2,
        pooling: bool = False,
        pool_size: int = 2,
        pool_stride: int = 2,
        hidden: int = 64,
        dropout: float = 0.0,
        batch_norm: bool = False,
        local_response: bool = False,
        init: str | None = None,
    ) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = in_channels
        sizes, steps = _each(filter_sizes, depths), _each(strides, depths)
        for i, (depth, size, stride) in enumerate(
            zip(depths, sizes, steps, strict=True), start=1
        ):
            if size % 2 == 0:
                raise ModelError(f"A filter size is {size}: expected odd ones.")
            layers[f"conv{i}"] = nn.Conv2d(before, depth, size, stride, size // 2)
            if batch_norm:
                layers[f"norm{i}"] = nn.BatchNorm2d(depth)
            layers[f"relu{i}"] = nn.ReLU()
            if local_response:
                layers[f"lrn{i}"] = nn.LocalResponseNorm(5)
            if pooling:
                layers[f"pool{i}"] = nn.MaxPool2d(
                    pool_size, pool_stride, ceil_mode=True
                )
            before = depth
        self.features = nn.Sequential(layers)
        inputs = _feature_count(self.features, in_channels, image_size)
        self.fc1 = nn.Linear(inputs, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, num_classes)
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes); comments: the defaults."""
        x = self.features(images)  # (B, 3, 50, 50) -> (B, 16, 13, 13)
        x = self.relu(self.fc1(x.flatten(1)))  # (B, 64)
        logits: Tensor = self.fc2(self.dropout(x))
        return logits


def _each(value: int | Sequence[int], depths: Sequence[int]) -> Sequence[int]:
    """One value per convolution."""
    values = [value] * len(depths) if isinstance(value, int) else value
    if len(values) != len(depths):
        raise ModelError(
            f"{len(depths)} depths {list(depths)} do not go with {list(values)}: "
            "expected one per depth."
        )
    return values


def _feature_count(features: nn.Module, in_channels: int, image_size: int) -> int:
    """Values that the convolutions make of one image."""
    probe = torch.zeros(2, in_channels, image_size, image_size, device="meta")
    try:
        maps: Tensor = copy.deepcopy(features).to("meta")(probe)  # on shapes alone
    except RuntimeError as error:
        raise ModelError(
            f"Images of {image_size}×{image_size} shrink to nothing ({error}): "
            "choose fewer layers, or smaller strides and pooling windows."
        ) from error
    return maps[0].numel()
