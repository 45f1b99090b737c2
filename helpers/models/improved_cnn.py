"""The improved CNN: LeNet-5's plan (convolutions, pooling, classifier) with what has been learned since.

Three stages of 3×3 convolutions in place of one 5×5 each (Simonyan and Zisserman 2015), batch
normalisation after every convolution (Ioffe and Szegedy 2015), and global average pooling in place
of the large fully connected layers (Lin et al. 2014).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from helpers.models.registry import register


def conv_bn_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    """3×3 convolution, batch normalisation, ReLU; the map keeps its size."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),  # the normalisation has the bias
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


@register("improved_cnn")
class ImprovedCNN(nn.Module):
    """Stages of convolutions, each ended by max pooling, then one linear layer.

    Args:
        num_classes: number of logits.
        in_channels: channels of an image.
        widths: maps in each stage; a stage halves the side of the maps.
        depth: convolutions per stage.
        dropout: probability of dropping a feature before the last layer.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        depth: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        channels = in_channels
        for width in widths:
            convs = [conv_bn_relu(channels if i == 0 else width, width) for i in range(depth)]
            stages.append(nn.Sequential(*convs, nn.MaxPool2d(2)))
            channels = width
        self.features = nn.Sequential(*stages)
        self.dropout = dropout
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        maps = self.features(images)  # (B, widths[-1], H / 2^stages, W / 2^stages)
        features = maps.mean(dim=(2, 3))  # (B, widths[-1])
        logits: Tensor = self.fc(F.dropout(features, self.dropout, self.training))
        return logits
