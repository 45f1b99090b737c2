"""What a unit sees: boxes on an image, and the gradient that reaches each pixel."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor

from helpers.insight.receptive_field import Box
from helpers.plots.style import COLORS, SMALL, plain, show_image

LINES = ("-", "--", ":", "-.")


def plot_receptive_field(image: Tensor, boxes: Mapping[str, Box], *, ax: Axes) -> Axes:
    """What the middle units of some layers see of an image, as of ``show_image``: by
    the layer's name a box, as ``ReceptiveField.box`` gives it.
    """
    show_image(ax, image)
    looks = zip(boxes.items(), cycle(COLORS), cycle(LINES), strict=False)
    for (name, box), color, line in looks:
        _frame(ax, box, color=color, line=line, name=name)
    title = "height × width\nin pixels"
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0, title=title)
    ax.axis("off")
    return ax


def plot_footprint(footprint: Tensor, box: Box, *, ax: Axes) -> Axes:
    """How much of a unit's gradient reaches each pixel, on a logarithmic scale.

    The footprint (H, W) is as of ``gradient_footprint``; the box around it is the
    receptive field that was derived.
    """
    values = footprint.detach().cpu().numpy()
    values = np.ma.masked_equal(values / values.max(), 0)
    shown = ax.imshow(
        values, cmap="viridis", norm=LogNorm(values.min(), 1), interpolation="nearest"
    )
    ax.figure.colorbar(shown, ax=ax, label="gradient (share of the largest)")
    _frame(ax, box, color=COLORS[1], line="--", name="derived")
    ax.legend(loc="upper left", fontsize=SMALL, frameon=True)
    ax.spines[:].set_visible(True)
    ax.set(xlabel="column (pixels)", ylabel="row (pixels)")
    return ax


def _frame(
    ax: Axes, box: Box, *, color: tuple[float, float, float], line: str, name: str
) -> None:
    top, left, bottom, right = box
    height, width = bottom - top, right - left
    label = f"{plain(name)}: {height} × {width}"
    white = withStroke(linewidth=3.2, foreground="white")  # seen on any picture
    frame = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, label=label)
    frame.set(ec=color, ls=line, lw=1.8, path_effects=[white])
    ax.add_patch(frame).set_clip_on(False)  # around a whole image it is as thick
