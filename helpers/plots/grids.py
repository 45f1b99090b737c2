"""Small pictures in rows: images, and the maps, filters and heatmaps of a network."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from helpers.plots.style import PAGE_WIDTH, SMALL, plain, show_image

HEADING = 0.2  # inches
LETTERS = 15  # per inch


def plot_image_grid(
    images: Tensor, *, titles: Sequence[str] | None = None, columns: int = 8
) -> Figure:
    """Images (N, C, H, W) in rows of ``columns``, as of ``show_image``, with N titles,
    whose underscores become spaces.
    """
    texts = {"": titles} if titles else None
    return plot_filters({"": images}, titles=texts, columns=columns)


def plot_activation_layers(maps: Mapping[str, Tensor], *, columns: int = 8) -> Figure:
    """Maps of several layers, a block for each.

    Every layer has its own scale of colours, which its heading tells. All diverge from
    zero where some map is negative. The highest 0.5 % are cut: a single bright pixel
    would leave the rest dark. ``maps`` are by heading, such as the layer's name:
    (maps, h, w); units are maps of (1, 1).
    """
    heights = [-(-len(v) // columns) * PAGE_WIDTH / columns for v in maps.values()]
    figure, axes = plt.subplots(
        len(maps),
        squeeze=False,
        figsize=(PAGE_WIDTH, sum(heights) + HEADING * len(maps)),
        height_ratios=heights,
        layout="constrained",
    )
    signed = any(bool((values < 0).any()) for values in maps.values())
    for ax, (heading, values) in zip(axes.flat, maps.items(), strict=True):
        pictures = values.detach().float().cpu().numpy()
        top = max(float(np.quantile(np.abs(pictures), 0.995)), 1e-6)
        colors, norm = "viridis", Normalize(0, top)
        scale = f"dark 0, bright {top:.3g}"
        if signed:
            colors, norm = "PuOr_r", CenteredNorm(0, top)
            scale = f"purple −{top:.3g}, white 0, orange {top:.3g}"
        ax.axis("off")
        # One picture of all maps, for hundreds of axes would take seconds to draw.
        ax.imshow(_mosaic(pictures, columns), cmap=colors, norm=norm, aspect="auto")
        title = f"{plain(heading)}   ({scale})"
        ax.set_title(title, loc="left", fontsize=SMALL + 1, pad=3)
    return figure


def plot_filters(
    images: Mapping[str, Tensor],
    *,
    titles: Mapping[str, Sequence[str]] | None = None,
    columns: int = 8,
) -> Figure:
    """The images that filters respond to, a block for each layer.

    Images, their titles (both by heading, such as the layer's name) and columns are as
    of ``plot_image_grid``.
    """
    letters = round(LETTERS * PAGE_WIDTH / columns)
    names = {
        heading: [_wrapped(text, letters) for text in texts]
        for heading, texts in (titles or {}).items()
    }
    lines = [1 + name.count("\n") for block in names.values() for name in block]
    above = 0.13 * max(lines, default=0)
    counts = [*map(len, images.values())]
    room = HEADING if any(images) else 0.0
    figure, blocks = _blocks(counts, columns, above=above, heading=room)
    for (heading, pictures), axes in zip(images.items(), blocks, strict=True):
        texts = names.get(heading, [""] * len(axes))
        for ax, picture, text in zip(axes, pictures, texts, strict=True):
            show_image(ax, picture, text)
        _head(figure, axes[0], heading, above)
    return figure


def plot_heatmaps(
    images: Tensor,
    heat: Mapping[str, Tensor],
    *,
    titles: Sequence[str],
    label: str = "Grad-CAM, share of its maximum",
) -> Figure:
    """For each image (N, C, H, W) a block headed by its title: the image, then what
    each layer, or method, says about it: (N, H, W), 0–1. ``label`` says what that is.
    """
    columns = min(max(1 + len(heat), 4), 8)
    letters = round(LETTERS * PAGE_WIDTH / columns)
    spaced = (textwrap.fill(plain(name).replace(".", ". "), letters) for name in heat)
    names = [name.replace(". ", ".") for name in spaced]  # broken at its dots
    above = 0.03 + 0.11 * max(1 + name.count("\n") for name in ["", *names])
    counts, bottom = [1 + len(heat)] * len(images), 0.56
    figure, blocks = _blocks(
        counts, columns, above=above, heading=HEADING, bottom=bottom
    )
    if images.dtype == torch.uint8:
        images = images / 255
    for i, (axes, image, title) in enumerate(zip(blocks, images, titles, strict=True)):
        show_image(axes[0], image, "image")
        for ax, name, maps in zip(axes[1:], names, heat.values(), strict=True):
            values = maps[i].detach().float().cpu().numpy()
            show_image(ax, image.mean(0, keepdim=True))
            # Where there is no heat the image shows through.
            alpha = 0.25 + 0.6 * values
            ax.imshow(values, cmap="inferno", vmin=0, vmax=1, alpha=alpha)
            ax.set_title(name, fontsize=SMALL, pad=2)
        _head(figure, axes[0], title, above)
    height = figure.get_figheight()
    scale = figure.add_axes((0.25, 0.42 / height, 0.5, 0.08 / height))
    shown = ScalarMappable(Normalize(0, 1), "inferno")
    bar = figure.colorbar(shown, scale, orientation="horizontal")
    bar.set_label(label, fontsize=SMALL + 1)
    scale.tick_params(labelsize=SMALL)
    return figure


def _wrapped(text: str, letters: int) -> str:
    return "\n".join(textwrap.fill(line, letters) for line in plain(text).splitlines())


def _blocks(
    counts: Sequence[int],
    columns: int,
    *,
    above: float,
    heading: float,
    bottom: float = 0.0,
) -> tuple[Figure, list[list[Axes]]]:
    """A figure as wide as the page with blocks of so many square frames.

    Room is left ``above`` each frame, for the ``heading`` above each block and at the
    ``bottom``, in inches.
    """
    cell, gap = PAGE_WIDTH / columns, 0.04
    rows = [-(-count // columns) for count in counts]
    height = len(counts) * heading + sum(rows) * (cell + above) + bottom
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    size = ((cell - gap) / PAGE_WIDTH, (cell - gap) / height)
    blocks, ceiling = [], height
    for count, lines in zip(counts, rows, strict=True):
        ceiling -= heading
        block = []
        for row, column in (divmod(i, columns) for i in range(count)):
            left = column * cell + gap / 2
            low = ceiling - (row + 1) * (cell + above) + gap / 2
            block.append(figure.add_axes((left / PAGE_WIDTH, low / height, *size)))
        blocks.append(block)
        ceiling -= lines * (cell + above)
    for frame in figure.axes:
        frame.axis("off")
    return figure, blocks


def _mosaic(pictures: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Pictures (n, h, w) in rows, with gaps of NaN, which is not drawn."""
    count, height, width = pictures.shape
    zoom = -(-48 // max(height, width))  # small maps have gaps as narrow as large ones
    large = pictures.repeat(zoom, axis=1).repeat(zoom, axis=2)
    frame = ((0, -count % columns), (1, 1), (1, 1))
    tiles = np.pad(large, frame, constant_values=np.nan)
    rows = tiles.reshape(-1, columns, *tiles.shape[1:])  # (rows, columns, h, w)
    return np.block([*map(list, rows)])


def _head(figure: Figure, first: Axes, text: str, above: float) -> None:
    box, up = first.get_position(), (above + 0.05) / figure.get_figheight()
    figure.text(box.x0, box.y1 + up, plain(text), fontsize=SMALL + 1)
