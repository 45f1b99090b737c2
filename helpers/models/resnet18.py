"""ResNet-18, written out (He, Zhang, Ren and Sun: Deep Residual Learning for Image
Recognition, CVPR 2016), with torchvision's names, so that its weights load.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from helpers.models.building import register


class BasicBlock(nn.Module):
    """Two 3×3 convolutions whose result is added to their input.

    Where the shapes differ, a 1×1 convolution projects the input (option B).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        out: Tensor = self.relu(x + shortcut)
        return out


@register("resnet18")
class ResNet18(nn.Module):
    """Eight residual blocks in four stages behind a 7×7 convolution.

    Args:
        enlarge: what the sides of images are multiplied by first: the layers were made
            for 224×224 pixels.
    """

    def __init__(
        self, num_classes: int, in_channels: int = 3, enlarge: int = 1
    ) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes); comments: 64×64 pixels."""
        if self.enlarge > 1:
            images = F.interpolate(images, scale_factor=self.enlarge, mode="bilinear")
        x = self.relu(self.bn1(self.conv1(images)))  # (B, 64, 32, 32)
        x = self.layer1(self.maxpool(x))  # (B, 64, 16, 16)
        x = self.layer2(x)  # (B, 128, 8, 8)
        x = self.layer3(x)  # (B, 256, 4, 4)
        x = self.layer4(x)  # (B, 512, 2, 2)
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))  # of (B, 512)
        return logits
