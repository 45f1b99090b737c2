"""How much comes out of convolutions."""

from __future__ import annotations

import torch
from torch import nn

from helpers.base.errors import ModelError


def flat_size(features: nn.Module, in_channels: int, image_size: int) -> int:
    """How many values fresh layers make of one image; found by trying.

    Raises:
        ModelError: the images are too small for so many layers.
    """
    try:
        maps = features.eval()(torch.zeros(1, in_channels, image_size, image_size))
    except RuntimeError as error:
        raise ModelError(
            f"Images of {image_size}×{image_size} pixels are used up ({error}): choose "
            "fewer layers, smaller filters, strides and windows, or larger images."
        ) from error
    features.train()
    return int(maps.numel())
