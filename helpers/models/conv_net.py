"""ConvNet: the network that the CIFAR-10 assignment describes, and the two layers that
it asks to add.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.models.registry import register


@register("conv_net")
class ConvNet(nn.Module):
    """Five blocks of convolution, max pooling and ReLU, in that order, then one fully
    connected layer.

    The convolutions are 3×3 with stride 1 and padding 1, so that maps keep their size;
    each pooling halves it, from 32×32 pixels to one value of each of the 512 last maps.
    There is no softmax: cross-entropy on logits contains it.

    Args:
        num_classes: number of logits.
        in_channels: channels of an image.
        image_size: side of the square images in pixels; at least 2 to the number of
            blocks.
        hidden_sizes: maps of each block's convolution: as many blocks as numbers.
        batch_norm: normalise between convolution and pooling (Ioffe and Szegedy 2015).
            The convolutions keep their biases, which normalisation makes superfluous:
            nothing else is to differ.
        dropout: probability of dropping a value between two blocks (Srivastava et al.
            2014).

    Raises:
        ModelError: the probability is not one, or the images are too small for so many
            blocks.
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
        if not 0 <= dropout < 1:
            raise ModelError(
                f"dropout is {dropout}: expected a probability of 0 or more, and less "
                "than 1."
            )
        side = image_size // 2 ** len(hidden_sizes)
        if side < 1:
            raise ModelError(
                f"Images of {image_size} pixels are used up by {len(hidden_sizes)} "
                "blocks, which halve them each: "
                "choose fewer hidden sizes, or larger images."
            )
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = in_channels
        for i, size in enumerate(hidden_sizes, start=1):
            if i > 1 and dropout > 0:
                layers[f"dropout{i - 1}"] = nn.Dropout(dropout)
            layers[f"conv{i}"] = nn.Conv2d(
                before, size, kernel_size=3, stride=1, padding=1
            )
            if batch_norm:
                layers[f"norm{i}"] = nn.BatchNorm2d(size)
            layers[f"pool{i}"] = nn.MaxPool2d(kernel_size=2, stride=2)
            layers[f"relu{i}"] = nn.ReLU()
            before = size
        self.features = nn.Sequential(layers)
        self.fc = nn.Linear(before * side * side, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes); the sizes in comments are
        those of the defaults.
        """
        x = self.features(images)  # (B, 3, 32, 32) -> (B, 512, 1, 1)
        logits: Tensor = self.fc(x.flatten(1))
        return logits
