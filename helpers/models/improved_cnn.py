"""The improved CNN: LeNet-5's plan with what has been learned since.

Stages of 3×3 convolutions in place of single 5×5 ones (Simonyan and Zisserman 2015),
batch normalisation after each (Ioffe and Szegedy 2015), and global average pooling in
place of large fully connected layers (Lin et al. 2014).
"""

from collections.abc import Sequence
from itertools import pairwise, starmap

from torch import Tensor, nn

from helpers.models.building import register


def conv_bn_relu(before: int, after: int, size: int = 3, stride: int = 1) -> nn.Module:
    """Convolution without bias, batch normalisation, ReLU."""
    conv = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())


def stage(before: int, after: int) -> nn.Module:
    """Two convolutions, and pooling between them."""
    return nn.Sequential(
        conv_bn_relu(before, after), nn.MaxPool2d(2), conv_bn_relu(after, after)
    )


class ConvStages(nn.Module):
    """Images to features: a 5×5 convolution, then stages, which halve the maps."""

    def __init__(
        self, in_channels: int, widths: Sequence[int], stem_stride: int
    ) -> None:
        super().__init__()
        self.stem = conv_bn_relu(in_channels, widths[0], size=5, stride=stem_stride)
        self.stages = nn.Sequential(*starmap(stage, pairwise(widths)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to features (B, widths[-1])."""
        x = self.stem(images)  # (B, 3, 64, 64) -> (B, 48, 32, 32)
        x = self.stages(x)  # (B, 384, 4, 4)
        features: Tensor = x.mean(dim=(2, 3))  # (B, 384)
        return features


@register("improved_cnn")
class ImprovedCNN(nn.Module):
    """Convolutional stages, dropout and one linear layer.

    Args:
        widths: maps after the first convolution, then after each stage.
        dropout: of features.
        stem_stride: of the first convolution: 2 saves three quarters of the work, 1 is
            for small images.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        widths: Sequence[int] = (48, 96, 192, 384),
        dropout: float = 0.0,
        stem_stride: int = 2,
    ) -> None:
        super().__init__()
        self.features = ConvStages(in_channels, widths, stem_stride)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(widths[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        logits: Tensor = self.fc(self.dropout(self.features(images)))
        return logits
