"""LeNet-5 in the course's variant: ReLU, max pooling by four, and many more maps than in 1998.

After Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
recognition (Proc. IEEE, 1998).
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from helpers.models.registry import register


@register("lenet5")
class LeNet5(nn.Module):
    """Two convolutions with large pooling, then three fully connected layers.

    Padding 2 keeps the maps at full size before each pooling, so that the first fully connected
    layer sees 4×4×64 = 1024 values of a 64×64 image. There is no softmax: the network returns
    logits, cross-entropy on logits is the stable form of softmax followed by its logarithm, and
    prediction applies softmax itself.

    Args:
        num_classes: number of logits.
        in_channels: channels of an image.
        image_size: side of the square images in pixels; at least 16.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, image_size: int = 64) -> None:
        super().__init__()
        side = image_size // 4 // 4
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(in_channels, 32, kernel_size=5, padding=2),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(4),
                conv2=nn.Conv2d(32, 64, kernel_size=5, padding=2),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(4),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                fc1=nn.Linear(64 * side * side, 1021),
                relu3=nn.ReLU(),
                fc2=nn.Linear(1021, 84),
                relu4=nn.ReLU(),
                fc3=nn.Linear(84, num_classes),
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, 64, 64) to logits (B, num_classes)."""
        maps = self.features(images)  # (B, 64, 4, 4)
        logits: Tensor = self.classifier(maps)
        return logits
