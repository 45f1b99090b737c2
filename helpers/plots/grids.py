"""Many small pictures in rows: images, and what a network makes of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure
from torch import Tensor

from helpers.plots.style import PAGE_WIDTH, SMALL, page_grid


def plot_image_grid(
    images: Tensor, *, titles: Sequence[str] | None = None, columns: int = 8
) -> Figure:
    """Images in rows.

    Args:
        images: (N, C, H, W) with one or three channels; ``uint8`` 0–255 or float 0–1.
        titles: N texts above the images; underscores become spaces.
        columns: images per row.
    """
    pictures = images.detach().cpu().movedim(1, -1).numpy()  # (N, H, W, C)
    highest = 255 if pictures.dtype == np.uint8 else 1
    letters = round(17 * PAGE_WIDTH / columns)
    names = [
        "\n".join(
            textwrap.fill(line, letters) for line in t.replace("_", " ").split("\n")
        )
        for t in titles or []
    ]
    lines = max((name.count("\n") + 1 for name in names), default=0)
    figure, axes = page_grid(len(pictures), columns, above=0.13 * lines)
    for i, picture in enumerate(pictures):
        axes[i].imshow(picture, cmap="gray", vmin=0, vmax=highest)
        if names:
            axes[i].set_title(names[i], fontsize=SMALL, pad=2)
    return figure


def plot_activation_grid(maps: Tensor, *, title: str = "", columns: int = 8) -> Figure:
    """The maps that one layer makes of one image, numbered from 0, on one scale of
    colours.

    The scale ends where all but the highest 0.5 % of the values lie: a single bright
    pixel would otherwise leave the rest dark.

    Args:
        maps: (maps, h, w), as a layer puts them out. Negative values (a layer without
            ReLU) bring a scale that diverges from zero.
        title: what is shown, for example the layer and the image.
        columns: maps per row.
    """
    pictures = maps.detach().float().cpu().numpy()
    top = max(float(np.quantile(np.abs(pictures), 0.995)), 1e-6)
    signed = bool(pictures.min() < 0)
    norm = CenteredNorm(0, top) if signed else Normalize(0, top)
    figure, axes = page_grid(
        len(pictures), columns, above=0.14, top=0.3 if title else 0.0, bottom=0.56
    )
    for i, picture in enumerate(pictures):
        axes[i].imshow(picture, cmap="PuOr_r" if signed else "viridis", norm=norm)
        axes[i].set_title(str(i), fontsize=SMALL, pad=2)
    height = figure.get_figheight()
    scale = figure.add_axes((0.25, 0.42 / height, 0.5, 0.08 / height))
    bar = figure.colorbar(
        axes[0].images[0],
        scale,
        orientation="horizontal",
        extend="both" if signed else "max",
    )
    bar.set_label("activation", fontsize=SMALL + 1)
    scale.tick_params(labelsize=SMALL)
    if title:
        figure.suptitle(title, fontsize=10, y=1 - 0.05 / height, va="top")
    return figure
