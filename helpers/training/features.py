"""What a frozen network makes of a data set: computed once and kept on disk."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.data.batches import Batches
from helpers.data.cache import cached
from helpers.data.splits import Split, Splits
from helpers.training.device import Arithmetic, choose_arithmetic, choose_device
from helpers.training.evaluate import evaluation_mode
from helpers.training.identity import weights_digest

VERSION = 1  # raise it when the same network and images would give other features


def extract_features(
    model: nn.Module,
    splits: Splits,
    *,
    batch_size: int = 256,
    device: str = "auto",
    precision: str = "auto",
) -> Splits:
    """The data set with each image replaced by what ``model`` makes of it.

    The features are kept in ``data/.cache``, by the images and their normalisation, the
    model's layers and weights, and the precision.

    Args:
        model: images (B, C, H, W), normalised as ``splits`` says, to maps (B, C', h, w)
            or features (B, D); used in evaluation mode, and left on the device.
        splits: images, never augmented.
        batch_size: images per forward pass.
        device: as of ``TrainConfig``.
        precision: likewise.

    Returns:
        The same splits, labels and ids; images are float32 (N, C', h, w), or (N, D, 1,
        1) for features without a map, which ``fit`` and ``evaluate`` take as they are.

    Raises:
        ModelError: the model outputs something else.
    """
    arithmetic = choose_arithmetic(choose_device(device), precision)
    seen = (splits.fingerprint(), arithmetic.dtype, model, weights_digest(model))
    key = hashlib.blake2b(repr((VERSION, *seen)).encode(), digest_size=12).hexdigest()
    model = model.to(arithmetic.device)
    parts: dict[str, Split] = {}
    for name, split in splits.parts.items():
        compute = partial(_maps, model, split, splits, batch_size, arithmetic)
        maps = cached(f"features-{key}-{name}", compute)
        parts[name] = replace(split, images=maps.float())
    return replace(
        splits,
        train=parts["train"],
        valid=parts["valid"],
        test=parts.get("test"),
        normalisation=None,
    )


@torch.no_grad()
def _maps(
    model: nn.Module,
    split: Split,
    splits: Splits,
    batch_size: int,
    arithmetic: Arithmetic,
) -> Tensor:
    """Maps (N, C', h, w), on the CPU, in the type of the arithmetic."""
    mean, std = splits.channel_stats()
    batches = Batches(split, batch_size, device=arithmetic.device, mean=mean, std=std)
    found = []
    with evaluation_mode(model):
        for images, _ in batches.epoch(0):
            with arithmetic.in_use():
                maps = model(images)
            if not isinstance(maps, Tensor) or maps.ndim not in (2, 4):
                shape = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps)
                raise ModelError(
                    f"{type(model).__name__} outputs {shape}: expected maps (B, C, h, "
                    "w) or features (B, D)."
                )
            maps = maps[:, :, None, None] if maps.ndim == 2 else maps
            maps = maps.contiguous(memory_format=torch.contiguous_format)
            found.append(maps.cpu())
    return torch.cat(found)
