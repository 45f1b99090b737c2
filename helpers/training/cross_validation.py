"""Repeated stratified cross-validation, for sets too small for one split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split

from helpers.base.errors import ConfigError, explained
from helpers.data.splits import Split, Splits
from helpers.training.evaluate import Evaluation
from helpers.training.experiments import Experiment, Trained, train_points
from helpers.training.loop import Report


@dataclass(frozen=True)
class Fold:
    """What one network is given.

    Attributes:
        splits: ``train``, which it learns from, and ``valid``, which it is watched on.
        held_out: the images that it is judged on.
        places: where those are among the pooled images, ``int64``.
    """

    splits: Splits
    held_out: Split
    places: torch.Tensor


@dataclass(frozen=True)
class CrossValidated:
    """One repeat of one experiment.

    Attributes:
        points: a network for each fold, trained on images of the others.
        held_out: every image as judged by the network that has not seen it, in the
            order of the pooled images.
        train_accuracy: of each network on its own training images.
        folds: the judgements of ``held_out``, fold by fold.
    """

    points: Sequence[Trained]
    held_out: Evaluation
    train_accuracy: Sequence[float]
    folds: Sequence[Evaluation]


def cross_validate(
    experiments: Mapping[str, Experiment],
    splits: Splits,
    *,
    folds: int,
    repeats: int,
    watch: float = 0.0,
    folder: Path,
    jobs: int = 1,
    report: Report | None = None,
) -> dict[str, list[CrossValidated]]:
    """Trains every experiment on every fold of every repeat, each with another seed;
    returns one ``CrossValidated`` for each repeat, by name.

    Each network is judged on the fold that it has neither learned from nor been chosen
    on. All experiments meet the same folds with the same seeds, so that they can be
    compared pairwise. The data are dealt by ``deal_folds``, a test split is not
    touched; the rest is as of ``run_experiments``.

    Raises:
        ConfigError: without ``watch``, an experiment would be chosen on the images that
            it is judged on.
    """
    for name, experiment in experiments.items():
        config = experiment.config
        if watch == 0 and (config.looks_for_best or config.schedule == "plateau"):
            raise ConfigError(
                f"{name!r} looks at validation while it trains (patience, keep_best "
                "or the plateau schedule): it would be chosen on the images that it is "
                "judged on. Give a share of the others as watch, say 0.2."
            )
    dealt = deal_folds(splits, folds=folds, repeats=repeats, watch=watch)
    found = train_points(experiments, [f.splits for f in dealt], folder, jobs, report)
    rounds = [slice(start, start + folds) for start in range(0, len(dealt), folds)]
    return {
        name: [_gather(dealt[one], trained[one]) for one in rounds]
        for name, trained in found.items()
    }


def deal_folds(
    splits: Splits, *, folds: int, repeats: int, watch: float = 0.0
) -> list[Fold]:
    """The folds of ``cross_validate``, those of the first repeat first.

    ``train`` and ``valid`` are pooled and dealt into stratified folds, always the same.
    A network learns from all folds but one.

    It is watched on a share ``watch`` of each class's images in those, drawn for each
    anew, instead of learning from them; with 0 on the held-out fold.

    Raises:
        ConfigError: a class has fewer images than folds, or ``watch`` is no share that
            leaves images of each class on both sides.
    """
    if repeats < 1:
        raise ConfigError(f"repeats is {repeats}: expected at least 1.")
    pooled = pool(splits)
    sizes = torch.bincount(pooled.labels, minlength=len(splits.classes))
    if not 2 <= folds <= int(sizes.min()):
        raise ConfigError(
            f"{folds} folds: expected 2 to {sizes.min()}, the images of the smallest "
            "class."
        )

    dealer = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=0)
    dealt: list[Fold] = []
    for others, held_out in dealer.split(pooled.labels, pooled.labels):
        learned, places = others, torch.from_numpy(held_out)
        valid = judged = pooled.subset(places)
        if watch:
            advice = "Expected a share, say 0.2."
            with explained(ConfigError, f"watch is {watch}", advice):
                learned, watched = train_test_split(
                    others,
                    test_size=float(watch),
                    random_state=len(dealt),
                    stratify=pooled.labels[others],
                )
            valid = pooled.subset(torch.from_numpy(watched))
        train = pooled.subset(torch.from_numpy(learned))
        own = replace(splits, train=train, valid=valid, test=None, unlabelled={})
        dealt.append(Fold(own, judged, places))
    return dealt


def pool(splits: Splits) -> Split:
    """The images of ``train`` and ``valid`` together."""
    return Split(
        torch.cat((splits.train.images, splits.valid.images)),
        torch.cat((splits.train.labels, splits.valid.labels)),
        splits.train.ids + splits.valid.ids,
    )


def _gather(folds: Sequence[Fold], points: Sequence[Trained]) -> CrossValidated:
    pairs = list(zip(folds, points, strict=True))
    judged = [point.evaluate(fold.held_out) for fold, point in pairs]
    order = torch.cat([fold.places for fold in folds]).argsort()
    held_out = Evaluation(
        probabilities=torch.cat([one.probabilities for one in judged])[order],
        labels=torch.cat([one.labels for one in judged])[order],
        loss=sum(one.loss * len(one.labels) for one in judged) / len(order),
    )
    learned = [point.evaluate(fold.splits.train).accuracy for fold, point in pairs]
    return CrossValidated(points, held_out, learned, judged)
