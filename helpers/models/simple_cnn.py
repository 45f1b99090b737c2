"""SimpleCNN: the course's small network to recognise artists, and the family around it.

The course hands out its code in class; the defaults here follow the assignment it was
taken from (MIT 6.867): two 5×5 convolutions with stride 2 and 16 maps, padded so that a
stride s makes ceil(n / s) of n pixels, and a hidden layer of 64 units.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from helpers.models.building import flat_size, register


@register("simple_cnn")
class SimpleCNN(nn.Module):
    """Convolutions with ReLU and max pooling if wanted, two fully connected layers.

    Args:
        depths: maps of each convolution.
        filter_sizes: side of the filters: one for all convolutions, or for each.
        strides: likewise.
        pooling: whether max pooling follows each convolution.
        pool_size: side of the pooling windows; the last may reach over the edge.
        pool_stride: pixels between two of them.
        hidden: units of the hidden layer.
        dropout: of hidden units.
        batch_norm: after each convolution (Ioffe and Szegedy 2015).
        local_response: local response normalisation (Krizhevsky et al. 2012).
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
    ) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = in_channels
        each = [
            [value] * len(depths) if isinstance(value, int) else value
            for value in (filter_sizes, strides)
        ]
        plan = zip(depths, *each, strict=True)
        for i, (depth, size, stride) in enumerate(plan, start=1):
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
        inputs = flat_size(self.features, in_channels, image_size)
        self.fc1 = nn.Linear(inputs, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes); comments: the defaults."""
        x = self.features(images)  # (B, 3, 50, 50) -> (B, 16, 13, 13)
        x = self.relu(self.fc1(x.flatten(1)))  # (B, 64)
        logits: Tensor = self.fc2(self.dropout(x))
        return logits
