"""What a user gives, as a network needs it: any image, a class or head by name."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor

from helpers.base.errors import DataError, ModelError
from helpers.data.images import MODES, load_image
from helpers.insight.attribution import Target
from helpers.models.heads import heads_of
from helpers.models.saved import SavedModel

LISTED = 25  # an error lists this many classes; of more it names the nearest


def read_image(saved: SavedModel, image: Path | Tensor | None) -> Tensor:
    """An image as the network takes it: ``uint8`` (channels, image_size, image_size),
    from a file of any size and mode; a tensor that is so already; or None, a blank one,
    medium grey.

    Raises:
        DataError: the file is missing or no image, or the tensor does not fit.
        ModelError: the network takes no images, but another network's maps.
    """
    shape = (saved.channels, saved.image_size, saved.image_size)
    if saved.channels not in MODES:
        raise ModelError(
            f"This {type(saved.model).__name__} takes {saved.channels} maps of another "
            "network, no image: choose the model that holds both."
        )
    if image is None:
        return torch.full(shape, 128, dtype=torch.uint8)
    if isinstance(image, Path):
        return load_image(image, size=saved.image_size, channels=saved.channels)
    if image.dtype != torch.uint8 or image.shape != shape:
        raise DataError(
            f"The image is a tensor of shape {tuple(image.shape)} and type "
            f"{image.dtype}. Expected uint8 {shape}, 0–255."
        )
    return image.cpu()


def parse_target(saved: SavedModel, target: Target) -> Target:
    """A class or head by its name.

    Besides what ``Target`` allows, text may be a class's name or else index, or
    ``head=class`` with the name or index of one of the head's classes.

    Raises:
        ModelError: nothing has this name; the message lists what there is.
    """
    if not isinstance(target, str):
        return target
    factors = getattr(heads_of(saved.model), "factors", {})
    head, equals, name = target.partition("=")
    if head in factors and target not in saved.classes:
        return (head, _find(name, factors[head], f"head {head!r}")) if equals else head
    too = f"; or a head, or head=class, of the heads {', '.join(factors)}"
    return _find(target, saved.classes, "the network", too if factors else "")


def _find(text: str, classes: Sequence[str], where: str, also: str = "") -> int:
    if text in classes:
        return classes.index(text)
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
