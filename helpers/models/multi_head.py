"""A shared feature network, and a head for each factor that the classes combine."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.models.building import register
from helpers.models.heads import Heads
from helpers.models.improved_cnn import ConvStages


@register("multi_head_cnn")
class MultiHeadCNN(nn.Module):
    """``ConvStages`` and a classifier for each head, trained end to end.

    Args:
        num_classes: combinations of the heads' classes.
        heads: as ``Heads`` takes them.
        widths: maps, as of ``ConvStages``.
        hidden: units in the hidden layer of each head.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        heads: Mapping[str, Sequence[str]],
        widths: Sequence[int] = (16, 32, 64, 128),
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.heads = Heads(heads)
        if self.heads.num_classes != num_classes:
            raise ModelError(
                f"Heads of {self.heads.shape} classes combine to "
                f"{self.heads.num_classes}, not {num_classes}."
            )
        self.features = ConvStages(in_channels, widths, stem_stride=1)
        self.head = nn.ModuleDict()
        for name, width in zip(self.heads.factors, self.heads.widths, strict=True):
            self.head[name] = nn.Sequential(
                nn.Linear(widths[-1], hidden), nn.ReLU(), nn.Linear(hidden, width)
            )

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to the outputs of all heads side by side (B, D)."""
        features = self.features(images)  # (B, widths[-1])
        return torch.cat([head(features) for head in self.head.values()], dim=1)
