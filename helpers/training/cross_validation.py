"""Repeated stratified cross-validation, for sets so small that one split says little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
from joblib import Parallel, delayed
from sklearn.model_selection import RepeatedStratifiedKFold

from helpers.base.errors import ConfigError
from helpers.data.splits import Split, Splits
from helpers.training.evaluate import Evaluation
from helpers.training.experiments import Experiment, Trained, train_point


@dataclass(frozen=True)
class CrossValidated:
    """One round of cross-validation of one experiment.

    Attributes:
        points: a network for each fold, trained on all images but those of the fold.
        held_out: every image as judged by the network that has not seen it, in the order of the pooled images.
        train_accuracy: share of its own training images that a network predicts, mean over the folds.
    """

    points: tuple[Trained, ...]
    held_out: Evaluation
    train_accuracy: float


def cross_validate(
    experiments: Mapping[str, Experiment],
    splits: Splits,
    *,
    folds: int = 5,
    repeats: int = 3,
    folder: Path,
    jobs: int = 1,
) -> dict[str, list[CrossValidated]]:
    """Trains every experiment on every fold of every repeat; finished points are kept, as by ``run_experiments``.

    The images of ``train`` and ``valid`` are pooled and dealt anew into folds in each repeat, the classes in
    proportion. Each network is trained on all folds but one and judged on that one, which it has not
    seen: with early stopping or ``keep="best"`` it would have been chosen on it. All experiments meet the same folds
    with the same seeds, so that they can be compared pairwise.

    Args:
        experiments: by name.
        splits: the data; a test split is not touched.
        folds: parts that the images are dealt into.
        repeats: how often they are dealt anew, each time with another seed.
        folder: where finished points and checkpoints are kept.
        jobs: points trained side by side.

    Returns:
        For each name one ``CrossValidated`` per repeat.

    Raises:
        ConfigError: there are fewer images of a class than folds.
        TrainingError: as ``fit``.
    """
    pooled = pool(splits)
    sizes = torch.bincount(pooled.labels, minlength=len(splits.classes))
    if not 2 <= folds <= int(sizes.min()):
        raise ConfigError(f"{folds} folds: expected 2 to {sizes.min()}, the images of the smallest class.")
    parts = list(_deal(pooled, splits, folds, repeats))
    tasks = [(name, index) for name in experiments for index in range(len(parts))]
    trained = Parallel(n_jobs=jobs)(
        delayed(train_point)(
            f"{name}-fold{index % folds}",
            experiments[name],
            index,
            parts[index][0],
            fingerprint=parts[index][0].fingerprint(),
            folder=folder,
        )
        for name, index in tasks
    )
    found = dict(zip(tasks, trained, strict=True))
    return {
        name: [
            _gather([(*parts[i], found[name, i]) for i in range(repeat * folds, (repeat + 1) * folds)])
            for repeat in range(repeats)
        ]
        for name in experiments
    }


def pool(splits: Splits) -> Split:
    """The images of ``train`` and ``valid`` together."""
    return Split(
        torch.cat((splits.train.images, splits.valid.images)),
        torch.cat((splits.train.labels, splits.valid.labels)),
        splits.train.ids + splits.valid.ids,
    )


def measure_rounds(rounds: Sequence[CrossValidated]) -> dict[str, list[float]]:
    """Metrics of one experiment, a value per repeat, as ``Run.record`` takes them; ``valid`` means held out.

    A repeat's value is over all images, each of them judged once. The spread over repeats is that of
    dealing and training; it does not say how another set of images would come out.
    """
    return {
        "train_accuracy": [one.train_accuracy for one in rounds],
        "valid_accuracy": [one.held_out.accuracy for one in rounds],
        "valid_loss": [one.held_out.loss for one in rounds],
        "valid_mean_class_accuracy": [one.held_out.mean_class_accuracy for one in rounds],
        "valid_f1_macro": [one.held_out.f1_macro for one in rounds],
        "train_seconds": [sum(point.history.seconds for point in one.points) for one in rounds],
    }


def _deal(pooled: Split, splits: Splits, folds: int, repeats: int) -> Iterator[tuple[Splits, torch.Tensor]]:
    """For each fold of each repeat the data as its network sees them, and the places of the held-out images."""
    dealer = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=0)
    for learned, held_out in dealer.split(pooled.labels, pooled.labels):
        places = torch.from_numpy(held_out)
        yield (
            replace(splits, train=pooled.subset(torch.from_numpy(learned)), valid=pooled.subset(places), test=None),
            places,
        )


def _gather(parts: Sequence[tuple[Splits, torch.Tensor, Trained]]) -> CrossValidated:
    """The folds of one repeat put together again."""
    judged = [point.evaluate(splits.valid) for splits, _, point in parts]
    order = torch.cat([places for _, places, _ in parts]).argsort()
    held_out = Evaluation(
        probabilities=torch.cat([one.probabilities for one in judged])[order],
        labels=torch.cat([one.labels for one in judged])[order],
        loss=sum(one.loss * len(one.labels) for one in judged) / len(order),
    )
    train_accuracy = fmean(point.evaluate(splits.train).accuracy for splits, _, point in parts)
    return CrossValidated(tuple(point for *_, point in parts), held_out, train_accuracy)
