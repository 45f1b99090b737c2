"""Stand-ins for real data: drawn objects in front of clutter, the same every time.

A class is an outline, a texture, a colour and surroundings of a typical colour. Every
image has its own place, size, angle, shade, background, smaller objects of other kinds
behind and before the real one, and noise, so that a network has something to learn and
is still wrong often enough to be worth looking at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
version 1
The images in this folder are drawn by helpers/data/synthetic.py; they only stand in for the real ones.
The folder may be deleted: it is drawn again, exactly so, when it is next needed.
"""

# Lobes around the outline, their depth, elongation, radius of the hole (-1: none).
OUTLINES = np.array(
    [
        (0, 0.0, 1.0, -1.0),
        (0, 0.0, 2.2, -1.0),
        (0, 0.0, 1.1, 0.55),
        (3, 0.5, 1.0, -1.0),
        (4, 0.45, 1.0, -1.0),
        (2, 0.6, 1.0, -1.0),
        (5, 0.6, 1.0, 0.25),
    ],
    dtype=np.float32,
)
# Waves along the object's own two axes and out of its centre; their product is the
# texture.
TEXTURES = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1.3)], dtype=np.float32)
GRAYSCALE_SHARE = 0.05


def draw_once(folder: Path, draw: Callable[[Path], None]) -> None:
    """Has ``draw`` fill ``folder``, unless this version of the drawings is already
    there.

    Raises:
        DataError: the disk is full or not writable.
    """
    fill_once(folder, draw, marker=MARKER, text=MARKER_TEXT)


def draw_class_folders(
    folder: Path,
    classes: Sequence[str],
    counts: Mapping[str, int],
    size: int,
    *,
    layout: str = "{split}/{name}/image_{number:04d}.jpg",
) -> None:
    """Draws ``<split>/<class>/image_XXXX.jpg``, RGB and a few grayscale.

    Args:
        folder: where the split folders are made.
        classes: class names.
        counts: images per class for each split.
        size: side of the images in pixels.
        layout: another path below ``folder``, made of ``split``, the class's ``name``
            and a running ``number``.
    """
    numbered = [
        (split, number) for split, count in counts.items() for number in range(count)
    ]

    def draw_class(label: int) -> None:
        rng = np.random.default_rng([label, len(classes), size])
        images = draw_images(label, len(classes), len(numbered), size, rng)
        gray = rng.random(len(numbered)) < GRAYSCALE_SHARE
        for number, (image, (split, _), is_gray) in enumerate(
            zip(images, numbered, gray, strict=True), start=1
        ):
            target = folder / layout.format(
                split=split, name=classes[label], number=number
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).convert("L" if is_gray else "RGB").save(
                target, quality=95, subsampling=0
            )

    with ThreadPoolExecutor() as pool:
        list(pool.map(draw_class, range(len(classes))))


def draw_images(
    label: int, num_classes: int, count: int, size: int, rng: Generator
) -> NDArray[np.uint8]:
    """Draws images of one class.

    Args:
        label: which class, 0 to ``num_classes`` - 1.
        num_classes: how many classes share the outlines, textures and colours.
        count: number of images N.
        size: side in pixels.
        rng: source of every random number.

    Returns:
        ``uint8`` (N, size, size, 3).
    """
    rest, outline = divmod(label, len(OUTLINES))
    tone, texture = divmod(rest, len(TEXTURES))
    tones = -(-num_classes // (len(OUTLINES) * len(TEXTURES)))
    outlines, textures, hues = (
        np.full(count, outline),
        np.full(count, texture),
        rng.normal(tone / tones, 0.04, count),
    )

    habitat = np.random.default_rng(label).uniform(0.2, 1.1, 3)
    canvas = _background(habitat, count, size, rng)
    clutter = partial(_paint_clutter, rng=rng)
    for _ in range(2):
        clutter(canvas)
    _paint(canvas, outlines, textures, hues, radius=(0.5, 0.85), place=0.15, rng=rng)
    clutter(canvas)
    light, grain = (
        rng.uniform((0.7, 0.0), (1.15, 0.1), (count, 2))
        .astype(np.float32)
        .T[:, :, None, None, None]
    )
    noise = rng.standard_normal(canvas.shape, dtype=np.float32)
    images: NDArray[np.uint8] = (
        np.clip(canvas * light + noise * grain, 0, 1) * 255
    ).astype(np.uint8)
    return images


def _background(
    habitat: NDArray[np.float64], count: int, size: int, rng: Generator
) -> Floats:
    """A shade of the colour ``habitat`` (3,) with a few slow waves over it (N, S, S,
    3).
    """
    x, y = _grid(size)
    along_x, along_y, phase = rng.normal(0, 1, (3, count, 4, 1, 1)).astype(np.float32)
    waves = np.sin(5 * along_x * x + 5 * along_y * y + 9 * phase)  # (N, 4, S, S)
    colours = rng.normal(0, 0.08, (count, 4, 1)) + rng.normal(0, 0.05, (count, 4, 3))
    plain = (
        habitat + rng.normal(0, 0.15, (count, 1, 1)) + rng.normal(0, 0.1, (count, 1, 3))
    )
    pixels = waves.reshape(count, 4, -1).swapaxes(1, 2) @ colours.astype(
        np.float32
    ) + plain.astype(np.float32)
    canvas: Floats = pixels.reshape(count, size, size, 3)
    return canvas


def _paint_clutter(canvas: Floats, rng: Generator) -> None:
    """Paints a small object of any kind somewhere into each image: in a window, which
    saves time.
    """
    count, size = len(canvas), canvas.shape[1]
    side = size * 7 // 16
    corners = rng.integers(size - side + 1, size=(count, 2))
    windows = [
        image[y : y + side, x : x + side]
        for image, (y, x) in zip(canvas, corners, strict=True)
    ]
    tiles = np.stack(windows)
    outlines, textures = (
        rng.integers(len(OUTLINES), size=count),
        rng.integers(len(TEXTURES), size=count),
    )
    _paint(
        tiles,
        outlines,
        textures,
        rng.random(count),
        radius=(0.25, 0.65),
        place=0.15,
        rng=rng,
    )
    for window, tile in zip(windows, tiles, strict=True):
        window[:] = tile


def _paint(
    canvas: Floats,
    outlines: NDArray[np.int64],
    textures: NDArray[np.int64],
    hues: NDArray[np.float64],
    *,
    radius: tuple[float, float],
    place: float,
    rng: Generator,
) -> None:
    """Paints one object into each image, in place; ``radius`` and ``place`` are in half
    sides.
    """
    count, size = canvas.shape[:2]

    def uniform(low: float, high: float) -> Floats:
        return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)

    # Coordinates of the object (N, S, S): shifted, turned, scaled.
    x, y = _grid(size)
    x, y, angle, scale = (
        x - uniform(-place, place),
        y - uniform(-place, place),
        uniform(-0.4, 0.4),
        uniform(*radius),
    )
    u, v = (
        (np.cos(angle) * x + np.sin(angle) * y) / scale,
        (np.cos(angle) * y - np.sin(angle) * x) / scale,
    )
    lobes, depth, elongation, hole = OUTLINES[outlines].T[:, :, None, None]
    v = v * elongation * uniform(0.8, 1.25)
    turn, distance = np.arctan2(v, u), np.hypot(u, v)
    edge = 1 - depth * (0.5 + 0.5 * np.cos(lobes * turn))

    sharpness = (
        scale * size / 2
    )  # from object units to pixels, for edges one pixel wide
    inside = np.clip((edge - distance) * sharpness, 0, 1) * np.clip(
        (distance - hole) * sharpness, 0, 1
    )
    frequency = TEXTURES[textures].T[:, :, None, None] * uniform(7, 10)  # (3, N, 1, 1)
    waves = [
        np.cos(factor * along + np.sign(factor) * uniform(0, 2 * np.pi))
        for factor, along in zip(frequency, (u, v, distance), strict=True)
    ]
    pattern = waves[0] * waves[1] * waves[2]

    colour = _rgb(
        hues[:, None, None], uniform(0.4, 1.0), uniform(0.5, 0.9)
    )  # (N, 1, 1, 3)
    shade = 1 + uniform(0.3, 0.6)[..., None] * pattern[..., None]
    canvas += inside[..., None] * (colour * shade - canvas)


def _grid(size: int) -> tuple[Floats, Floats]:
    """Coordinates x (1, S) and y (S, 1), -1 to 1."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return axis[None, :], axis[:, None]


def _rgb(hue: NDArray[np.float64], saturation: Floats, value: Floats) -> Floats:
    """Hue (in turns), saturation and value to RGB in a last axis."""
    sector = (np.array([5, 3, 1]) + 6 * hue[..., None]) % 6
    drop = np.clip(np.minimum(sector, 4 - sector), 0, 1) * saturation[..., None]
    return (value[..., None] * (1 - drop)).astype(np.float32)
