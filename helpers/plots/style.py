"""The look of all figures: a page 16 cm wide, colours for colour-blind readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

PAGE_WIDTH = 6.3  # inches: 16 cm
SMALL = 7  # points: names in grids, numbers at bars

COLORS: list[tuple[float, float, float]] = list(sns.color_palette("colorblind"))
SPLIT_COLORS = {"train": COLORS[1], "valid": COLORS[0], "test": COLORS[2]}
# Line and marker.
SPLIT_LOOKS = {"train": ("--", "o"), "valid": ("-", "s"), "test": (":", "D")}
PERCENT = FuncFormatter(lambda share, _: f"{100 * share:g}")
SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}


def use_style() -> None:
    """Sets the look of all figures, those that a notebook draws itself included."""
    sns.set_theme(
        context="paper",
        style="ticks",
        palette="colorblind",
        rc={
            "figure.figsize": (4.5, 3.0),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10,
            "legend.frameon": False,
            "pdf.fonttype": 42,  # text stays text: it can be searched and copied
        },
    )


def plain(name: str) -> str:
    """A name as a plot shows it: without underscores, and a dollar is no maths."""
    return name.replace("_", " ").replace("$", r"\$")


def new_axes(width: float, height: float) -> Axes:
    """The axes of a new figure of that size in inches."""
    ax: Axes = plt.subplots(figsize=(width, height), layout="constrained")[1]
    return ax


def page_blocks(
    counts: Sequence[int],
    columns: int,
    *,
    above: float = 0.0,
    heading: float = 0.0,
    bottom: float = 0.0,
) -> tuple[Figure, list[list[Axes]]]:
    """A figure as wide as the page with blocks of square frames one below the other.

    Args:
        counts: frames in each block.
        columns: frames in a row.
        above: room above each frame, in inches, as all the following.
        heading: room above each block.
        bottom: room below all of it.
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


def label_values(
    ax: Axes, axis: Literal["x", "y"], quantity: str, *, share: bool = True
) -> None:
    """Labels an axis of values, which are in percent if they are shares (0–1)."""
    if share:
        (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(PERCENT)
    ax.set(**{f"{axis}label": f"{quantity} (%)" if share else quantity})


def color_scale(figure: Figure, shown: ScalarMappable, label: str, extend: str) -> None:
    """A horizontal scale of colours at the bottom, in 0.56 inches left free there."""
    height = figure.get_figheight()
    scale = figure.add_axes((0.25, 0.42 / height, 0.5, 0.08 / height))
    bar = figure.colorbar(shown, scale, orientation="horizontal", extend=extend)
    bar.set_label(label, fontsize=SMALL + 1)
    scale.tick_params(labelsize=SMALL)


def map_colors(maps: NDArray[np.float32]) -> tuple[str, Normalize]:
    """Colours of activations, diverging from zero where some are negative.

    The highest 0.5 % are cut: a single bright pixel would leave the rest dark.
    """
    top = max(float(np.quantile(np.abs(maps), 0.995)), 1e-6)
    if maps.min() < 0:
        return "PuOr_r", CenteredNorm(0, top)
    return "viridis", Normalize(0, top)
