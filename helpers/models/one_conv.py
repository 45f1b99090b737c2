"""The line assignment's first network, and what its second part asks to vary in it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.models.registry import register


@register("one_conv")
class OneConvCNN(nn.Module):
    """Convolution, ReLU, batch normalisation, 2×2 pooling, a large fully connected
    layer.

    By default the network as listed: 32 filters of 7×7 without padding, so that 28×28
    pixels become 22×22 and, pooled, 11×11. The other arguments are what the assignment
    asks to try.

    Args:
        kernel_size: side of the filters.
        filters: of the first convolution; each further one has twice as many.
        depth: convolutions, each with ReLU, batch normalisation and downsampling.
        downsampling: ``pool`` (max pooling), or ``stride`` 2 in the convolution.
        hidden: units of the fully connected layer.
        dropout: of these units.

    Raises:
        ModelError: an unknown ``downsampling``, or the images are too small for so many
            convolutions.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 28,
        *,
        kernel_size: int = 7,
        filters: int = 32,
        depth: int = 1,
        downsampling: str = "pool",
        hidden: int = 1024,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if downsampling not in ("pool", "stride"):
            raise ModelError(
                f"downsampling is {downsampling!r}: known are pool, stride."
            )
        layers: list[nn.Module] = []
        channels, side = in_channels, image_size
        stride = 2 if downsampling == "stride" else 1
        for index in range(depth):
            width = filters * 2**index
            padding = kernel_size // 2 if depth > 1 else 0  # else too little is left
            layers += [
                nn.Conv2d(channels, width, kernel_size, stride, padding),
                nn.ReLU(),
                nn.BatchNorm2d(width),
            ]
            side = (side + 2 * padding - kernel_size) // stride + 1
            if downsampling == "pool":
                layers.append(nn.MaxPool2d(2))
                side //= 2
            channels = width
        if side < 1:
            raise ModelError(
                f"Images of {image_size} pixels are used up by {depth} convolutions of "
                f"{kernel_size}: choose fewer, or smaller filters."
            )
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Sequential(
            nn.Linear(channels * side * side, hidden), nn.ReLU()
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes); comments: the defaults."""
        x = self.features(images)  # (B, 32, 11, 11)
        x = self.hidden(torch.flatten(x, 1))  # (B, 1024)
        logits: Tensor = self.output(self.dropout(x))
        return logits
