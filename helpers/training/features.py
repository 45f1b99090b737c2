"""What a frozen network makes of a data set: computed once and kept on disk."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from helpers.base.tensors import cached
from helpers.data.batches import Batches
from helpers.data.splits import Split, Splits
from helpers.training.device import choose_arithmetic, choose_device
from helpers.training.evaluate import predict
from helpers.training.identity import code_digest, hashed, weights_digest

BATCH_SIZE = 256  # moderate on a GPU too: the model may enlarge its images


def extract_features(model: nn.Module, splits: Splits) -> Splits:
    """The data set with each image replaced by what ``model`` makes of it.

    The features are kept in ``data/.cache``, by the images and their normalisation, the
    model's layers, code and weights, and the precision.

    ``model`` takes images (B, C, H, W), normalised as ``splits`` says, never augmented,
    and is left on the device.

    Returns:
        The same splits, labels and ids; images are float32 maps (N, C', h, w), or (N,
        D, 1, 1) where the model makes features (B, D).
    """
    arithmetic = choose_arithmetic(choose_device(), "auto")
    how = torch.__version__, arithmetic, code_digest(model), weights_digest(model)
    key = hashed(repr((splits.fingerprint(), *how)))
    model = model.to(arithmetic.device)
    mean, std = splits.channel_stats()

    def compute(split: Split) -> Tensor:
        batches = Batches(
            split, BATCH_SIZE, device=arithmetic.device, mean=mean, std=std
        )
        made = torch.cat([out.cpu() for out in predict(model, batches, arithmetic)])
        maps = made if made.ndim == 4 else made[:, :, None, None]
        return maps.contiguous()

    parts: dict[str, Any] = {}
    for name, split in splits.parts.items():
        maps = cached(f"features-{key}-{name}", partial(compute, split))
        parts[name] = replace(split, images=maps.float())
    return replace(splits, normalisation=None, unlabelled={}, **parts)
