"""The look that all figures share: sizes for a page 16 cm wide, colours for colour-blind readers."""

from __future__ import annotations

from typing import Literal

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

PAGE_WIDTH = 6.3  # inches: 16 cm
SMALL = 7  # points: names in grids, numbers at bars

COLORS: list[tuple[float, float, float]] = list(sns.color_palette("colorblind"))
SPLIT_COLORS = {"train": COLORS[1], "valid": COLORS[0], "test": COLORS[2]}
PERCENT = FuncFormatter(lambda share, _: f"{100 * share:g}")
SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}


def use_style() -> None:
    """Sets the look that all figures share, those that a notebook draws itself included."""
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


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The given axes, or new ones in a figure of that size in inches."""
    return ax if ax is not None else plt.subplots(figsize=(width, height), layout="constrained")[1]


def page_grid(
    count: int, columns: int, *, above: float, top: float = 0.0, bottom: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """A figure as wide as the page with ``count`` square frames; each has a title's height ``above`` it, in inches."""
    rows = -(-count // columns)
    cell, gap = PAGE_WIDTH / columns, 0.04
    width, height = PAGE_WIDTH, top + rows * (cell + above) + bottom
    figure = plt.figure(figsize=(width, height))
    axes = []
    for i in range(count):
        row, column = divmod(i, columns)
        left, low = column * cell + gap / 2, height - top - (row + 1) * (cell + above) + gap / 2
        side = cell - gap
        axes.append(figure.add_axes((left / width, low / height, side / width, side / height)))
        axes[i].axis("off")
    return figure, axes


def percent_axis(ax: Axes, axis: Literal["x", "y"], quantity: str) -> None:
    """Labels an axis of shares in percent."""
    (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(PERCENT)
    ax.set(**{f"{axis}label": f"{quantity} (%)"})
