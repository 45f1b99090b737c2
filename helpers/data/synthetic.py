"""Stand-ins for real data: a drawn object on a noisy ground, the same every time.

A class is a number of lobes, a colour and a pattern; place, size, angle, shade and
ground differ from image to image, so that a network is still wrong often enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from helpers.data.staging import fill_once

MARKER = "SYNTHETIC.txt"
MARKER_TEXT = """\
version 3
Drawn by helpers/data/synthetic.py: images that only stand in for the real ones.
The folder may be deleted: it is drawn again, exactly so, when it is next needed.
"""
LOBES = 6  # outlines with 0 to 5 lobes


def draw_once(folder: Path, draw: Callable[[Path], None]) -> None:
    """Has ``draw`` fill ``folder``, unless this version is already there."""
    fill_once(folder, draw, marker=MARKER, text=MARKER_TEXT)


def draw_files(
    folder: Path, classes: Sequence[str], layout: Mapping[str, int], size: int
) -> None:
    """Draws image files, RGB and one of each class grayscale.

    Args:
        folder: where they go.
        classes: class names.
        layout: paths, made of the class's ``name`` and a running ``number``, to how
            many images of each class lie there.
        size: side of the images in pixels.
    """
    paths = [path for path, count in layout.items() for _ in range(count)]

    def draw_class(label: int) -> None:
        rng = np.random.default_rng([label, len(classes), size])
        images = draw_images(label, len(classes), len(paths), size, rng)
        for i, pixels in enumerate(images):
            path = folder / paths[i].format(name=classes[label], number=i + 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(pixels).convert("L" if i == 1 else "RGB")
            image.save(path, quality=95, subsampling=0)

    with ThreadPoolExecutor() as pool:
        list(pool.map(draw_class, range(len(classes))))


def draw_mixed(
    num_classes: int, count: int, size: int, rng: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images ``uint8`` (N, size, size, 3) of all classes, shuffled, and labels."""
    each = count // num_classes
    images = [
        draw_images(label, num_classes, each, size, rng) for label in range(num_classes)
    ]
    labels = np.repeat(np.arange(num_classes, dtype=np.uint8), each)
    order = rng.permutation(count)
    return np.concatenate(images)[order], labels[order]


def draw_images(
    label: int, num_classes: int, count: int, size: int, rng: Generator
) -> NDArray[np.uint8]:
    """Draws ``count`` images of class ``label``: ``uint8`` (N, size, size, 3)."""
    tone, lobes = divmod(label, LOBES)
    tones = -(-num_classes // LOBES)

    def uniform(low: float, high: float, channels: int = 1) -> NDArray[np.float64]:
        return rng.uniform(low, high, (count, 1, 1, channels))

    axis = np.linspace(-1, 1, size)
    x = axis[:, None] - uniform(-0.2, 0.2)
    y = axis[:, None, None] - uniform(-0.2, 0.2)
    angle = np.arctan2(y, x) + uniform(-0.4, 0.4)
    edge = uniform(0.5, 0.9) * (1 - 0.25 * (1 + np.cos(lobes * angle)))
    inside = ((edge - np.hypot(x, y)) * size / 2).clip(0, 1)  # (N, S, S, 1)
    hue = tone / tones + rng.normal(0, 0.04, (count, 1, 1, 1)) + np.arange(3) / 3
    stripes = 1 + uniform(0.3, 0.6) * np.cos(uniform(7, 10) * (x, y)[tone % 2])
    colour = uniform(0.5, 0.9) * (0.5 + 0.5 * np.cos(2 * np.pi * hue)) * stripes
    ground = uniform(0.2, 0.8) + uniform(-0.2, 0.2, channels=3)
    images = ground + inside * (colour - ground)
    images += rng.normal(0, 0.08, images.shape)
    return (images.clip(0, 1) * 255).astype(np.uint8)
