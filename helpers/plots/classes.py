"""Each class: its images, how well it is recognised, what it is taken for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from sklearn.metrics import confusion_matrix
from torch import Tensor

from helpers.base.estimate import SPLIT_NAMES
from helpers.data.splits import Splits
from helpers.plots.style import (
    COLORS,
    PAGE_WIDTH,
    SMALL,
    SPLIT_COLORS,
    label_values,
    new_axes,
    plain,
)

MARKERS = "osD^vP*X<>pd"
NAMED_CLASSES = 25  # a matrix names this many classes at its axes; more would overlap


def plot_class_counts(splits: Splits) -> Axes:
    """Images per class and split, stacked, the largest class first."""
    counts = pd.DataFrame(index=[*map(plain, splits.classes)])
    for name, split in splits.parts.items():
        sizes = torch.bincount(split.labels, minlength=len(splits.classes))
        counts[SPLIT_NAMES[name]] = sizes.numpy()
    totals = counts.sum(axis=1).to_numpy()
    order = np.argsort(-totals, kind="stable")
    named = len(order) <= NAMED_CLASSES
    ax = new_axes(PAGE_WIDTH, 2.6)
    colors: list[Any] = [SPLIT_COLORS[name] for name in splits.parts]
    width = 0.8 if named else 1
    counts.iloc[order].plot.bar(
        stacked=True, ax=ax, color=colors, width=width, linewidth=0, xlabel="class"
    )
    ax.set_ylabel("images")
    ax.margins(x=0.01)
    if not named:
        ax.set_xticks([])
        largest, smallest = (
            f"{counts.index[order[i]]} ({totals[order[i]]})" for i in (0, -1)
        )
        ax.set_xlabel(f"the {len(order)} classes, from {largest} to {smallest}")
    return ax


def plot_class_accuracy(
    accuracy: Tensor, classes: Sequence[str], *, quantity: str = "accuracy"
) -> Axes:
    """The fifteen classes that are recognised worst, and the mean over all classes.

    ``accuracy`` is of each class the share that is predicted, or its F1 (K,), 0–1; NaN
    without images. ``quantity`` says which.
    """
    known = pd.Series(accuracy.tolist(), [*map(plain, classes)]).dropna()
    shown = known.sort_index().nsmallest(15)
    ax = new_axes(PAGE_WIDTH, 0.8 + 0.2 * len(shown))
    rows = range(len(shown))  # two classes may look alike
    bars = ax.barh(rows, shown, tick_label=shown.index, color=COLORS[0], height=0.7)
    percents = [f"{100 * value:.0f}" for value in shown]
    ax.bar_label(bars, percents, padding=3, fontsize=SMALL)
    mean = known.mean()
    label = f"mean of all {len(known)} classes: {100 * mean:.1f} %"
    ax.axvline(mean, color="black", linestyle=":", label=label)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.02)
    label_values(ax, "x", quantity)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return ax


def plot_confusion_matrix(
    labels: Tensor, predictions: Tensor, classes: Sequence[str]
) -> Axes:
    """For each true class (row), the share of it predicted as each class (column).

    Labels and predictions are ``int64`` (N,), classes names in their order. The colour
    grows with the square root of the share, so that a single error is seen. With many
    classes the axes count them; ``most_confused`` names what stands out.
    """
    every = range(len(classes))
    share = 100 * confusion_matrix(labels, predictions, labels=every, normalize="true")
    few = len(classes) <= NAMED_CLASSES
    names = [*map(plain, classes)] if few else "auto"
    by_number = "" if few else ", by number"
    ax: Axes = sns.heatmap(
        share,
        ax=new_axes(5.4, 4.6),
        cmap="Blues",
        norm=PowerNorm(0.5, 0, 100),
        annot=np.where(share > 0.5, np.char.mod("%.0f", share), "") if few else None,
        fmt="",
        annot_kws={"fontsize": SMALL},
        xticklabels=names,
        yticklabels=names,
        cbar_kws={"label": "share of the true class (%)", "ticks": [0, 5, 20, 50, 100]},
        rasterized=True,
    )
    ax.set(xlabel=f"predicted class{by_number}", ylabel=f"true class{by_number}")
    ax.tick_params("x", rotation=90)
    ax.tick_params("y", rotation=0)
    ax.spines[:].set_visible(True)
    return ax


def most_confused(
    labels: Tensor, predictions: Tensor, classes: Sequence[str], *, count: int = 10
) -> pd.DataFrame:
    """The pairs of classes that are confused most often, ``count`` at most.

    Args as of ``plot_confusion_matrix``.

    Returns:
        ``true class``, ``predicted class``, ``images`` (taken for it) and ``of``
        (images of the true class); most images first, then the larger share.
    """
    counts = confusion_matrix(labels, predictions, labels=range(len(classes)))
    sizes = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    rows = [
        (classes[i], classes[j], int(counts[i, j]), int(sizes[i]))
        for i, j in zip(*counts.nonzero(), strict=True)
    ]
    rows.sort(key=lambda row: (-row[2], row[3]))
    columns = ["true class", "predicted class", "images", "of"]
    return pd.DataFrame(rows[:count], columns=columns)


def plot_embedding(points: Tensor, labels: Tensor, classes: Sequence[str]) -> Axes:
    """Points (N, 2) in the colour and shape of their class, which the legend names.

    Labels are ``int64`` (N,), classes names in their order.
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
