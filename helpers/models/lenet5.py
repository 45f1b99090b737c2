"""LeNet-5 in the course's variant: ReLU, max pooling by four, and many more maps than
in 1998.

After Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to
document recognition (Proc. IEEE, 1998).
"""

from __future__ import annotations

from torch import Tensor, nn

from helpers.models.initialise import initialise
from helpers.models.registry import register


@register("lenet5")
class LeNet5(nn.Module):
    """Two convolutions with large pooling, then three fully connected layers.

    Padding 2 keeps the maps at full size before each pooling, so that the first fully
    connected layer sees 4×4×64 = 1024 values of a 64×64 image. There is no softmax: the
    network returns logits, cross-entropy on logits is the stable form of softmax
    followed by its logarithm, and prediction applies softmax itself.

    The last three arguments are improvements to be measured one at a time; as they are
    by default, the network is the course's.

    Args:
        num_classes: number of logits.
        in_channels: channels of an image.
        image_size: side of the square images in pixels; at least 16.
        batch_norm: normalise after each convolution and the first two fully connected
            layers.
        dropout: probability of dropping a value before each of the last two fully
            connected layers.
        init: ``xavier``, ``he``, or None for PyTorch's default.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 64,
        *,
        batch_norm: bool = False,
        dropout: float = 0.0,
        init: str | None = None,
    ) -> None:
        super().__init__()
        side = image_size // 4 // 4
        self.conv1 = nn.Conv2d(in_channels, 32, kernel_size=5, padding=2)
        self.norm1 = nn.BatchNorm2d(32) if batch_norm else nn.Identity()
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(32, 64, kernel_size=5, padding=2)
        self.norm2 = nn.BatchNorm2d(64) if batch_norm else nn.Identity()
        self.relu2 = nn.ReLU()
        self.pool = nn.MaxPool2d(kernel_size=4, stride=4)
        self.fc1 = nn.Linear(64 * side * side, 1021)
        self.norm3 = nn.BatchNorm1d(1021) if batch_norm else nn.Identity()
        self.fc2 = nn.Linear(1021, 84)
        self.norm4 = nn.BatchNorm1d(84) if batch_norm else nn.Identity()
        self.fc3 = nn.Linear(84, num_classes)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes); the sizes in comments are for
        64×64.
        """
        x = self.pool(self.relu1(self.norm1(self.conv1(images))))  # (B, 32, 16, 16)
        x = self.pool(self.relu2(self.norm2(self.conv2(x))))  # (B, 64, 4, 4)
        x = self.relu(self.norm3(self.fc1(x.flatten(1))))  # (B, 1021)
        x = self.relu(self.norm4(self.fc2(self.dropout(x))))  # (B, 84)
        logits: Tensor = self.fc3(self.dropout(x))
        return logits
