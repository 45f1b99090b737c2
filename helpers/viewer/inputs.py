"""What a user gives, as a network needs it: any image, a class or head by name."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from helpers.base.errors import DataError, ModelError
from helpers.data.images import MODES, load_image
from helpers.insight.attribution import Target
from helpers.models.heads import heads_of
from helpers.models.saved import SavedModel

LISTED = 25  # an error lists this many classes; of more it names the nearest


def read_image(
    saved: SavedModel, image: Path | Tensor | None
) -> tuple[Tensor, list[str]]:
    """An image as the network takes it, and what was done to make it so.

    Args:
        saved: the network.
        image: a file of any size and mode; ``uint8`` (C, H, W) as the network takes it;
            or None, a blank one.

    Returns:
        ``uint8`` (channels, image_size, image_size); a sentence for each change.

    Raises:
        DataError: the file is missing or no image, or the tensor does not fit.
        ModelError: the network takes no images, but another network's maps.
    """
    side = saved.image_size
    shape = (saved.channels, side, side)
    if saved.channels not in MODES:
        raise ModelError(
            f"This {type(saved.model).__name__} takes {saved.channels} maps of another "
            "network, no image: choose the model that holds both."
        )
    if image is None:
        blank = torch.full(shape, 128, dtype=torch.uint8)
        return blank, ["No image was given: a blank one is used, medium grey."]
    if isinstance(image, Tensor):
        if image.dtype != torch.uint8 or image.shape != shape:
            raise DataError(
                f"The image is a tensor of shape {tuple(image.shape)} and type "
                f"{image.dtype}. Expected uint8 {shape}, 0–255."
            )
        return image.cpu(), []
    found = load_image(image, size=side, channels=saved.channels)
    with Image.open(image) as file:
        (width, height), mode = file.size, file.mode
    changes = []
    if (width, height) != (side, side):
        changes.append(
            f"The image of {width}×{height} pixels was resized to {side}×{side}."
        )
    if mode != MODES[saved.channels]:
        wanted = "grayscale" if saved.channels == 1 else "RGB"
        changes.append(f"The image was converted from {mode} to {wanted}.")
    return found, changes


def parse_target(saved: SavedModel, target: Target) -> Target:
    """A class or head by its name.

    Besides what ``Target`` allows, text may be a class's name or else index, or
    ``head=class`` with the name or index of one of the head's classes.

    Raises:
        ModelError: nothing has this name; the message lists what there is.
    """
    if not isinstance(target, str):
        return target
    heads = heads_of(saved.model)
    factors = {} if heads is None else heads.factors
    if target in factors and target not in saved.classes:
        return target
    head, equals, name = target.partition("=")
    if equals and head in factors and target not in saved.classes:
        return head, _find(name, factors[head], f"head {head!r}")
    too = f"; or a head, or head=class, of the heads {', '.join(factors)}"
    return _find(target, saved.classes, "the network", too if factors else "")


def _find(text: str, classes: Sequence[str], where: str, also: str = "") -> int:
    if text in classes:
        return list(classes).index(text)
    if text.isdecimal() and int(text) < len(classes):
        return int(text)
    known = ", ".join(classes)
    if len(classes) > LISTED:
        near = get_close_matches(text, classes, n=3, cutoff=0.4) or classes[:3]
        known = f"{len(classes)} classes, such as {', '.join(near)}"
    raise ModelError(
        f"There is no class {text!r}: {where} knows {known}, or their indices from "
        f"0{also}."
    )
