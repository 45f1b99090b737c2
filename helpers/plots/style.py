"""The look that all figures share: sizes for a page 16 cm wide, colours for
colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """Sets the look that all figures share, those that a notebook draws itself
    included.
    """
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
    return (
        ax
        if ax is not None
        else plt.subplots(figsize=(width, height), layout="constrained")[1]
    )


def page_grid(
    count: int, columns: int, *, above: float, top: float = 0.0, bottom: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """A figure as wide as the page with ``count`` square frames; each has a title's
    height ``above`` it, in inches.
    """
    figure, (axes,) = page_blocks([count], columns, above=above, top=top, bottom=bottom)
    return figure, axes


def page_blocks(
    counts: Sequence[int],
    columns: int,
    *,
    above: float = 0.0,
    heading: float = 0.0,
    top: float = 0.0,
    bottom: float = 0.0,
) -> tuple[Figure, list[list[Axes]]]:
    """A figure as wide as the page with blocks of square frames one below the other.

    Args:
        counts: frames in each block.
        columns: frames in a row.
        above: room above each frame, in inches, as all the following.
        heading: room above each block.
        top: room above all of it.
        bottom: room below all of it.
    """
    cell, gap = PAGE_WIDTH / columns, 0.04
    rows = [-(-count // columns) for count in counts]
    width, height = (
        PAGE_WIDTH,
        top + len(counts) * heading + sum(rows) * (cell + above) + bottom,
    )
    figure, side = plt.figure(figsize=(width, height)), cell - gap
    blocks, ceiling = [], height - top
    for count, lines in zip(counts, rows, strict=True):
        ceiling -= heading
        places = [divmod(i, columns) for i in range(count)]
        lows = [ceiling - (row + 1) * (cell + above) + gap / 2 for row, _ in places]
        lefts = [column * cell + gap / 2 for _, column in places]
        sizes = (side / width, side / height)
        blocks.append(
            [
                figure.add_axes((x / width, y / height, *sizes))
                for x, y in zip(lefts, lows, strict=True)
            ]
        )
        ceiling -= lines * (cell + above)
    for frame in figure.axes:
        frame.axis("off")
    return figure, blocks


def percent_axis(ax: Axes, axis: Literal["x", "y"], quantity: str) -> None:
    """Labels an axis of shares in percent."""
    (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(PERCENT)
    ax.set(**{f"{axis}label": f"{quantity} (%)"})
