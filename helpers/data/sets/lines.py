"""The line dataset: straight lines of 96 kinds on black, drawn from a seed.

It is no stand-in: the course has everybody generate it (CS671, first assignment). A
class is a length, a width, a colour and an angle; images differ in where it lies.
"""

import math
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from helpers.base.errors import DataError, explained
from helpers.base.files import write_atomic
from helpers.data.splits import Split, Splits

IMAGE_SIZE = 28
FACTORS = {
    "length": ("7", "15"),  # pixels
    "width": ("1", "3"),  # pixels
    "color": ("red", "blue"),
    # Counter-clockwise from the horizontal.
    "angle": tuple(f"{angle}°" for angle in range(0, 180, 15)),
}
COMBINATIONS = tuple(product(*FACTORS.values()))
CLASSES = tuple(
    f"{length}×{width} {color} {angle}" for length, width, color, angle in COMBINATIONS
)
CHANNELS = {"red": 0, "blue": 2}

IMAGES_PER_CLASS = 1000
# Three fifths, a tenth of them for validation; the rest is the test split.
TRAIN_SHARE, VALID_SHARE = 0.54, 0.06
SEED = 0
FILE = "lines.npz"  # name it anew when the drawing itself changes


def make(folder: Path) -> None:
    """Draws the 96,000 images into ``lines.npz``, unless it is there."""
    if (folder / FILE).is_file():
        return
    images = _draw_all(IMAGES_PER_CLASS, SEED)
    labels = np.repeat(np.arange(len(CLASSES), dtype=np.uint8), IMAGES_PER_CLASS)
    with write_atomic(folder / FILE) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, images=images, labels=labels)


def load(folder: Path) -> Splits:
    """Reads ``lines.npz``, made first if need be."""
    make(folder)
    path = folder / FILE
    advice = f"Move {folder} away, and it is made again."
    with explained(DataError, f"{path} cannot be read", advice), np.load(path) as file:
        images = file["images"]
        if images.shape[0] != len(CLASSES) * IMAGES_PER_CLASS or images.dtype != "u1":
            raise ValueError(f"{len(images)} images of {images.dtype}")
        return _divide("real", images)


def draw() -> Splits:
    """Draws the stand-in: 50 images of each class, from another seed."""
    return _divide("synthetic", _draw_all(50, SEED + 1))


def draw_lines(
    length: int, width: int, angle: int, count: int, rng: Generator
) -> NDArray[np.uint8]:
    """Draws ``count`` lines, each anywhere wholly inside its image.

    A pixel's value is the share that the line covers of it, taken along and across the
    line and multiplied: exact for horizontal and vertical lines, else very nearly so.

    Returns:
        ``uint8`` (N, 28, 28), 0–255; length and width are in pixels, the angle in
        degrees, counter-clockwise from the horizontal.
    """
    # Beyond half a pixel outside the line, no pixel's centre is touched by it.
    reach_along, reach_across = (length + 1) / 2, (width + 1) / 2
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    reach_x = reach_along * abs(cos) + reach_across * abs(sin)
    reach_y = reach_along * abs(sin) + reach_across * abs(cos)
    # Pixels' centres are at 0 … 27: what is touched lies strictly between -1 and 28.
    places_x = rng.uniform(reach_x - 1, IMAGE_SIZE - reach_x, (count, 1, 1))
    places_y = rng.uniform(reach_y - 1, IMAGE_SIZE - reach_y, (count, 1, 1))
    x = np.arange(IMAGE_SIZE) - places_x  # (N, 1, 28)
    y = places_y - np.arange(IMAGE_SIZE)[:, None]  # (N, 28, 1), upwards
    along = np.clip(reach_along - np.abs(cos * x + sin * y), 0, 1)  # (N, 28, 28)
    across = np.clip(reach_across - np.abs(cos * y - sin * x), 0, 1)
    return np.rint(255 * along * across).astype(np.uint8)


def _draw_all(count: int, seed: int) -> NDArray[np.uint8]:
    """Draws ``count`` images of each class: ``uint8`` (N, 3, 28, 28)."""
    images = np.zeros((len(CLASSES), count, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    for label, (length, width, color, angle) in enumerate(COMBINATIONS):
        rng = np.random.default_rng([seed, label])
        degrees = int(angle.removesuffix("°"))
        lines = draw_lines(int(length), int(width), degrees, count, rng)
        images[label, :, CHANNELS[color]] = lines
    return images.reshape(-1, *images.shape[2:])


def _divide(source: str, images: NDArray[np.uint8]) -> Splits:
    """Splits images (N, 3, 28, 28), as many of each class, 54 : 6 : 40."""
    each = images.reshape(len(CLASSES), -1, 3, IMAGE_SIZE, IMAGE_SIZE).shape[1]
    ids = tuple(f"{name}/{number:04d}" for name in CLASSES for number in range(each))
    labels = torch.arange(len(CLASSES)).repeat_interleave(each)
    whole = Split(torch.from_numpy(images), labels, ids)
    # The images of a class are independent: the first are as random as any others.
    bounds = torch.tensor([TRAIN_SHARE, TRAIN_SHARE + VALID_SHARE]).mul(each).round()
    part = torch.bucketize(torch.arange(each), bounds, right=True).repeat(len(CLASSES))
    train, valid, test = (
        whole.subset((part == number).nonzero().flatten()) for number in range(3)
    )
    return Splits("lines", source, CLASSES, train, valid, test, FACTORS)
