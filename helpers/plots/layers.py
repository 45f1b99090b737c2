"""What the layers of a network make of images: maps, filters, heatmaps."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from helpers.plots.style import (
    COLORS,
    PAGE_WIDTH,
    SMALL,
    color_scale,
    map_colors,
    page_blocks,
    plain,
)

HEADING = 0.2  # inches


def plot_activation_layers(maps: Mapping[str, Tensor], *, columns: int = 8) -> Figure:
    """Maps of several layers, a block for each.

    Every layer has its own scale of ``map_colors``, which its heading tells.

    Args:
        maps: by heading, such as the layer's name: (maps, h, w).
        columns: maps per row.
    """
    cell, tops = PAGE_WIDTH / columns, [0.0]  # of each block, and the last one's end
    for values in maps.values():
        tops.append(tops[-1] + HEADING + cell * -(-len(values) // columns))
    figure = plt.figure(figsize=(PAGE_WIDTH, tops[-1]))
    for (heading, values), start, end in zip(
        maps.items(), tops, tops[1:], strict=False
    ):
        pictures = values.detach().float().cpu().numpy()
        colors, norm = map_colors(pictures)
        box = (0, 1 - end / tops[-1], 1, (end - start - HEADING) / tops[-1])
        ax = figure.add_axes(box)
        ax.axis("off")
        # One picture of all maps, for hundreds of axes would take seconds to draw.
        ax.imshow(_mosaic(pictures, columns), cmap=colors, norm=norm, aspect="auto")
        limit = f"{norm.vmax:.3g}"
        signed = f"purple −{limit}, white 0, orange {limit}"
        scale = signed if norm.vmin else f"dark 0, bright {limit}"
        _head(figure, ax, f"{heading}   ({scale})")
    return figure


def plot_filters(
    images: Mapping[str, Tensor],
    *,
    titles: Mapping[str, Sequence[str]] | None = None,
    columns: int = 8,
) -> Figure:
    """The images that filters respond to, a block for each layer.

    Args:
        images: by heading, such as the layer's name: float (F, C, H, W), 0–1.
        titles: by the same headings F texts above the images.
        columns: images per row.
    """
    above = 0.14 if titles else 0.0
    counts = [len(pictures) for pictures in images.values()]
    figure, blocks = page_blocks(counts, columns, above=above, heading=HEADING)
    for (heading, pictures), axes in zip(images.items(), blocks, strict=True):
        texts = titles[heading] if titles else [""] * len(axes)
        shown = pictures.detach().cpu().movedim(1, -1).numpy()
        for ax, picture, text in zip(axes, shown, texts, strict=True):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
            ax.set_title(text, fontsize=SMALL, pad=2)
        _head(figure, axes[0], heading, above)
    return figure


def plot_heatmaps(
    images: Tensor,
    heat: Mapping[str, Tensor],
    *,
    titles: Sequence[str] | None = None,
    overlay: bool = True,
    label: str = "Grad-CAM, share of its maximum",
) -> Figure:
    """For each image a block: the image, then what each layer says about it.

    Args:
        images: (N, C, H, W) with one or three channels; ``uint8`` 0–255 or float 0–1.
        heat: by layer, or by method: (N, H, W), 0–1.
        titles: N headings, such as the class that is explained.
        overlay: whether heat is laid over the image in gray.
        label: what the heat is, at the scale of colours.
    """
    columns = min(max(1 + len(heat), 4), 8)
    letters = round(15 * PAGE_WIDTH / columns)
    spaced = (textwrap.fill(name.replace(".", ". "), letters) for name in heat)
    names = [name.replace(". ", ".") for name in spaced]  # broken at its dots
    above = 0.03 + 0.11 * max(1 + name.count("\n") for name in ["", *names])
    figure, blocks = page_blocks(
        [1 + len(heat)] * len(images),
        columns,
        above=above,
        heading=HEADING if titles else 0.0,
        bottom=0.56,
    )
    pictures = images.detach().cpu().movedim(1, -1).numpy()  # (N, H, W, C)
    if pictures.dtype == np.uint8:
        pictures = pictures / np.float32(255)
    for i, (axes, picture) in enumerate(zip(blocks, pictures, strict=True)):
        axes[0].imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes[0].set_title("image", fontsize=SMALL, pad=2)
        for ax, name, maps in zip(axes[1:], names, heat.values(), strict=True):
            values = maps[i].detach().float().cpu().numpy()
            if overlay:
                ax.imshow(picture.mean(axis=-1), cmap="gray", vmin=0, vmax=1)
            # Where there is no heat the image shows through.
            alpha = 0.25 + 0.6 * values if overlay else None
            ax.imshow(values, cmap="inferno", vmin=0, vmax=1, alpha=alpha)
            ax.set_title(name, fontsize=SMALL, pad=2)
        if titles:
            _head(figure, axes[0], plain(titles[i]), above)
    color_scale(figure, ScalarMappable(Normalize(0, 1), "inferno"), label, "neither")
    return figure


def plot_units(values: Mapping[str, Tensor]) -> Figure:
    """What fully connected layers, by name, put out for one image: (units,) each."""
    size = (PAGE_WIDTH, 0.5 + 1.3 * len(values))
    figure, rows = plt.subplots(
        len(values), figsize=size, squeeze=False, layout="constrained"
    )
    for ax, (layer, units) in zip(rows[:, 0], values.items(), strict=True):
        heights = units.detach().float().cpu().numpy()
        ax.bar(range(len(units)), heights, width=0.9, color=COLORS[0], linewidth=0)
        ax.axhline(0, color="black", linewidth=0.5)
        ax.margins(x=0.01)
        ax.set(xlabel=f"unit of {layer}", ylabel="activation")
    return figure


def _mosaic(pictures: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Pictures (n, h, w) in rows, with gaps of NaN, which is not drawn."""
    count, height, width = pictures.shape
    zoom = -(-48 // max(height, width))  # small maps have gaps as narrow as large ones
    large = pictures.repeat(zoom, axis=1).repeat(zoom, axis=2)
    frame = ((0, -count % columns), (1, 1), (1, 1))
    tiles = np.pad(large, frame, constant_values=np.nan)
    rows = tiles.reshape(-1, columns, *tiles.shape[1:])  # (rows, columns, h, w)
    return np.block([list(row) for row in rows])


def _head(figure: Figure, first: Axes, text: str, above: float = 0.0) -> None:
    """Writes ``text`` above the first frame of a block."""
    box, up = first.get_position(), (above + 0.05) / figure.get_figheight()
    figure.text(box.x0, box.y1 + up, text, fontsize=SMALL + 1)
