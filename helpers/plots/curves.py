"""Learning curves, and variants compared over their seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.base.errors import ConfigError
from helpers.base.record import summarize
from helpers.plots.style import (
    COLORS,
    PAGE_WIDTH,
    SPLIT_COLORS,
    SPLIT_NAMES,
    new_axes,
    percent_axis,
)
from helpers.training.history import History


def plot_history(
    histories: History | Sequence[History],
    *,
    metric: str = "loss",
    ax: Axes | None = None,
) -> Axes:
    """Training (dashed) and validation (solid) curve over the epochs; a test curve
    (dotted) where it was recorded.

    Args:
        histories: one run, or the runs of several seeds: then their mean, and a band
            from the lowest to the highest.
        metric: ``loss`` (cross-entropy in nats) or ``accuracy`` (in percent).
        ax: where to draw; None makes a figure.
    """
    frames = _frames(histories)
    if metric not in ("loss", "accuracy"):
        raise ConfigError(
            f"There is no curve {metric!r} in a history: choose loss or accuracy."
        )
    ax = new_axes(ax, 4.5, 3.0)
    for split, line, symbol in (
        ("train", "--", "o"),
        ("valid", "-", "s"),
        ("test", ":", "D"),
    ):
        if split == "test" and f"test_{metric}" not in frames[0]:
            continue
        style = {
            "color": SPLIT_COLORS[split],
            "linestyle": line,
            "label": SPLIT_NAMES[split],
        }
        _draw_curve(ax, frames, f"{split}_{metric}", symbol, style)
    if metric == "accuracy":
        percent_axis(ax, "y", "accuracy")
    else:
        ax.set_ylabel("cross-entropy (nats)")
    _explain_curves(ax, frames)
    return ax


def plot_curves(
    histories: History | Sequence[History],
    columns: Mapping[str, str],
    *,
    quantity: str,
    share: bool = False,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Any columns of the histories over the epochs, a curve each.

    Args:
        histories: one run, or the runs of several seeds: then their mean, and a band
            from the lowest to the highest.
        columns: by the curve's label, the column of the history
            (``valid_accuracy_angle``).
        quantity: what the values are, with their unit.
        share: whether they are shares (0–1), shown in percent.
        log: whether the axis is logarithmic.
        ax: where to draw; None makes a figure.
    """
    frames = _frames(histories)
    ax = new_axes(ax, 4.5, 3.0)
    lines, symbols = ("-", "--", "-.", ":"), ("o", "s", "D", "^")
    for index, (label, column) in enumerate(columns.items()):
        style = {
            "color": COLORS[index % len(COLORS)],
            "linestyle": lines[index % 4],
            "label": label,
        }
        _draw_curve(ax, frames, column, symbols[index % 4], style)
    if log:
        ax.set_yscale("log")
    if share:
        percent_axis(ax, "y", quantity)
    else:
        ax.set_ylabel(quantity)
    _explain_curves(ax, frames)
    return ax


def _frames(histories: History | Sequence[History]) -> list[pd.DataFrame]:
    frames = [
        history.frame
        for history in ([histories] if isinstance(histories, History) else histories)
    ]
    if not frames:
        raise ConfigError("There is no history to draw: expected at least one.")
    return frames


def _draw_curve(
    ax: Axes,
    frames: Sequence[pd.DataFrame],
    column: str,
    symbol: str,
    style: dict[str, Any],
) -> None:
    """The mean of one column over the seeds, and a band from the lowest to the highest."""
    curves = pd.concat([frame[column] for frame in frames], axis=1)  # (epochs, seeds)
    marker = symbol if len(curves) <= 15 else ""  # a single epoch makes no line
    ax.plot(curves.mean(axis=1), marker=marker, ms=3.5, **style)
    if len(frames) > 1:
        low, high = curves.min(axis=1), curves.max(axis=1)
        ax.fill_between(
            curves.index, low, high, color=style["color"], alpha=0.2, linewidth=0
        )


def _explain_curves(ax: Axes, frames: Sequence[pd.DataFrame]) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlabel("epoch")
    seeds = f"mean of {len(frames)} seeds,\nband: lowest to highest"
    ax.legend(title=seeds if len(frames) > 1 else None, alignment="left")


def plot_learning_curves(histories: History | Sequence[History]) -> Figure:
    """Loss and accuracy side by side; see ``plot_history``."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(PAGE_WIDTH, 2.7), layout="constrained"
    )
    plot_history(histories, metric="loss", ax=left)
    plot_history(histories, metric="accuracy", ax=right).legend().remove()
    return figure


def plot_comparison(
    results: Mapping[str, Sequence[float]],
    *,
    halves: Mapping[str, float | None] | None = None,
    quantity: str = "validation accuracy",
    share: bool = True,
    reference: float | None = None,
    reference_name: str = "reference",
    unit: str = "seed",
    ax: Axes | None = None,
) -> Axes:
    """One row per variant: the mean over seeds with its 95 % t-interval, each seed as a
    small dot.

    Args:
        results: values by the variant's name, one per seed; the first is drawn on top.
        halves: by the same names half the width of the intervals; None takes those of
            independent values.
        quantity: what the values are.
        share: whether they are shares (0–1), shown in percent.
        reference: a value to compare with, drawn as a vertical line.
        reference_name: what that value is.
        unit: what there is one value for, where that is no seed: a ``repeat`` of
            cross-validation.
        ax: where to draw; None makes a figure.
    """
    ax = new_axes(ax, PAGE_WIDTH, 1.0 + 0.3 * len(results))
    for row, (name, values) in enumerate(results.items()):
        summary = summarize(values)
        half = summary["ci95"] if halves is None else halves[name]
        mean = ax.errorbar(
            summary["mean"],
            row,
            xerr=half,
            fmt="D",
            color=COLORS[0],
            ms=4.5,
            capsize=3,
        )
        (seeds,) = ax.plot(
            summary["values"],
            [row + 0.25] * len(values),
            "o",
            color="black",
            alpha=0.6,
            ms=3,
            mew=0,
        )
    handles: list[Artist | Container] = [mean, seeds]
    labels = ["mean and 95 % t-interval", f"one {unit}"]
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
