"""One experiment trained with several seeds, or on the folds of a cross-validation."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from statistics import fmean
from typing import Any, Protocol

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.base.errors import ConfigError, require_known
from helpers.base.estimate import SPLIT_NAMES, Estimate, estimate, unit_of
from helpers.base.record import summarize
from helpers.data.splits import Split, Splits
from helpers.models.heads import Heads, heads_of
from helpers.plots import (
    most_confused,
    plot_class_accuracy,
    plot_confusion_matrix,
    plot_curves,
    plot_image_grid,
    plot_learning_curves,
)
from helpers.training.cross_validation import CrossValidated, pool
from helpers.training.evaluate import Evaluation
from helpers.training.experiments import Trained
from helpers.training.history import History

MEASURES = ("loss", "accuracy", "mean_class_accuracy", "f1_macro")


class Output(Protocol):
    """What shows figures and tables and keeps them by name: a notebook's ``Run``."""

    def figure(  # noqa: D102
        self, picture: Figure | Axes, name: str, *, alt: str, caption: str = ""
    ) -> None: ...

    def table(  # noqa: D102
        self, frame: pd.DataFrame, name: str, *, caption: str = ""
    ) -> None: ...


class Study:
    """Several seeds of one experiment, and what they say together.

    ``study["valid_accuracy"]`` is a metric's ``Estimate``; ``show_…`` show figures and
    tables and keep them as ``<name>_…``. Those of predictions are about the last split
    that the data have, ``test`` or else ``valid``, and of all seeds.

    Attributes:
        points: the trained networks, one per seed.
        metrics: every metric by name (``test_accuracy``), one value per seed.
        judged_split: what confusion matrices and the like are about: ``validation``.
        evaluations: each network's predictions on that split.
    """

    over = "seeds"
    shared = 0.0

    def __init__(
        self, name: str, points: Sequence[Trained], splits: Splits, out: Output
    ) -> None:
        self.name, self.points, self.splits, self._out = name, points, splits, out
        self.judged_split = SPLIT_NAMES[[*splits.parts][-1]]
        self.evaluations: Sequence[Evaluation] = ()
        self.metrics = self._measure()

    def __getitem__(self, metric: str) -> Estimate:
        return estimate(Study.samples(self, metric), unit_of(metric), self.over)

    def summaries(self) -> dict[str, dict[str, Any]]:
        """Each metric as a record keeps it."""
        return {
            name: summarize(values, self.over) | {"ci95": self[name].ci95}
            for name, values in self.metrics.items()
        }

    def samples(self, metric: str) -> list[float]:
        """The values that differences are computed from: one per seed."""
        require_known(ConfigError, f"{self.name} has no metric", metric, self.metrics)
        return self.metrics[metric]

    def difference(self, metric: str, other: str) -> Estimate:
        """How far one metric lies above another, paired by seed or fold."""
        return self.paired(metric, self.samples(metric), self.samples(other))

    def paired(
        self,
        metric: str,
        own: Sequence[float],
        others: Sequence[float],
        level: float = 0.95,
    ) -> Estimate:
        """How far values of a metric lie above others, seed by seed or fold by fold."""
        unit = unit_of(metric)
        found = estimate(
            [mine - its for mine, its in zip(own, others, strict=True)],
            "points" if unit == "percent" else unit,
            self.over,
            shared=self.shared if len(own) == len(self.points) else 0.0,
            level=level,
        )
        return replace(found, count=len(self.metrics[metric]))

    def per_epoch(self, value: Callable[[History], float], unit: Any) -> Estimate:
        """What ``value`` finds in the history of each network, with its interval."""
        found = estimate(
            map(value, self.histories), unit, self.over, shared=self.shared
        )
        return replace(found, count=len(self.metrics["train_seconds"]))

    def loss_rise(self) -> Estimate:
        """By how many nats the validation loss ends above its lowest."""
        return self.per_epoch(
            lambda h: h.rows[-1]["valid_loss"] - h.frame["valid_loss"].min(), "nats"
        )

    @property
    def first(self) -> Trained:
        """The network of the first seed, which is saved and drawn."""
        return self.points[0]

    @property
    def histories(self) -> list[History]:
        """What happened in each epoch, by network."""
        return [point.history for point in self.points]

    @property
    def heads(self) -> Heads | None:
        """The network's heads, where it has several."""
        return heads_of(self.first.model)

    @property
    def judged_images(self) -> Split:
        """The images of the judged split."""
        return [*self.splits.parts.values()][-1]

    @cached_property
    def pooled(self) -> Evaluation:
        """The predictions of all networks, one after the other."""
        return Evaluation(
            torch.cat([one.probabilities for one in self.evaluations]),
            torch.cat([one.labels for one in self.evaluations]),
            fmean(one.loss for one in self.evaluations),
        )

    def show_curves(self, *, caption: str = "") -> None:
        """Loss and accuracy over the epochs; of several heads, those of each too."""
        alt = f"Loss and accuracy of {self.name} over the epochs"
        picture = plot_learning_curves({"": self.histories})
        self._figure(picture, "curves", alt, caption)
        if self.heads is not None:
            for measure, unit in (("accuracy", ""), ("loss", " (nats)")):
                columns = {h: f"valid_{measure}_{h}" for h in self.heads.factors}
                curves = plot_curves(
                    self.histories,
                    columns,
                    quantity=f"validation {measure}{unit}",
                    share=measure == "accuracy",
                    log=measure == "loss",
                )
                alt = f"Validation {measure} of each head of {self.name} by epoch"
                self._figure(curves, f"heads_{measure}", alt)

    def show_results(self, *, caption: str = "") -> None:
        """Every measure on every split, with its interval."""
        rows: dict[str, dict[str, str]] = {}
        for metric in self.metrics:
            split, _, measure = metric.partition("_")
            row = rows.setdefault(measure.replace("_", " "), {})
            row[SPLIT_NAMES.get(split, split)] = self[metric].number
        table = pd.DataFrame(rows).T.fillna("").rename_axis("measure").reset_index()
        self._table(table, "results", caption or f"{self.name}, mean of {self.many}")

    def show_confusions(self, *, worst: int = 10) -> None:
        """The confusion matrix, and the pairs of classes confused most often.

        Of several heads, a matrix for each.
        """
        for head, classes, judged in self._by_head():
            place = f"{self.judged_split} images, {self.many} pooled."
            answers = judged.labels, judged.predictions, classes
            what = f"Confusion matrix {head}".strip()
            matrix, kind = plot_confusion_matrix(*answers), f"confusion_{head}"
            self._figure(matrix, kind, f"{what} of {self.name}", f"{what}: {place}")
            pairs = most_confused(*answers, count=worst)
            if len(pairs):
                caption = f"The pairs of classes confused most often: {place}"
                self._table(pairs, f"confused_{head}", caption)

    def show_classes(self) -> None:
        """The classes with the lowest accuracy, and the mean over all classes."""
        accuracy, classes = self.pooled.per_class_accuracy, self.splits.classes
        alt = f"The classes that {self.name} recognises worst"
        self._figure(plot_class_accuracy(accuracy, classes), "classes", alt)

    def show_scores(self) -> None:
        """Precision, recall and F-score of each class, of each head."""
        frames = []
        for head, classes, judged in self._by_head():
            scores = judged.scores(classes)
            scores["images"] //= len(self.evaluations)
            frames.append(scores.assign(head=head) if head else scores)
        table = pd.concat(frames, ignore_index=True)
        names = ["precision", "recall", "F-score"]
        table[names] = table[names].map(lambda share: f"{100 * share:.2f} %")
        caption = f"Scores by class, {self.judged_split} images, {self.many} pooled."
        self._table(table.replace("nan %", "–"), "scores", caption)

    def show_errors(self, count: int = 16, *, columns: int = 8) -> None:
        """The images that the first network is sure about, and wrong."""
        judged, split = self.evaluations[0], self.judged_images
        wrong = (judged.predictions != judged.labels).nonzero()[:, 0]
        order = judged.probabilities.amax(1)[wrong].argsort(descending=True)
        shown = wrong[order][:count]
        if not len(shown):
            return
        pairs = zip(judged.labels[shown], judged.predictions[shown], strict=True)
        names = self.splits.classes
        titles = [f"{names[label]}\n→ {names[said]}" for label, said in pairs]
        self._figure(
            plot_image_grid(split.images[shown], titles=titles, columns=columns),
            "errors",
            f"The most confident errors of {self.name}: true → predicted class",
            f"The most confident errors, {self.judged_split} images: true → predicted.",
        )

    @property
    def many(self) -> str:
        """How many values a metric has: ``3 seeds``."""
        count = len(next(iter(self.metrics.values())))
        return f"{count} {self.over if count > 1 else self.over.removesuffix('s')}"

    def _measure(self) -> dict[str, list[float]]:
        metrics = {"train_seconds": [history.seconds for history in self.histories]}
        for name, split in self.splits.parts.items():
            self.evaluations = [point.evaluate(split) for point in self.points]
            for one in self.evaluations:
                for measure, value in measures(one, self.heads).items():
                    metrics.setdefault(f"{name}_{measure}", []).append(value)
        return metrics

    def _by_head(self) -> Iterator[tuple[str, Sequence[str], Evaluation]]:
        if self.heads is None:
            yield "", self.splits.classes, self.pooled
            return
        factors = self.heads.factors
        for head, judged in self.pooled.by_factor(factors).items():
            yield head, factors[head], judged

    def _figure(
        self, picture: Figure | Axes, kind: str, alt: str, caption: str = ""
    ) -> None:
        self._out.figure(picture, file_name(self.name, kind), alt=alt, caption=caption)

    def _table(self, table: pd.DataFrame, kind: str, caption: str) -> None:
        self._out.table(table, file_name(self.name, kind), caption=caption)


class CrossStudy(Study):
    """One experiment in repeated cross-validation; ``valid`` means held out.

    A metric has one value per repeat, over all images. Its interval and differences
    come from the folds, corrected for the training images that these share (Nadeau and
    Bengio 2003); it does not say how another set of images would come out.
    """

    over = "repeats"

    def __init__(
        self,
        name: str,
        rounds: Sequence[CrossValidated],
        splits: Splits,
        out: Output,
        *,
        watch: float = 0.0,
    ) -> None:
        self.rounds = rounds
        # Images held out per image learned from; ``watch`` of these are set aside.
        self.shared = 1 / (len(rounds[0].folds) - 1) / (1 - watch)
        folds = [fold for one in rounds for fold in one.folds]
        self._by_fold = {f"valid_{m}": [getattr(f, m) for f in folds] for m in MEASURES}
        self._by_fold["train_accuracy"] = [
            a for one in rounds for a in one.train_accuracy
        ]
        points = [point for one in rounds for point in one.points]
        super().__init__(name, points, replace(splits, test=None), out)

    def __getitem__(self, metric: str) -> Estimate:
        found = super().__getitem__(metric)
        if metric not in self._by_fold:
            return found
        by_fold = estimate(self._by_fold[metric], shared=self.shared)
        return replace(found, ci95=by_fold.ci95)

    def samples(self, metric: str) -> list[float]:
        """What differences are of: one value per fold, of seconds one per repeat."""
        return self._by_fold.get(metric) or super().samples(metric)

    @property
    def judged_images(self) -> Split:
        """All images, each of which is held out once in every repeat."""
        return pool(self.splits)

    def _measure(self) -> dict[str, list[float]]:
        self.judged_split = "held-out"
        self.evaluations = [one.held_out for one in self.rounds]
        return {
            "train_accuracy": [fmean(one.train_accuracy) for one in self.rounds],
            "train_seconds": [
                sum(point.history.seconds for point in one.points)
                for one in self.rounds
            ],
        } | {f"valid_{m}": [getattr(e, m) for e in self.evaluations] for m in MEASURES}


def measures(evaluation: Evaluation, heads: Heads | None) -> dict[str, float]:
    """Loss, accuracy and F1 of one network on one split, by name.

    With several heads, ``joint_accuracy`` is the share of images on which all of them
    are right, and ``accuracy_<head>`` that of one.
    """
    if heads is None:
        return {name: getattr(evaluation, name) for name in MEASURES}
    found = {
        "loss": evaluation.loss,
        "joint_accuracy": evaluation.accuracy,
        "f1_macro": evaluation.f1_macro,
    }
    for head, own in evaluation.by_factor(heads.factors).items():
        for name in ("loss", "accuracy", "f1_macro"):
            found[f"{name}_{head}"] = getattr(own, name)
    return found


def file_name(*parts: str) -> str:
    """A name for a file: ``weight_decay_curves`` of ``+ weight decay``, ``curves``."""
    return re.sub(r"[^\w-]+", "_", "_".join(parts)).strip("_")
