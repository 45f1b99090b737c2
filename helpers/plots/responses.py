"""How a result responds to what is done to the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.base.record import summarize
from helpers.plots.style import (
    COLORS,
    PAGE_WIDTH,
    SMALL,
    SPLIT_COLORS,
    SPLIT_LOOKS,
    SPLIT_NAMES,
    label_values,
    new_axes,
)

Response = Mapping[float, Sequence[float]]  # by strength, one value per repeat


def plot_responses(
    responses: Mapping[str, Response],
    *,
    quantities: Mapping[str, str],
    neutral: Mapping[str, float],
    chance: float | None = None,
    columns: int = 3,
) -> Figure:
    """Accuracy by the strength of transformations: means with 95 % t-intervals.

    Args:
        responses: by the transformation's name, by strength in ascending order: shares
            (0–1), one per repeat.
        quantities: by name what its strength is, with its unit.
        neutral: by name the strength that changes nothing, marked by a vertical line.
        chance: what guessing reaches, marked by a horizontal line.
        columns: pictures per row.
    """
    rows = -(-len(responses) // columns)
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(PAGE_WIDTH, 1.75 * rows),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, (name, response) in zip(grid.flat, responses.items(), strict=False):
        _draw_means(ax, response, fmt="o-", color=COLORS[0])
        ax.axvline(neutral[name], color=COLORS[2], linestyle=":", zorder=0)
        if chance is not None:
            ax.axhline(chance, color=COLORS[1], linestyle="--", zorder=0)
        ax.set_title(name, fontsize=SMALL + 2)
        ax.set_xlabel(quantities[name], fontsize=SMALL)
        ax.tick_params(labelsize=SMALL)
    for row in grid:
        label_values(row[0], "y", "accuracy")
    for ax in list(grid.flat)[len(responses) :]:
        ax.remove()
    grid[0, 0].set_ylim(0, 1)
    return figure


def plot_sweep(
    curves: Mapping[str, Response],
    *,
    quantity: str,
    chance: float | None = None,
) -> Axes:
    """Accuracy on several splits by a setting: means with 95 % t-intervals.

    Args:
        curves: by the split's name (``train``, ``valid``, ``test``), by the setting's
            value in ascending order: shares (0–1), one per seed.
        quantity: what the setting is.
        chance: what guessing reaches, marked by a horizontal line.
    """
    ax = new_axes(5.0, 3.0)
    for split, response in curves.items():
        look, color = "".join(reversed(SPLIT_LOOKS[split])), SPLIT_COLORS[split]
        _draw_means(ax, response, fmt=look, color=color, label=SPLIT_NAMES[split])
    if chance is not None:
        ax.axhline(chance, color="gray", linestyle=":", zorder=0, label="guessing")
    low, high = ax.get_ylim()  # an interval of few seeds reaches beyond what there is
    ax.set_ylim(max(low, 0.0), min(high, 1.02))
    label_values(ax, "y", "accuracy")
    ax.set_xlabel(quantity)
    ax.legend()
    return ax


def _draw_means(ax: Axes, response: Response, **style: Any) -> None:
    summaries = [summarize(values) for values in response.values()]
    means = [summary["mean"] for summary in summaries]
    halves = [summary["ci95"] or 0.0 for summary in summaries]
    ax.errorbar(list(response), means, yerr=halves, ms=3.5, capsize=2, **style)
