"""The look of all figures: a page 16 cm wide, colours for colour-blind readers."""

from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from torch import Tensor

PAGE_WIDTH = 6.3  # inches: 16 cm
SMALL = 7  # points: names in grids, numbers at bars

COLORS: list[tuple[float, float, float]] = list(sns.color_palette("colorblind"))
SPLIT_COLORS = {"train": COLORS[1], "valid": COLORS[0], "test": COLORS[2]}
# Line and marker.
SPLIT_LOOKS = {"train": ("--", "o"), "valid": ("-", "s"), "test": (":", "D")}


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


def show_image(ax: Axes, image: Tensor, title: str = "") -> None:
    """Draws an image (C, H, W) of one or three channels, ``uint8`` 0–255 or float
    0–1.
    """
    picture = image.detach().cpu().movedim(0, -1).numpy()  # (H, W, C)
    highest = 255 if picture.dtype == np.uint8 else 1
    ax.imshow(picture, cmap="gray", vmin=0, vmax=highest)
    ax.set_title(title, fontsize=SMALL, pad=2)


def label_values(
    ax: Axes, axis: Literal["x", "y"], quantity: str, *, share: bool = True
) -> None:
    """Labels an axis of values, which are in percent if they are shares (0–1)."""
    if share:
        scale = ax.xaxis if axis == "x" else ax.yaxis
        scale.set_major_formatter(lambda value, _: f"{100 * value:g}")
    ax.set(**{f"{axis}label": f"{quantity} (%)" if share else quantity})
