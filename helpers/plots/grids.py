"""Many small pictures in rows: images, and what a network makes of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from helpers.plots.style import (
    PAGE_WIDTH,
    SMALL,
    color_scale,
    map_colors,
    page_blocks,
    plain,
)


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
    texts = [plain(title).splitlines() for title in titles or []]
    names = ["\n".join(textwrap.fill(t, letters) for t in text) for text in texts]
    lines = max((name.count("\n") + 1 for name in names), default=0)
    figure, (axes,) = page_blocks([len(pictures)], columns, above=0.13 * lines)
    for i, picture in enumerate(pictures):
        axes[i].imshow(picture, cmap="gray", vmin=0, vmax=highest)
        if names:
            axes[i].set_title(names[i], fontsize=SMALL, pad=2)
    return figure


def plot_activation_grid(maps: Tensor, *, title: str = "", columns: int = 8) -> Figure:
    """The maps (maps, h, w) of one layer for one image, on one scale."""
    pictures = maps.detach().float().cpu().numpy()
    colors, norm = map_colors(pictures)
    figure, (axes,) = page_blocks(
        [len(pictures)], columns, above=0.14, heading=0.3 if title else 0, bottom=0.56
    )
    for i, picture in enumerate(pictures):
        axes[i].imshow(picture, cmap=colors, norm=norm)
        axes[i].set_title(str(i), fontsize=SMALL, pad=2)
    extend = "both" if norm.vmin else "max"
    color_scale(figure, axes[0].images[0], "activation", extend)
    if title:
        top = 1 - 0.05 / figure.get_figheight()
        figure.suptitle(plain(title), fontsize=10, y=top, va="top")
    return figure
