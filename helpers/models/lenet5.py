"""LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998) in the course's variant: ReLU, max
pooling by four, and many more maps.
"""

from torch import Tensor, nn

from helpers.models.building import initialise, register


@register("lenet5")
class LeNet5(nn.Module):
    """Two convolutions with large pooling, then three fully connected layers.

    Padding 2 keeps the maps' size before each pooling, so that the first fully
    connected layer sees 4×4×64 = 1024 values of a 64×64 image. By default the network
    is the course's; the last three arguments are improvements.

    Args:
        image_size: at least 16.
        batch_norm: before each ReLU.
        dropout: before each of the last two layers.
        init: as ``initialise`` takes it.
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
        """Images (B, C, H, W) to logits (B, num_classes); comments: 64×64 pixels."""
        x = self.pool(self.relu1(self.norm1(self.conv1(images))))  # (B, 32, 16, 16)
        x = self.pool(self.relu2(self.norm2(self.conv2(x))))  # (B, 64, 4, 4)
        x = self.relu(self.norm3(self.fc1(x.flatten(1))))  # (B, 1021)
        x = self.relu(self.norm4(self.fc2(self.dropout(x))))  # (B, 84)
        logits: Tensor = self.fc3(self.dropout(x))
        return logits
