"""Learning curves, and variants compared over their seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.base.errors import ConfigError
from helpers.base.record import summarize
from helpers.plots.style import COLORS, PAGE_WIDTH, SPLIT_COLORS, SPLIT_NAMES, new_axes, percent_axis
from helpers.training.history import History


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
    ax = new_axes(ax, 4.5, 3.0)
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
        percent_axis(ax, "y", "accuracy")
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
    ax = new_axes(ax, PAGE_WIDTH, 1.0 + 0.3 * len(results))
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
        percent_axis(ax, "x", quantity)
    else:
        ax.set_xlabel(quantity)
    ax.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return ax
