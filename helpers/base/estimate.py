"""A measured number: its mean, how sure it is, its unit, and what may be said of it.

Every number that is shown is formatted here, and every claim is judged here.
"""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from helpers.base.errors import ConfigError

Unit = Literal["percent", "points", "nats", "seconds", "count", "number"]
FEWEST = 3  # values that an interval must come from to count as evidence
DIGITS = 3  # after the point, at most
SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}
_SIGNS = {"percent": " %", "points": " points", "nats": " nats", "seconds": " s"}


@dataclass(frozen=True)
class Estimate:
    """The mean of several values, with the 95 % confidence interval of that mean.

    Attributes:
        mean: shares and their differences as fractions (0–1).
        ci95: half the width of the interval (more where the best of several is judged);
            None where one value says nothing about others, 0 for what was counted or
            computed.
        count: how many values there were.
        unit: ``percent`` (a share), ``points`` (a difference of shares), ``nats``,
            ``seconds``, ``count`` (a whole number) or ``number``.
        over: what there is one value for: ``seeds``, ``repeats`` of cross-validation,
            ``images`` …; empty for what was counted or computed.
    """

    mean: float
    ci95: float | None
    count: int = 1
    unit: Unit = "number"
    over: str = "seeds"

    @property
    def interval(self) -> tuple[float, float]:
        """Where the mean lies; anywhere, if it is of too few values to be evidence."""
        half = self.ci95
        if half is None or (self.over and self.count < FEWEST):
            half = math.inf
        return self.mean - half, self.mean + half

    @property
    def number(self) -> str:
        """Mean, interval and unit: ``85.0 ± 2.5 %``, ``+1.3 ± 0.4 points``."""
        scale = 100 if self.unit in ("percent", "points") else 1
        mean, half = scale * self.mean, scale * (self.ci95 or 0.0)
        half = half if half >= 0.5 * 0.1**DIGITS else 0.0  # rounding makes tiny ones
        digits = self._digits(abs(mean), half)
        sign = "+" if self.unit == "points" else ""
        text = f"{mean:{sign}z,.{digits}f}"  # no -0.0
        if half:
            text += f" ± {half:,.{digits}f}"
        return text.replace("-", "−") + _SIGNS.get(self.unit, "")

    def _digits(self, mean: float, half: float) -> int:
        rounded = {
            "seconds": mean >= 10,
            "number": mean >= 1000 or mean % 1 == 0,
            "count": mean % 1 == 0 and not half,
        }
        usual = {"nats": 2, "number": 3}.get(self.unit, 1)
        digits = 0 if rounded.get(self.unit) else usual
        # An interval that is not zero is not shown as zero.
        while 0 < half < 0.5 * 0.1**digits and digits < DIGITS:
            digits += 1
        return digits

    def __str__(self) -> str:
        """The number, and how many values it comes from: ``85.0 ± 2.5 % (3 seeds)``."""
        if not self.over:
            return self.number
        if self.count == 1:
            return f"{self.number} (one {self.over.removesuffix('s')})"
        return f"{self.number} ({self.count} {self.over})"


def exact(value: float, unit: Unit | None = None) -> Estimate:
    """A number without chance in it: counted, or computed."""
    if not math.isfinite(value):
        raise ConfigError(f"A result needs a finite number, not {value}.")
    usual: Unit = "count" if float(value).is_integer() else "number"
    return Estimate(float(value), 0.0, unit=unit or usual, over="")


def estimate(
    values: Iterable[float],
    unit: Unit = "number",
    over: str = "seeds",
    *,
    shared: float = 0.0,
    level: float = 0.95,
) -> Estimate:
    """The mean of values with its t-interval.

    Args:
        values: one per seed, or per fold of a cross-validation.
        unit: as of ``Estimate``.
        over: likewise.
        shared: test images per training image where values come from folds that share
            training images: their variance is larger than it looks by that much (Nadeau
            and Bengio, Inference for the generalization error, 2003).
        level: of the interval; more than 0.95 where several are looked at together.

    Raises:
        ConfigError: there is no value, or one that is not a finite number.
    """
    numbers = [*map(float, values)]
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ConfigError(
            f"A result needs finite numbers, one of the {over}, not {numbers}."
        )
    mean, count = statistics.fmean(numbers), len(numbers)
    if count == 1:
        return Estimate(mean, None, 1, unit, over)
    from scipy.special import stdtrit  # the command line starts fast

    quantile = float(stdtrit(count - 1, (1 + level) / 2))
    half = quantile * statistics.stdev(numbers) * math.sqrt(1 / count + shared)
    return Estimate(mean, half, count, unit, over)


def unpaired(one: Estimate, other: Estimate, unit: Unit) -> Estimate:
    """How far one mean lies above another that has nothing in common with it."""
    ci95 = None
    if one.ci95 is not None and other.ci95 is not None:
        ci95 = math.hypot(one.ci95, other.ci95)  # independent ones add up in squares
    measured = [(e.count, e.over) for e in (one, other) if e.over]  # not computed
    count, over = min(measured, default=(1, ""))
    return Estimate(one.mean - other.mean, ci95, count, unit, over)


def unit_of(metric: str) -> Unit:
    """The unit of a metric by its name, ``<split>_<measure>``."""
    if "loss" in metric:
        return "nats"
    if "seconds" in metric:
        return "seconds"
    shares = ("accuracy", "_f1", "share", "agreement")
    return "percent" if any(word in metric for word in shares) else "number"


def words_of(metric: str) -> str:
    """A metric as a reader calls it: ``validation accuracy``."""
    split, _, measure = metric.partition("_")
    return f"{SPLIT_NAMES.get(split, split)} {measure.replace('_', ' ')}"


def judge(
    found: Estimate,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    asked: bool,
) -> str:
    """What a number allows to say of a demand or a claim about it.

    Reaching a bound exactly is enough for what is ``asked``; a claim must pass it.

    Returns:
        Of what is asked ``met`` (by the whole interval), ``met on average`` (by the
        mean) or ``missed``; of a claim ``supported`` (by the whole interval),
        ``contradicted`` (likewise) or ``not shown``. Fewer than three values show
        nothing.
    """
    least = -math.inf if at_least is None else at_least
    most = math.inf if at_most is None else at_most
    low, high = found.interval
    if asked:
        if least <= low and high <= most:
            return "met"
        return "met on average" if least <= found.mean <= most else "missed"
    if least < low and high < most:
        return "supported"
    if high < least or most < low:
        return "contradicted"
    # What was counted has no interval that could hold the bound: reaching it is enough,
    # but no difference is no lead.
    exactly = not found.over and least <= found.mean <= most and (least or found.mean)
    return "supported" if exactly else "not shown"
