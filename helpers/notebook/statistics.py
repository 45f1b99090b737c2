"""What several seeds say together: means with their intervals, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from helpers.base.record import summarize


def pm(values: ArrayLike, *, percent: bool = True, digits: int | None = None) -> str:
    """The mean of several seeds with half of its 95 % t-interval, ``85.1 ± 0.4 %``; one
    seed has no interval.

    Args:
        values: one per seed.
        percent: whether they are shares (0–1) to be shown in percent.
        digits: after the point; None means one for percent, else three.
    """
    summary = summarize(np.atleast_1d(values))
    digits = (1 if percent else 3) if digits is None else digits
    numbers = (
        [summary["mean"]]
        if summary["ci95"] is None
        else [summary["mean"], summary["ci95"]]
    )
    text = " ± ".join(
        f"{100 * number if percent else number:.{digits}f}" for number in numbers
    )
    return f"{text} %" if percent else text


@dataclass(frozen=True)
class Difference:
    """A difference between two experiments, seed by seed.

    Attributes:
        mean: mean over seeds.
        low: lower end of its 95 % t-interval; minus infinity with one seed, which says
            nothing about chance.
        high: upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """As points of a percentage, ``+1.3 ± 0.4``; one seed has no interval."""
        half = "" if math.isinf(self.high) else f" ± {50 * (self.high - self.low):.1f}"
        return f"{100 * self.mean:+.1f}{half}"

    @property
    def verdict(self) -> str:
        """What the interval allows to say: ``better``, ``worse`` or, as it holds zero,
        ``not told apart``.
        """
        return (
            "better" if self.low > 0 else "worse" if self.high < 0 else "not told apart"
        )


def paired(values: Sequence[float], reference: Sequence[float]) -> Difference:
    """How much ``values`` lie above ``reference``, one of each per seed, both in the
    same order of seeds.

    What the seeds share, such as the order of the images, cancels out: the interval is
    narrower than that of two means would be.
    """
    summary = summarize(
        value - other for value, other in zip(values, reference, strict=True)
    )
    half = math.inf if summary["ci95"] is None else summary["ci95"]
    return Difference(summary["mean"], summary["mean"] - half, summary["mean"] + half)


def results_table(metrics: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Metrics of several seeds as a table with a row for each measure and a column for
    each split.

    Args:
        metrics: named ``<split>_<measure>``, one value per seed, as ``measure`` returns
            them. Losses are shown in nats, times in seconds, everything else in
            percent.
    """
    table: dict[str, dict[str, str]] = {}
    for name, values in metrics.items():
        split, _, kind = name.partition("_")
        unit = {"loss": " (nats)", "seconds": " (s)"}.get(kind, "")
        row = table.setdefault(f"{kind.replace('_', ' ')}{unit}", {})
        row[split] = pm(
            values, percent=not unit, digits=0 if kind == "seconds" else None
        )
    return pd.DataFrame(table).T.fillna("").rename_axis("measure").reset_index()
