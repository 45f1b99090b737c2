"""Learning curves, variants compared over their seeds, and accuracy by a setting."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from statistics import fmean
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.base.estimate import SPLIT_NAMES, estimate
from helpers.plots.style import (
    COLORS,
    PAGE_WIDTH,
    SPLIT_COLORS,
    SPLIT_LOOKS,
    label_values,
    new_axes,
    plain,
)
from helpers.training.history import History

LOOKS = (("-", "o"), ("--", "s"), ("-.", "D"), (":", "^"))  # line and marker


def plot_curves(
    histories: Sequence[History],
    columns: Mapping[str, str],
    *,
    quantity: str,
    share: bool = False,
    log: bool = False,
) -> Axes:
    """Any columns of the histories over the epochs, a curve each.

    Args:
        histories: one per network.
        columns: by label, the column of the history (``valid_accuracy_angle``).
        quantity: what the values are, with their unit.
        share: whether they are shares (0–1), shown in percent.
        log: a logarithmic axis.
    """
    curves = zip(columns, columns.values(), cycle(COLORS), cycle(LOOKS), strict=False)
    band = _draw_curves(histories, curves, ax := new_axes(PAGE_WIDTH, 3.0))
    # Within, it would cover a curve.
    title = band.replace(", ", ",\n")
    ax.legend(title=title, alignment="left", loc="upper left", bbox_to_anchor=(1, 1))
    if log:
        ax.set_yscale("log")
    label_values(ax, "y", quantity, share=share)
    return ax


def plot_learning_curves(networks: Mapping[str, Sequence[History]]) -> Figure:
    """Training, validation and, where recorded, test curve over the epochs: the mean of
    several networks, and a band from lowest to highest.

    The loss is in nats (but squared errors), accuracy in percent. ``networks`` are
    histories by the title of their row.
    """
    figure, axes = plt.subplots(
        len(networks),
        2,
        figsize=(PAGE_WIDTH, 0.7 + 1.9 * len(networks)),
        sharey="col",
        squeeze=False,
        layout="constrained",
    )
    bands = set()
    for row, (title, histories) in zip(axes, networks.items(), strict=True):
        for ax, metric in zip(row, ("loss", "accuracy"), strict=True):
            curves = [
                (SPLIT_NAMES[split], f"{split}_{metric}", SPLIT_COLORS[split], look)
                for split, look in SPLIT_LOOKS.items()
                if f"{split}_{metric}" in histories[0].frame
            ]
            bands.add(_draw_curves(histories, curves, ax))
            ax.set_title(title)
        label_values(row[0], "y", "loss (nats)", share=False)
        label_values(row[1], "y", "accuracy")
    figure.legend(
        *ax.get_legend_handles_labels(),
        title=bands.pop() if len(bands) == 1 else "mean, band: lowest to highest",
        loc="outside upper center",
        ncols=3,
    )
    return figure


def _draw_curves(
    histories: Sequence[History],
    curves: Iterable[tuple[str, str, tuple[float, ...], tuple[str, str]]],
    ax: Axes,
) -> str:
    """Draws mean and range of each curve whose column is there; says of how many."""
    frames = [history.frame for history in histories]
    for label, column, color, (line, marker) in curves:
        values = pd.concat([frame[column] for frame in frames], axis=1)
        ax.plot(
            values.mean(axis=1),
            line,
            marker=marker if len(values) <= 15 else "",  # one epoch makes no line
            markersize=3.5,
            color=color,
            label=plain(label),
        )
        if len(frames) > 1:
            low, high = values.min(axis=1), values.max(axis=1)
            ax.fill_between(
                values.index, low, high, color=color, alpha=0.2, linewidth=0
            )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlabel("epoch")
    stopped = "up to " * (len({len(frame) for frame in frames}) > 1)
    band = f"mean of {stopped}{len(frames)} networks, band: lowest to highest"
    return band if len(frames) > 1 else ""


def plot_comparison(
    results: Mapping[str, Sequence[float]],
    *,
    halves: Mapping[str, float | None],
    quantity: str = "validation accuracy",
    share: bool = True,
    reference: tuple[str, float] | None = None,
    unit: str = "seed",
    ax: Axes | None = None,
) -> Axes:
    """One row per variant: the mean with its 95 % t-interval, each value as a dot.

    Args:
        results: values by the variant's name, one per ``unit``; the first is on top.
        halves: by name half the width of the intervals.
        quantity: as of ``plot_curves``.
        share: likewise.
        reference: name and value of what to compare with, a vertical line.
        unit: a ``seed``, ``repeat`` or ``fold``.
        ax: where to draw; None makes a figure.
    """
    ax = ax or new_axes(PAGE_WIDTH, 1.0 + 0.3 * len(results))
    style: dict[str, Any] = {"fmt": "D", "color": COLORS[0], "ms": 4.5, "capsize": 3}
    for row, (name, values) in enumerate(results.items()):
        mean = ax.errorbar(fmean(values), row, xerr=halves[name], **style)
        below = [row + 0.25] * len(values)
        (seeds,) = ax.plot(values, below, "o", color="black", alpha=0.6, ms=3, mew=0)
    handles: list[Any] = [mean, seeds]
    interval = " and 95 % t-interval" if {*halves.values()} != {None} else ""
    labels = [f"mean{interval}", f"one {unit}"]
    if reference is not None:
        name, value = reference
        handles.append(ax.axvline(value, color=COLORS[1], linestyle="--", zorder=0))
        labels.append(plain(name))
    ax.set_yticks(range(len(results)), [*map(plain, results)])
    ax.set_ylim(len(results) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.4)
    label_values(ax, "x", quantity, share=share)
    if share:  # an interval may end where no accuracy can be
        low, high = ax.get_xlim()
        ax.set_xlim(max(low, -0.02), min(high, 1.02))
    # To the left there is room beside long names.
    ax.legend(handles, labels, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
    return ax


def plot_sweep(
    curves: Mapping[str, Mapping[float, Sequence[float]]],
    *,
    quantity: str,
    chance: float,
    shared: float = 0.0,
    ax: Axes | None = None,
) -> Axes:
    """Accuracy on several splits by a setting: means with 95 % t-intervals.

    Args:
        curves: by the split's name (``train``, ``valid``, ``test``), by the setting's
            value in ascending order: shares (0–1), one per seed.
        quantity: what the setting is.
        chance: what guessing reaches, marked by a horizontal line.
        shared: as of ``estimate``.
        ax: where to draw; None makes axes.
    """
    ax = ax or new_axes(5.0, 3.0)
    for split, response in curves.items():
        found = [estimate(values, shared=shared) for values in response.values()]
        ax.errorbar(
            list(response),
            [one.mean for one in found],
            yerr=[math.nan if one.ci95 is None else one.ci95 for one in found],
            fmt="".join(SPLIT_LOOKS[split]),
            ms=3.5,
            capsize=2,
            color=SPLIT_COLORS[split],
            label=SPLIT_NAMES[split],
        )
    ax.axhline(chance, color="gray", linestyle=":", zorder=0, label="guessing")
    low, high = ax.get_ylim()  # an interval of few seeds reaches beyond what there is
    ax.set_ylim(max(low, 0.0), min(high, 1.02))
    label_values(ax, "y", "accuracy")
    ax.set_xlabel(quantity)
    ax.legend()
    return ax
