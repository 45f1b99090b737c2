"""Every picture of the notebooks: data in, a matplotlib Axes or Figure out.

Nothing here is shown or saved; ``run.figure`` does both. Sizes fit a page that is 16 cm wide, colours
are those of seaborn's palette for colour-blind readers, and no meaning hangs on colour alone.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, Normalize, PowerNorm
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from helpers.base.errors import ConfigError
from helpers.base.record import summarize
from helpers.data.splits import Splits
from helpers.training.history import History

PAGE_WIDTH = 6.3  # inches: 16 cm
SMALL = 7  # points: names in grids, numbers at bars
NAMED_CLASSES = 25  # a matrix names this many classes at its axes; more would overlap

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


def plot_history(histories: History | Sequence[History], *, metric: str = "loss", ax: Axes | None = None) -> Axes:
    """Training (dashed) and validation (solid) curve over the epochs.

    Args:
        histories: one run, or the runs of several seeds: then their mean, and a band from the lowest to
            the highest.
        metric: ``loss`` (cross-entropy in nats) or ``accuracy`` (in percent).
        ax: where to draw; None makes a figure.
    """
    frames = [history.frame for history in ([histories] if isinstance(histories, History) else histories)]
    if not frames:
        raise ConfigError("There is no history to draw: expected at least one.")
    if metric not in ("loss", "accuracy"):
        raise ConfigError(f"There is no curve {metric!r} in a history: choose loss or accuracy.")
    ax = _axes(ax, 4.5, 3.0)
    for split, line, symbol in (("train", "--", "o"), ("valid", "-", "s")):
        curves = pd.concat([frame[f"{split}_{metric}"] for frame in frames], axis=1)  # (epochs, seeds)
        color = SPLIT_COLORS[split]
        marker = symbol if len(curves) <= 15 else ""  # a single epoch makes no line
        ax.plot(curves.mean(axis=1), color=color, linestyle=line, marker=marker, ms=3.5, label=SPLIT_NAMES[split])
        if len(frames) > 1:
            ax.fill_between(curves.index, curves.min(axis=1), curves.max(axis=1), color=color, alpha=0.2, linewidth=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlabel("epoch")
    if metric == "accuracy":
        _percent(ax, "y", "accuracy")
    else:
        ax.set_ylabel("cross-entropy (nats)")
    ax.legend(
        title=f"mean of {len(frames)} seeds,\nband: lowest to highest" if len(frames) > 1 else None, alignment="left"
    )
    return ax


def plot_learning_curves(histories: History | Sequence[History]) -> Figure:
    """Loss and accuracy side by side; see ``plot_history``."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_WIDTH, 2.7), layout="constrained")
    plot_history(histories, metric="loss", ax=left)
    plot_history(histories, metric="accuracy", ax=right).legend().remove()
    return figure


def plot_image_grid(images: Tensor, *, titles: Sequence[str] | None = None, columns: int = 8) -> Figure:
    """Images in rows.

    Args:
        images: (N, C, H, W) with one or three channels; ``uint8`` 0–255 or float 0–1.
        titles: N texts above the images; underscores become spaces.
        columns: images per row.
    """
    pictures = images.detach().cpu().movedim(1, -1).numpy()  # (N, H, W, C)
    highest = 255 if pictures.dtype == np.uint8 else 1
    letters = int(17 * PAGE_WIDTH / columns)
    names = ["\n".join(textwrap.fill(line, letters) for line in t.replace("_", " ").split("\n")) for t in titles or []]
    lines = max((name.count("\n") + 1 for name in names), default=0)
    figure, axes = _grid(len(pictures), columns, above=0.13 * lines)
    for i, picture in enumerate(pictures):
        axes[i].imshow(picture, cmap="gray", vmin=0, vmax=highest)
        if names:
            axes[i].set_title(names[i], fontsize=SMALL, pad=2)
    return figure


def plot_activation_grid(maps: Tensor, *, title: str = "", columns: int = 8) -> Figure:
    """The maps that one layer makes of one image, numbered from 0, on one scale of colours.

    The scale ends where all but the highest 0.5 % of the values lie: a single bright pixel would
    otherwise leave the rest dark.

    Args:
        maps: (maps, h, w), as a layer puts them out. Negative values (a layer without ReLU) bring a
            scale that diverges from zero.
        title: what is shown, for example the layer and the image.
        columns: maps per row.
    """
    pictures = maps.detach().float().cpu().numpy()
    top = max(float(np.quantile(np.abs(pictures), 0.995)), 1e-6)
    signed = bool(pictures.min() < 0)
    norm = CenteredNorm(0, top) if signed else Normalize(0, top)
    figure, axes = _grid(len(pictures), columns, above=0.14, top=0.3 if title else 0.0, bottom=0.56)
    for i, picture in enumerate(pictures):
        axes[i].imshow(picture, cmap="PuOr_r" if signed else "viridis", norm=norm)
        axes[i].set_title(str(i), fontsize=SMALL, pad=2)
    height = figure.get_figheight()
    scale = figure.add_axes((0.25, 0.42 / height, 0.5, 0.08 / height))
    bar = figure.colorbar(axes[0].images[0], scale, orientation="horizontal", extend="both" if signed else "max")
    bar.set_label("activation", fontsize=SMALL + 1)
    scale.tick_params(labelsize=SMALL)
    if title:
        figure.suptitle(title, fontsize=10, y=1 - 0.05 / height, va="top")
    return figure


def plot_confusion_matrix(
    labels: Tensor, predictions: Tensor, classes: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """For each true class (row), the share of its images that is predicted as each class (column).

    The colour grows with the square root of the share, so that a single error in a class is seen.
    With many classes the axes count them instead of naming them; ``plot_most_confused`` names what
    stands out off the diagonal.

    Args:
        labels: true classes, ``int64`` (N,).
        predictions: predicted classes, ``int64`` (N,).
        classes: names, in the order of the labels.
        ax: where to draw; None makes a figure.
    """
    counts = _confusion(labels, predictions, len(classes))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(classes) <= NAMED_CLASSES
    ax = _axes(ax, 5.4, 4.6)
    shown = ax.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    if few:
        names = [name.replace("_", " ") for name in classes]
        ax.set_xticks(range(len(classes)), names, rotation=90, fontsize=SMALL + 1)
        ax.set_yticks(range(len(classes)), names, fontsize=SMALL + 1)
        for (row, column), value in np.ndenumerate(share):
            if counts[row, column]:
                color = "white" if value > 0.35 else "black"
                ax.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=color, fontsize=SMALL)
    by_number = "" if few else ", by number"
    ax.set_xlabel(f"predicted class{by_number}")
    ax.set_ylabel(f"true class{by_number}")
    ax.spines[:].set_visible(True)
    bar = plt.colorbar(shown, ax=ax, pad=0.02, ticks=[0, 0.05, 0.2, 0.5, 1], format=PERCENT)
    bar.set_label("share of the true class (%)")
    return ax


def most_confused(labels: Tensor, predictions: Tensor, classes: Sequence[str], *, count: int = 10) -> pd.DataFrame:
    """The ``count`` pairs of classes that are taken for one another most often.

    Args:
        labels: true classes, ``int64`` (N,).
        predictions: predicted classes, ``int64`` (N,).
        classes: names, in the order of the labels.
        count: rows at most.

    Returns:
        ``true class``, ``predicted class``, ``images`` (taken for it) and ``of`` (images of the true class);
        most images first, and among equals the larger share of the class.
    """
    counts = _confusion(labels, predictions, len(classes))
    sizes = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    rows = [
        {"true class": classes[i], "predicted class": classes[j], "images": int(counts[i, j]), "of": int(sizes[i])}
        for i, j in zip(*counts.nonzero(), strict=True)
    ]
    rows.sort(key=lambda row: (-row["images"], row["of"]))
    return pd.DataFrame(rows[:count], columns=["true class", "predicted class", "images", "of"])


def plot_most_confused(
    labels: Tensor, predictions: Tensor, classes: Sequence[str], *, count: int = 10, ax: Axes | None = None
) -> Axes:
    """A bar for each pair that ``most_confused`` finds; the arguments are the same."""
    pairs = most_confused(labels, predictions, classes, count=count)
    names = [f"{a} → {b}".replace("_", " ") for a, b in zip(pairs["true class"], pairs["predicted class"], strict=True)]
    ax = _axes(ax, PAGE_WIDTH, 0.7 + 0.22 * len(names))
    bars = ax.barh(names, pairs["images"], color=COLORS[0], height=0.7)
    ax.bar_label(bars, [f"of {size}" for size in pairs["of"]], padding=3, fontsize=SMALL)
    ax.invert_yaxis()
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("images (true class → predicted class)")
    ax.margins(x=0.1)
    return ax


def plot_class_counts(splits: Splits, *, ax: Axes | None = None) -> Axes:
    """Images per class and split, stacked, the largest class first; with few classes, each is named."""
    counts = {name: torch.bincount(split.labels, minlength=len(splits.classes)) for name, split in splits.parts.items()}
    total = torch.stack(list(counts.values())).sum(0)
    order = total.argsort(descending=True, stable=True)
    names = [splits.classes[i].replace("_", " ") for i in order.tolist()]
    ax = _axes(ax, PAGE_WIDTH, 2.6)
    named = len(names) <= NAMED_CLASSES
    below = np.zeros(len(names))
    for split, values in counts.items():
        height = values[order].numpy()
        ax.bar(
            range(len(names)),
            height,
            0.8 if named else 1,
            below,
            color=SPLIT_COLORS[split],
            label=SPLIT_NAMES[split],
            linewidth=0,
        )
        below += height
    ax.set_ylabel("images")
    ax.margins(x=0.01)
    if named:
        ax.set_xticks(range(len(names)), names, rotation=90)
        ax.set_xlabel("class")
    else:
        ax.set_xlabel(f"the {len(names)} classes, largest first")
        for rank, place in ((0, (12, -4)), (len(names) - 1, (-50, 35))):
            text, arrow = f"{names[rank]}: {below[rank]:.0f}", {"arrowstyle": "-", "color": "gray"}
            ax.annotate(text, (rank, below[rank]), place, textcoords="offset points", arrowprops=arrow)
    ax.legend()
    return ax


def plot_class_accuracy(accuracy: Tensor, classes: Sequence[str], *, lowest: int = 15, ax: Axes | None = None) -> Axes:
    """The classes that are recognised worst, and the mean over all classes.

    Args:
        accuracy: share of each class's images that is predicted (K,), 0–1; NaN for a class without images.
        classes: K names.
        lowest: how many classes are shown.
        ax: where to draw; None makes a figure.
    """
    known = [(value, name) for value, name in zip(accuracy.tolist(), classes, strict=True) if not math.isnan(value)]
    shown = sorted(known)[:lowest]
    ax = _axes(ax, PAGE_WIDTH, 0.8 + 0.2 * len(shown))
    bars = ax.barh([name.replace("_", " ") for _, name in shown], [v for v, _ in shown], color=COLORS[0], height=0.7)
    ax.bar_label(bars, [f"{100 * value:.0f}" for value, _ in shown], padding=3, fontsize=SMALL)
    mean = float(np.mean([value for value, _ in known]))
    ax.axvline(mean, color="black", linestyle=":", label=f"mean of all {len(known)} classes: {100 * mean:.1f} %")
    ax.invert_yaxis()
    ax.set_xlim(0, 1.02)
    _percent(ax, "x", "accuracy")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return ax


def plot_comparison(
    results: Mapping[str, Sequence[float]],
    *,
    quantity: str = "validation accuracy",
    share: bool = True,
    reference: float | None = None,
    reference_name: str = "reference",
    ax: Axes | None = None,
) -> Axes:
    """One row per variant: the mean over seeds with its 95 % t-interval, each seed as a small dot.

    Args:
        results: values by the variant's name, one per seed; the first is drawn on top.
        quantity: what the values are.
        share: whether they are shares (0–1), shown in percent.
        reference: a value to compare with, drawn as a vertical line.
        reference_name: what that value is.
        ax: where to draw; None makes a figure.
    """
    ax = _axes(ax, PAGE_WIDTH, 1.0 + 0.3 * len(results))
    for row, values in enumerate(results.values()):
        summary = summarize(values)
        mean = ax.errorbar(summary["mean"], row, xerr=summary["ci95"], fmt="D", color=COLORS[0], ms=4.5, capsize=3)
        (seeds,) = ax.plot(summary["values"], [row + 0.25] * len(values), "o", color="black", alpha=0.6, ms=3, mew=0)
    handles: list[Artist | Container] = [mean, seeds]
    labels = ["mean and 95 % t-interval", "one seed"]
    if reference is not None:
        handles.append(ax.axvline(reference, color=COLORS[1], linestyle="--", zorder=0))
        labels.append(reference_name)
    ax.set_yticks(range(len(results)), results)
    ax.set_ylim(len(results) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.4)
    if share:
        _percent(ax, "x", quantity)
    else:
        ax.set_xlabel(quantity)
    ax.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return ax


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The given axes, or new ones in a figure of that size in inches."""
    return ax if ax is not None else plt.subplots(figsize=(width, height), layout="constrained")[1]


def _grid(
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


def _percent(ax: Axes, axis: Literal["x", "y"], quantity: str) -> None:
    """Labels an axis of shares in percent."""
    (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(PERCENT)
    ax.set(**{f"{axis}label": f"{quantity} (%)"})


def _confusion(labels: Tensor, predictions: Tensor, classes: int) -> NDArray[np.int64]:
    """Images by true class (row) and predicted class (column)."""
    pairs = labels.cpu() * classes + predictions.cpu()
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes).numpy()
