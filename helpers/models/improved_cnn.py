"""The improved CNN: LeNet-5's plan (convolutions, pooling, classifier) with what has
been learned since.

Three stages of 3×3 convolutions in place of one 5×5 each (Simonyan and Zisserman 2015),
batch normalisation after every convolution (Ioffe and Szegedy 2015), and global average
pooling in place of the large fully connected layers (Lin et al. 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from helpers.models.registry import register


def conv_bn_relu(
    in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the map keeps its size but for the
    stride.
    """
    return nn.Sequential(
        # No bias: the normalisation that follows has one.
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class ConvStages(nn.Module):
    """Images to features: a 5×5 convolution, then stages of two 3×3 convolutions with
    pooling between.

    Args:
        in_channels: channels of an image.
        widths: maps after the first convolution, then after each stage; a stage halves
            the side of the maps.
        stem_stride: of the first convolution.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], stem_stride: int
    ) -> None:
        super().__init__()
        self.stem = conv_bn_relu(
            in_channels, widths[0], kernel_size=5, stride=stem_stride
        )
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    conv_bn_relu(before, width),
                    nn.MaxPool2d(2),
                    conv_bn_relu(width, width),
                )
                for before, width in pairwise(widths)
            )
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(
                    module.weight, mode="fan_out", nonlinearity="relu"
                )

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to features (B, widths[-1]); sizes in comments: three
        stages, stride 2, 64×64.
        """
        x = self.stem(images)  # (B, 48, 32, 32)
        x = self.stages(x)  # (B, 384, 4, 4)
        features: Tensor = x.mean(dim=(2, 3))  # (B, 384)
        return features


@register("improved_cnn")
class ImprovedCNN(nn.Module):
    """Convolutional stages, dropout and one linear layer.

    Args:
        num_classes: number of logits.
        in_channels: channels of an image.
        widths: maps after the first convolution, then after each stage; a stage halves
            the side of the maps.
        dropout: probability of dropping a feature before the last layer.
        stem_stride: of the first convolution. Two saves work: at full size a
            convolution costs four times as much and sees only edges. One is for small
            images.
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
