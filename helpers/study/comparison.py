"""Several experiments on the same data with the same seeds, compared pairwise."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from helpers.base.errors import ConfigError
from helpers.base.estimate import Estimate, unit_of, words_of
from helpers.plots import plot_comparison
from helpers.study.study import Output, Study, file_name

SIGNIFICANCE = 0.05


class Comparison(dict[str, Study]):
    """Rows of a table, each a ``Study``: ``comparison["dropout"]["valid_accuracy"]``.

    Differences are paired by seed, or by fold of a cross-validation.

    Args:
        name: of the comparison and its files, ``ablation``.
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
        super().__init__(studies)
        self.name, self._out = name, out
        self.baseline = baseline or next(iter(studies))
        usual = ("valid_accuracy", "valid_joint_accuracy")
        measured = self[self.baseline].metrics
        self.metric = metric or next(name for name in usual if name in measured)
        self.groups = dict(groups or {})

    def __missing__(self, row: str) -> Study:
        raise ConfigError(f"{self.name} has no row {row!r}: it has {', '.join(self)}.")

    @property
    def best(self) -> str:
        """The row with the best mean of the metric (of a loss, the least)."""
        return self.best_of(self)

    def gain(
        self,
        row: str,
        over: str | None = None,
        *,
        metric: str | None = None,
        level: float = 0.95,
    ) -> Estimate:
        """How far a row lies above another, or above the baseline.

        What seeds share, such as the order of the images, cancels out: the interval (at
        ``level``) is narrower than that of two means.
        """
        metric = metric or self.metric
        reference = self[over or self.baseline].samples(metric)
        return self[row].paired(metric, self[row].samples(metric), reference, level)

    def best_of(self, rows: Collection[str]) -> str:
        """The one of these rows with the best mean of the metric."""
        return (max if self._rises else min)(rows, key=self._mean)

    def leads(self, row: str, among: Sequence[str]) -> Estimate:
        """How far a row, claimed to be best, lies above that one ``among`` others which
        it beats least surely (an intersection-union test: Berger 1982); if it is not
        best, above the best, by Bonferroni's wider interval.
        """
        sign, rivals = 1 if self._rises else -1, [r for r in among if r != row]
        level = 1 - SIGNIFICANCE / len(rivals)
        first = self.gain(row, self.best_of(rivals), level=level)
        if sign * first.mean < 0:
            return first
        gains = (self.gain(row, rival) for rival in rivals)
        return min(gains, key=lambda gain: sign * gain.mean - (gain.ci95 or 0))

    def significance(self) -> dict[str, str]:
        """Of each row but the baseline: better, worse or not significant.

        Paired t-tests at 5 %, with Holm's correction for the number of rows.
        """
        left = [row for row in self if row != self.baseline]
        said = dict.fromkeys(left, "not significant")
        while left:
            # Holm: what passes leaves the others a milder level.
            level = 1 - SIGNIFICANCE / len(left)
            gains = {row: self.gain(row, level=level) for row in left}
            passed = {
                row: "better" if (gain.mean > 0) == self._rises else "worse"
                for row, gain in gains.items()
                if gain.interval[0] > 0 or gain.interval[1] < 0
            }
            if not passed:
                break
            said |= passed
            left = [row for row in left if row not in passed]
        return said

    def table(self, *metrics: str) -> pd.DataFrame:
        """A row for each study: the metric, the difference to the baseline, and other
        ``metrics``: by default training accuracy and validation loss.
        """
        usual = [m for m in _BESIDES if m in self[self.baseline].metrics]
        besides = [m for m in metrics or usual if m != self.metric]
        said = self.significance()
        group = {row: name for name, rows in self.groups.items() for row in rows}
        table = []
        for row, study in self.items():
            cells = {"group": group.get(row, "")} if group else {}
            cells |= {"row": row, words_of(self.metric): study[self.metric].number}
            gain = self.gain(row).number if row != self.baseline else "–"
            cells |= {"difference": gain, "significance": said.get(row, "baseline")}
            cells |= {words_of(metric): study[metric].number for metric in besides}
            table.append(cells)
        return pd.DataFrame(table)

    def show(self, *metrics: str, caption: str = "", ranked: bool = False) -> None:
        """The rows as a figure with intervals (``ranked``: the best on top, not the
        first), and as a ``table`` of paired differences; its ``caption`` goes before
        what holds for all tables.
        """
        first = self[self.baseline]
        interval = "" if first[self.metric].ci95 is None else " with 95 % interval"
        self.show_figure(ranked=ranked)
        paired_by = "seed" if first.over == "seeds" else "fold"
        mean = f"{caption.rstrip('.')}: mean" if caption else "Mean"
        text = (
            f"{mean} of {first.many}{interval}; differences to "
            f"{self.baseline}, paired by {paired_by}; significance after Holm."
        )
        self._out.table(self.table(*metrics), file_name(self.name), caption=text)

    def show_figure(self, *, ranked: bool = False) -> None:
        """The rows with their intervals, and a line at the baseline."""
        rows = list(self)
        if ranked:
            rows.sort(key=self._mean, reverse=self._rises)
        self._out.figure(
            plot_comparison(
                {row: self[row].metrics[self.metric] for row in rows},
                halves={row: self[row][self.metric].ci95 for row in rows},
                quantity=words_of(self.metric),
                share=unit_of(self.metric) == "percent",
                reference=(self.baseline, self._mean(self.baseline)),
                unit=self[self.baseline].over.removesuffix("s"),
            ),
            file_name(self.name),
            alt=f"{words_of(self.metric)} of {len(self)} rows: {', '.join(rows)}",
        )

    def _mean(self, row: str) -> float:
        return self[row][self.metric].mean

    @property
    def _rises(self) -> bool:
        """Whether more of the metric is better: of a loss, less is."""
        return unit_of(self.metric) != "nats"


_BESIDES = ("train_accuracy", "train_joint_accuracy", "valid_loss")
