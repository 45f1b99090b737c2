"""Stand-ins for real data: a drawn object on a noisy ground, the same every time.

A class is a number of lobes, a colour and a pattern; place, size, angle, shade and
ground differ from image to image, so that a network is still wrong often enough.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from helpers.data.splits import Split, Splits

LOBES = 6  # outlines with 0 to 5 lobes


def draw_stand_in(
    name: str,
    classes: Sequence[str],
    size: int,
    *,
    counts: tuple[int, int, int],
    channels: int = 3,
) -> Splits:
    """Draws the stand-in of the set ``name``.

    Of each class there are ``counts`` images for training, validation and testing;
    ``size`` is their side in pixels.
    """
    train, valid, test = counts
    each = sum(counts)
    drawn = [draw_images(k, len(classes), each, size) for k in range(len(classes))]
    images = torch.from_numpy(np.stack(drawn)).movedim(-1, 2)  # (K, N, 3, size, size)

    def part(start: int, count: int) -> Split:
        numbers = range(start + 1, start + count + 1)
        return Split(
            images[:, start : start + count, :channels].flatten(0, 1),
            torch.arange(len(classes)).repeat_interleave(count),
            tuple(f"{label}/image_{n:04d}" for label in classes for n in numbers),
        )

    return Splits(
        name,
        "synthetic",
        tuple(classes),
        part(0, train),
        part(train, valid),
        part(train + valid, test) if test else None,
    )


def draw_images(
    label: int, num_classes: int, count: int, size: int
) -> NDArray[np.uint8]:
    """Draws ``count`` images of class ``label``: ``uint8`` (N, size, size, 3)."""
    rng = np.random.default_rng([label, num_classes, size])
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
