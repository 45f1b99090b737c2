"""Transfer learning: the features of a pretrained network and a new classifier."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.models.building import register
from helpers.models.pretrained import FOLDED, HALVES, IMAGENET, features, load_backbone


class FeatureNet(nn.Module):
    """The lower part of a pretrained network: images to maps of one small size.

    Args:
        backbone: as ``load_backbone`` takes it, like ``weights``.
        layer: the last that is kept, as ``pretrained.features`` takes it.
        size: side in pixels that images are resized to; None keeps theirs.
        pool: side of the maps after adaptive average pooling.
        frozen: no gradients, and evaluation mode even while the rest trains, so that
            the statistics of batch normalisation stay as well.
    """

    folded: Tensor

    def __init__(
        self,
        backbone: str = "alexnet",
        layer: str = "conv4",
        weights: str | None = None,
        *,
        size: int | None = None,
        pool: int = 7,
        frozen: bool = True,
    ) -> None:
        super().__init__()
        network, self.weights = load_backbone(backbone, weights)
        folded = self.weights.endswith(FOLDED)
        self.mean, self.std = HALVES if folded else IMAGENET
        self.backbone, self.size, self.frozen = backbone, size, frozen
        self.layers = features(network, layer)
        self.out_channels: int = self.layers(torch.zeros(1, 3, 64, 64)).shape[1]
        self.pool = nn.AdaptiveAvgPool2d(pool)
        # In the state dict: a saved network is built again without its weights file.
        self.register_buffer("folded", torch.tensor(folded))
        self.requires_grad_(not frozen)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Training mode for what may learn; folded batch normalisation never is."""
        super().train(mode and not self.frozen)
        if self.folded:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3 or 1, H, W) to maps (B, C, pool, pool)."""
        images = images.expand(-1, 3, -1, -1)
        if self.size is not None and images.shape[-1] != self.size:
            images = F.interpolate(
                images, (self.size, self.size), mode="bilinear", antialias=True
            )
        maps: Tensor = self.pool(self.layers(images))
        return maps


@register("feature_classifier")
class FeatureClassifier(nn.Module):
    """Fully connected layers on the maps of another network.

    Args:
        in_channels: maps.
        image_size: side of the maps.
        hidden: units of each hidden layer; none makes the classifier linear.
        batch_norm: before the ReLU of each hidden layer.
        dropout: before each layer.
        standardise: normalise each map first, by statistics learned in training: some
            networks output values of a hundred and more.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: int = 7,
        *,
        hidden: Sequence[int] = (),
        batch_norm: bool = False,
        dropout: float = 0.0,
        standardise: bool = False,
    ) -> None:
        super().__init__()
        norm = nn.BatchNorm2d(in_channels, affine=False)
        self.norm = norm if standardise else nn.Identity()
        layers: list[nn.Module] = []
        widths = [in_channels * image_size**2, *hidden]
        for before, width in pairwise(widths):
            layers += [nn.Dropout(dropout), nn.Linear(before, width)]
            layers += [nn.BatchNorm1d(width)] if batch_norm else []
            layers.append(nn.ReLU())
        layers += [nn.Dropout(dropout), nn.Linear(widths[-1], num_classes)]
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, h, w) to logits (B, num_classes)."""
        logits: Tensor = self.layers(self.norm(maps).flatten(1))
        return logits


@register("transfer_net")
class TransferNet(nn.Module):
    """``FeatureNet`` and ``FeatureClassifier`` as one network.

    ``features`` and ``head`` also work apart: the head can be trained on features that
    were computed once. Images are normalised with ``features.mean`` and ``.std``, of a
    saved network with those of its ``SavedModel``.

    Args:
        in_channels: 3, or 1 for gray images, which all three input channels then see.
        backbone: as ``FeatureNet`` takes it, like what follows.
        options: what else ``FeatureClassifier`` takes.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        backbone: str = "alexnet",
        layer: str = "conv4",
        weights: str | None = None,
        size: int | None = None,
        pool: int = 7,
        frozen: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if in_channels not in (1, 3):
            raise ModelError(
                "A pretrained network takes images with 3 channels, or gray ones with "
                f"1, not {in_channels}."
            )
        self.features = FeatureNet(
            backbone, layer, weights, size=size, pool=pool, frozen=frozen
        )
        maps = self.features.out_channels
        self.head = FeatureClassifier(num_classes, maps, pool, **options)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, in_channels, H, W) to logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(images))
        return logits
