"""ConvNet: the CIFAR-10 assignment's network, and the two layers it asks to add."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from helpers.models.building import flat_size, register


class Dropout(nn.Dropout):
    """Dropout of maps (B, C, H, W), compiled once for all probabilities, and drawn in
    the order of ``channels_last``.
    """

    kept: Tensor

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.register_buffer("kept", torch.tensor(1.0 - p), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape, in training with zeros, the rest scaled up."""
        if not self.training:
            return maps
        batch, channels, *sides = maps.shape
        drawn = torch.rand(batch, *sides, channels, device=maps.device)
        mask = (drawn.movedim(-1, 1) < self.kept) / self.kept.clamp(min=1e-9)
        return (maps * mask).to(maps.dtype)


@register("conv_net")
class ConvNet(nn.Module):
    """Five blocks of 3×3 convolution, max pooling and ReLU, then one linear layer.

    Each pooling halves the maps, from 32×32 pixels to one value of each of 512 maps.

    Args:
        image_size: at least 2 to the number of blocks.
        hidden_sizes: maps of each block.
        batch_norm: between convolution and pooling (Ioffe and Szegedy 2015); the
            convolutions keep their biases, so that nothing else differs.
        dropout: between two blocks (Srivastava et al. 2014).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 32,
        *,
        hidden_sizes: Sequence[int] = (128, 512, 512, 512, 512),
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        pairs = pairwise([in_channels, *hidden_sizes])
        for i, (before, size) in enumerate(pairs, start=1):
            if i > 1 and dropout:
                layers[f"dropout{i - 1}"] = Dropout(dropout)
            layers[f"conv{i}"] = nn.Conv2d(before, size, kernel_size=3, padding=1)
            if batch_norm:
                layers[f"norm{i}"] = nn.BatchNorm2d(size)
            layers[f"pool{i}"] = nn.MaxPool2d(2)
            layers[f"relu{i}"] = nn.ReLU()
        self.features = nn.Sequential(layers)
        inputs = flat_size(self.features, in_channels, image_size)
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.features(images)  # (B, 3, 32, 32) -> (B, 512, 1, 1)
        logits: Tensor = self.fc(x.flatten(1))
        return logits
