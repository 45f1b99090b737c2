"""Several experiments on the same data with the same seeds, compared pairwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd
from scipy.special import stdtr

from helpers.base.errors import ConfigError
from helpers.base.estimate import FEWEST, Estimate, unit_of
from helpers.base.record import summarize
from helpers.plots.curves import plot_comparison
from helpers.plots.style import SPLIT_NAMES
from helpers.study.output import Output, file_name
from helpers.study.study import Study, paired

SIGNIFICANCE = 0.05


class Comparison(Mapping[str, Study]):
    """Rows of a table, each a ``Study``: ``comparison["dropout"]["valid_accuracy"]``.

    Differences are paired by seed, or by fold of a cross-validation. Rows are compared
    by one metric, which is one on validation: the test set has no part in a choice.

    Args:
        name: of the comparison, and of its files.
        studies: by the name of the row.
        out: where figures and tables go.
        baseline: the row that the others are compared with; None takes the first.
        metric: what rows are compared by; None takes the accuracy on validation, of all
            heads together where there are several.
        groups: rows that belong together, by what they have in common.
    """

    def __init__(
        self,
        name: str,
        studies: Mapping[str, Study],
        out: Output,
        *,
        baseline: str | None = None,
        metric: str | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.name, self._studies, self._out = name, dict(studies), out
        self.baseline = baseline or next(iter(studies))
        if self.baseline not in studies:
            known = ", ".join(studies)
            raise ConfigError(f"{name} has no row {self.baseline!r}: it has {known}.")
        self.metric = metric or _usual_metric(self._studies[self.baseline])
        self.groups = dict(groups or {})

    def __getitem__(self, row: str) -> Study:
        return self._studies[row]

    def __iter__(self) -> Iterator[str]:
        return iter(self._studies)

    def __len__(self) -> int:
        return len(self._studies)

    @property
    def others(self) -> list[str]:
        """All rows but the baseline."""
        return [row for row in self if row != self.baseline]

    @property
    def ranked(self) -> list[str]:
        """All rows, the best by the mean of the metric first (of a loss, the least)."""
        falling = unit_of(self.metric) != "nats"
        return sorted(self, key=self._mean, reverse=falling)

    @property
    def best(self) -> str:
        """The row that is best by the mean of the metric."""
        return self.ranked[0]

    def gain(
        self, row: str, over: str | None = None, *, metric: str | None = None
    ) -> Estimate:
        """How far a row lies above another; None is the baseline."""
        reference = self[over or self.baseline]
        return paired(self[row], reference, metric or self.metric)

    def leads(self, row: str, among: Sequence[str] | None = None) -> Estimate:
        """How far a row lies above the best other one.

        The interval is wider by Bonferroni's correction, since which row comes second
        is not known before.

        Args:
            row: the one that is claimed to be best.
            among: the rows that it is compared with; None takes all but the baseline,
                and those that are combinations of others are best left out.
        """
        rivals = [r for r in (among or self.others) if r != row]
        second = max(rivals, key=self._mean)
        level = 1 - SIGNIFICANCE / len(rivals)
        return paired(self[row], self[second], self.metric, level=level)

    def interaction(self, row: str, parts: Sequence[str]) -> Estimate:
        """What a combination gains beyond the sum of what its parts gain alone."""
        gains = {r: self._differences(r) for r in (row, *parts)}
        excess = [
            together - sum(alone)
            for together, *alone in zip(
                gains[row], *(gains[p] for p in parts), strict=True
            )
        ]
        study = self[row]
        found = summarize(excess, study.over, shared=study.shared)
        count = len(study.metrics[self.metric])
        return replace(
            self.gain(row), mean=found["mean"], ci95=found["ci95"], count=count
        )

    def significance(self) -> dict[str, str]:
        """Of each row but the baseline: better, worse or not significant.

        Paired t-tests at 5 %, with Holm's correction for the number of rows.
        """
        values = {row: self._p_value(row) for row in self.others}
        ordered, certain, found = sorted(values, key=values.__getitem__), True, {}
        for rank, row in enumerate(ordered):
            certain &= values[row] <= SIGNIFICANCE / (len(ordered) - rank)
            up = (self.gain(row).mean > 0) == (unit_of(self.metric) != "nats")
            found[row] = ("better" if up else "worse") if certain else "not significant"
        return {row: found[row] for row in self.others}

    def table(self, *metrics: str) -> pd.DataFrame:
        """A row for each study: the metric, the difference to the baseline, and others.

        Args:
            metrics: shown besides; none takes training accuracy and validation loss.
        """
        study = self[self.baseline]
        wanted = metrics or [m for m in _BESIDES if m in study.metrics]
        said = self.significance()
        group = {row: name for name, rows in self.groups.items() for row in rows}
        table = []
        for row in self:
            cells = {"group": group.get(row, "")} if group else {}
            cells |= {"row": row, _words(self.metric): self[row][self.metric].number}
            gain = self.gain(row).number if row != self.baseline else "–"
            cells |= {"difference": gain, "significance": said.get(row, "baseline")}
            cells |= {
                _words(m): self[row][m].number for m in wanted if m != self.metric
            }
            table.append(cells)
        return pd.DataFrame(table)

    def show(self, *metrics: str, caption: str = "", ranked: bool = False) -> None:
        """The rows as a figure with intervals, and as a table of paired differences.

        Args:
            metrics: as of ``table``.
            caption: of the table, before what holds for all of them.
            ranked: whether the figure has the best row on top, not the first.
        """
        study = self[self.baseline]
        reference = study[self.metric].mean
        self.show_figure(ranked=ranked, reference=reference)
        count = len(study.metrics[self.metric])
        paired_by = "seed" if study.over == "seeds" else "fold"
        facts = (
            f"mean of {count} {study.over} with 95 % interval; differences to "
            f"{self.baseline}, paired by {paired_by}; significance after Holm"
        )
        text = f"{caption.rstrip('.')}: {facts}." if caption else f"{facts}."
        self._out.table(
            self.table(*metrics),
            file_name(self.name),
            caption=text[0].upper() + text[1:],
        )

    def show_figure(
        self, *, ranked: bool = False, reference: float | None = None
    ) -> None:
        """The rows with their intervals."""
        rows = self.ranked if ranked else list(self)
        study = self[self.baseline]
        self._out.figure(
            plot_comparison(
                {row: self[row].metrics[self.metric] for row in rows},
                halves={row: self[row][self.metric].ci95 for row in rows},
                quantity=_words(self.metric),
                share=unit_of(self.metric) == "percent",
                reference=reference,
                reference_name=self.baseline,
                unit=study.over.removesuffix("s"),
            ),
            file_name(self.name),
            alt=f"{_words(self.metric)} of {len(self)} rows: {', '.join(rows)}",
        )

    def _mean(self, row: str) -> float:
        return self[row][self.metric].mean

    def _differences(self, row: str) -> list[float]:
        own, its = (s.samples(self.metric) for s in (self[row], self[self.baseline]))
        return [a - b for a, b in zip(own, its, strict=True)]

    def _p_value(self, row: str) -> float:
        """Of the two-sided paired t-test; 1 with fewer than three seeds."""
        study, differences = self[row], self._differences(row)
        if len(study.metrics[self.metric]) < FEWEST:
            return 1.0
        found = summarize(differences)
        if found["std"] == 0:
            return 1.0 if found["mean"] == 0 else 0.0
        error = found["std"] * math.sqrt(1 / len(differences) + study.shared)
        return 2 * float(stdtr(len(differences) - 1, -abs(found["mean"]) / error))


_BESIDES = ("train_accuracy", "train_joint_accuracy", "valid_loss")


def _words(metric: str) -> str:
    """A metric as a reader calls it: ``validation accuracy``."""
    split, _, measure = metric.partition("_")
    return f"{SPLIT_NAMES.get(split, split)} {measure.replace('_', ' ')}"


def _usual_metric(study: Study) -> str:
    known = ("valid_accuracy", "valid_joint_accuracy")
    return next(metric for metric in known if metric in study.metrics)
