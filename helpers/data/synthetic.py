"""Stand-ins for real data: drawn objects in front of clutter, the same every time.

A class is an outline, a texture, a colour and surroundings; all else differs from image
to image, so that a network has something to learn and is still wrong often enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from helpers.data.staging import fill_once

Floats: TypeAlias = NDArray[np.float32]

MARKER = "SYNTHETIC.txt"
MARKER_TEXT = """\
version 2
Drawn by helpers/data/synthetic.py: images that only stand in for the real ones.
The folder may be deleted: it is drawn again, exactly so, when it is next needed.
"""
# Lobes around the outline, their depth, elongation.
OUTLINES = np.array(
    [(0, 0, 1), (0, 0, 2.2), (3, 0.5, 1), (4, 0.45, 1), (2, 0.6, 1), (5, 0.6, 1)],
    dtype=np.float32,
)
# Waves along the object's two axes: plain, stripes one way or the other, checks.
TEXTURES = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], dtype=np.float32)
GRAYSCALE_SHARE = 0.05


def draw_once(folder: Path, draw: Callable[[Path], None]) -> None:
    """Has ``draw`` fill ``folder``, unless this version is already there."""
    fill_once(folder, draw, marker=MARKER, text=MARKER_TEXT)


def draw_class_folders(
    folder: Path,
    classes: Sequence[str],
    counts: Mapping[str, int],
    size: int,
    *,
    layout: str = "{split}/{name}/image_{number:04d}.jpg",
) -> None:
    """Draws image files, RGB and a few grayscale, in class folders.

    Args:
        folder: where the split folders are made.
        classes: class names.
        counts: images per class for each split.
        size: side of the images in pixels.
        layout: paths made of ``split``, the class's ``name`` and a running ``number``.
    """
    splits = [split for split, count in counts.items() for _ in range(count)]

    def draw_class(label: int) -> None:
        rng = np.random.default_rng([label, len(classes), size])
        images = draw_images(label, len(classes), len(splits), size, rng)
        modes = np.where(rng.random(len(splits)) < GRAYSCALE_SHARE, "L", "RGB")
        for i, split in enumerate(splits):
            path = layout.format(split=split, name=classes[label], number=i + 1)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(images[i]).convert(str(modes[i]))
            image.save(folder / path, quality=95, subsampling=0)

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
    rest, outline = divmod(label, len(OUTLINES))
    tone, texture = divmod(rest, len(TEXTURES))
    tones = -(-num_classes // (len(OUTLINES) * len(TEXTURES)))
    surroundings = np.random.default_rng(label).uniform(0.2, 1.1, 3)
    shades = rng.normal(0, 0.15, (count, 1)) + rng.normal(0, 0.1, (count, 3))
    canvas = np.empty((count, size, size, 3), dtype=np.float32)
    canvas[:] = (surroundings + shades)[:, None, None]
    _paint_clutter(canvas, rng)
    _paint(
        canvas,
        np.full(count, outline),
        np.full(count, texture),
        rng.normal(tone / tones, 0.04, count),
        radius=(0.5, 0.85),
        rng=rng,
    )
    _paint_clutter(canvas, rng)
    canvas *= rng.uniform(0.7, 1.15, (count, 1, 1, 1))
    canvas += rng.standard_normal(canvas.shape, dtype=np.float32) * rng.uniform(
        0, 0.1, (count, 1, 1, 1)
    )
    return (canvas.clip(0, 1) * 255).astype(np.uint8)


def _paint_clutter(canvas: Floats, rng: Generator) -> None:
    """Paints a small object of any kind somewhere into each image."""
    count = len(canvas)
    _paint(
        canvas,
        rng.integers(len(OUTLINES), size=count),
        rng.integers(len(TEXTURES), size=count),
        rng.random(count),
        radius=(0.1, 0.3),
        place=0.6,
        rng=rng,
    )


def _paint(
    canvas: Floats,
    outlines: NDArray[np.int64],
    textures: NDArray[np.int64],
    hues: NDArray[np.float64],
    *,
    radius: tuple[float, float],
    place: float = 0.15,
    rng: Generator,
) -> None:
    """Paints one object into each image; ``radius`` and ``place`` are in half sides."""
    count, size = canvas.shape[:2]

    def uniform(low: float, high: float) -> Floats:
        return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)

    # Coordinates of the object (N, S, S): shifted, turned, scaled.
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = axis - uniform(-place, place), axis[:, None] - uniform(-place, place)
    angle, scale = uniform(-0.4, 0.4), uniform(*radius)
    u = (np.cos(angle) * x + np.sin(angle) * y) / scale
    v = (np.cos(angle) * y - np.sin(angle) * x) / scale
    lobes, depth, elongation = OUTLINES[outlines].T[:, :, None, None]
    v = v * elongation * uniform(0.8, 1.25)
    edge = 1 - depth * (0.5 + 0.5 * np.cos(lobes * np.arctan2(v, u)))
    inside = ((edge - np.hypot(u, v)) * scale * size / 2).clip(0, 1)

    along_u, along_v = TEXTURES[textures].T[:, :, None, None] * uniform(7, 10)
    pattern = np.cos(along_u * u) * np.cos(along_v * v)
    thirds = np.arange(3) / 3
    colour = 0.5 + 0.5 * np.cos(2 * np.pi * (hues[:, None] + thirds))  # (N, 3)
    shade = 1 + uniform(0.3, 0.6) * pattern
    painted = (colour * rng.uniform(0.5, 0.9, (count, 1))).astype(np.float32)
    target = painted[:, None, None] * shade[..., None]
    canvas += inside[..., None] * (target - canvas)
