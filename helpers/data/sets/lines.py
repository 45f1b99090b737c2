"""The line dataset: straight lines of 96 kinds on black, drawn from a seed.

It is no stand-in: the course has everybody generate it (CS671, first assignment). A
class is a length, a width, a colour and an angle; images differ in where it lies.
"""

from __future__ import annotations

import json
import math
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from helpers.base.errors import DataError, explained
from helpers.data.splits import Loaded, Split
from helpers.data.staging import fill_once

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
# In ASCII, for ids: 7x1-red-030.
STEMS = tuple(
    f"{length}x{width}-{color}-{angle.removesuffix('°'):0>3}"
    for length, width, color, angle in COMBINATIONS
)
CHANNELS = {"red": 0, "blue": 2}

IMAGES_PER_CLASS = 1000
# Three fifths, a tenth of them for validation; the rest is the test split.
TRAIN_SHARE, VALID_SHARE = 0.54, 0.06
SEED = 0
VERSION = 1  # raise it when the drawing itself changes

FILE = "lines.npz"
MARKER = "lines.json"


def make(folder: Path) -> None:
    """Draws the 96,000 images, unless this version is already there.

    Raises:
        DataError: the folder holds something else, or the disk is full or not writable.
    """
    about = {"version": VERSION, "seed": SEED, "images_per_class": IMAGES_PER_CLASS}
    write = partial(_write, count=IMAGES_PER_CLASS, seed=SEED)
    fill_once(folder, write, marker=MARKER, text=json.dumps(about))


def draw(folder: Path) -> None:
    """Draws the stand-in: the same classes with 50 images each, from another seed."""
    _write(folder, count=50, seed=SEED + 1)


def load(folder: Path) -> Loaded:
    """Reads ``lines.npz``: of each class 540, 60 and 400 images for the splits."""
    path = folder / FILE
    advice = f"Move {folder} away, and it is made again."
    with explained(DataError, f"{path} cannot be read", advice), np.load(path) as file:
        images = torch.from_numpy(file["images"])
        by_class = images.view(len(CLASSES), -1, 3, IMAGE_SIZE, IMAGE_SIZE)
    each = by_class.shape[1]
    ids = tuple(f"{stem}/{number:04d}" for stem in STEMS for number in range(each))
    whole = Split(images, torch.arange(len(CLASSES)).repeat_interleave(each), ids)
    # The images of a class are independent: the first are as random as any others.
    bounds = torch.tensor([TRAIN_SHARE, TRAIN_SHARE + VALID_SHARE]).mul(each).round()
    part = torch.bucketize(torch.arange(each), bounds, right=True).repeat(len(CLASSES))
    train, valid, test = (
        whole.subset((part == number).nonzero().flatten()) for number in range(3)
    )
    return CLASSES, train, valid, test


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


def _write(folder: Path, *, count: int, seed: int) -> None:
    """Saves ``count`` images (N, 3, 28, 28) of each class, and labels (N,)."""
    images = np.zeros((len(CLASSES), count, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    for label, (length, width, color, angle) in enumerate(COMBINATIONS):
        rng = np.random.default_rng([seed, label])
        degrees = int(angle.removesuffix("°"))
        lines = draw_lines(int(length), int(width), degrees, count, rng)
        images[label, :, CHANNELS[color]] = lines
    labels = np.repeat(np.arange(len(CLASSES), dtype=np.uint8), count)
    np.savez_compressed(
        folder / FILE, images=images.reshape(-1, *images.shape[2:]), labels=labels
    )
