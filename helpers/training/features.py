"""What a frozen network makes of a data set: computed once and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
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
        device: ``auto``, ``cpu``, ``cuda`` …
        precision: ``auto``, ``fp32`` or ``bf16``.

    Returns:
        The same splits, labels and ids; images are float32 (N, C', h, w), or (N, D, 1,
        1) for features without a map, which ``fit`` and ``evaluate`` take as they are.

    Raises:
        ModelError: the model puts out something else.
    """
    where = choose_device(device)
    arithmetic = choose_arithmetic(where, precision)
    key = _key(model, splits, arithmetic.dtype)
    model = model.to(where)
    mean, std = splits.channel_stats()
    parts: dict[str, Split] = {}
    for name, split in splits.parts.items():
        batches = partial(Batches, split, batch_size, device=where, mean=mean, std=std)
        compute = partial(_compute, model, batches, arithmetic)
        maps = cached(f"features-{key}-{name}", compute)
        parts[name] = replace(split, images=maps.float())
    return replace(
        splits,
        train=parts["train"],
        valid=parts["valid"],
        test=parts.get("test"),
        normalisation=None,
    )


def _compute(
    model: nn.Module, batches: Callable[[], Batches], arithmetic: Arithmetic
) -> Tensor:
    return torch.cat(list(_forward(model, batches(), arithmetic)))


def _forward(
    model: nn.Module, batches: Batches, arithmetic: Arithmetic
) -> Iterator[Tensor]:
    """Maps (B, C', h, w) of each batch, on the CPU, in the type of the arithmetic."""
    with torch.no_grad(), evaluation_mode(model):
        for images, _ in batches.epoch(0):
            with arithmetic.in_use():
                maps = model(images)
            if not isinstance(maps, Tensor) or maps.ndim not in (2, 4):
                found = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps)
                raise ModelError(
                    f"{type(model).__name__} puts out {found}: expected maps (B, C, h, "
                    "w) or features (B, D)."
                )
            maps = maps[:, :, None, None] if maps.ndim == 2 else maps
            yield maps.contiguous(memory_format=torch.contiguous_format).cpu()


def _key(model: nn.Module, splits: Splits, dtype: torch.dtype) -> str:
    parts = (VERSION, splits.fingerprint(), dtype, model, weights_digest(model))
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()
