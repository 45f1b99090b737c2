"""Many images as points on a plane, by class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers.plots.style import COLORS, PAGE_WIDTH, SMALL, new_axes, plain

MARKERS = "osD^vP*X<>ph"


def plot_embedding(points: Tensor, labels: Tensor, classes: Sequence[str]) -> Axes:
    """Points in the colour and shape of their class, which the legend names.

    Args:
        points: (N, 2).
        labels: ``int64`` (N,).
        classes: names, in the order of the labels.
    """
    columns = 4 if len(classes) > 20 else 3
    ax = new_axes(PAGE_WIDTH, 5.0 + 0.16 * -(-len(classes) // columns))
    for label in torch.unique(labels).tolist():
        mine = points[labels == label]
        ax.scatter(
            mine[:, 0],
            mine[:, 1],
            s=12,
            color=COLORS[label % len(COLORS)],
            # One shape further with each round of the colours: 120 looks.
            marker=MARKERS[(label + label // len(COLORS)) % len(MARKERS)],
            alpha=0.7,
            linewidths=0,
            label=plain(classes[label]),
        )
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        ncols=columns,
        fontsize=SMALL,
        markerscale=1.6,
        handletextpad=0.2,
    )
    return ax
