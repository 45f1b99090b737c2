"""The line assignment's first network, and what its second part asks to vary in it."""

from itertools import pairwise

from torch import Tensor, nn

from helpers.base.errors import ModelError, require_known
from helpers.models.building import flat_size, register


@register("one_conv")
class OneConvCNN(nn.Module):
    """Convolution, ReLU, batch normalisation, 2×2 pooling, a large fully connected
    layer.

    By default as listed: 32 filters of 7×7 without padding, so that 28×28 pixels become
    22×22 and, pooled, 11×11.

    Args:
        kernel_size: side of the filters.
        filters: of the first convolution; each further one has twice as many.
        depth: convolutions, each with ReLU, batch normalisation and downsampling.
        downsampling: ``pool`` (max pooling), or ``stride`` 2 in the convolution.
        hidden: units of the fully connected layer.
        dropout: of these units.
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
        known = "pool", "stride"
        require_known(ModelError, "There is no downsampling", downsampling, known)
        stride = 2 if downsampling == "stride" else 1
        padding = kernel_size // 2 if depth > 1 else 0  # else too little is left
        widths = [in_channels, *(filters * 2**index for index in range(depth))]
        layers: list[nn.Module] = []
        for before, width in pairwise(widths):
            layers += [
                nn.Conv2d(before, width, kernel_size, stride, padding),
                nn.ReLU(),
                nn.BatchNorm2d(width),
            ]
            if downsampling == "pool":
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        inputs = flat_size(self.features, in_channels, image_size)
        self.hidden = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes); comments: the defaults."""
        x = self.features(images)  # (B, 32, 11, 11)
        x = self.hidden(x.flatten(1))  # (B, 1024)
        logits: Tensor = self.output(self.dropout(x))
        return logits
