"""Studies of networks that predict what a test tells them to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pandas as pd
import torch
from matplotlib.figure import Figure

from helpers.data.splits import Split, Splits
from helpers.study import Study
from helpers.training import Evaluation, History, Trained

CLASSES = ("ant", "cup", "+ bee")


@dataclass
class Shown:
    """Keeps what a study shows, in place of a notebook's run."""

    figures: dict[str, str] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    captions: dict[str, str] = field(default_factory=dict)
    titles: dict[str, list[str]] = field(default_factory=dict)

    def figure(self, picture: Any, name: str, *, alt: str, caption: str = "") -> None:
        figure = picture if isinstance(picture, Figure) else picture.figure
        figure.canvas.draw()
        titles = [ax.get_title() for ax in figure.axes]
        self.titles[name] = [title for title in titles if title]
        self.figures[name], self.captions[name] = alt, caption

    def table(self, frame: pd.DataFrame, name: str, *, caption: str = "") -> None:
        self.tables[name], self.captions[name] = frame, caption


@dataclass
class Point:
    """A network that gets the first ``right`` images of a split right."""

    right: int
    model: None = None

    @property
    def history(self) -> History:
        row = {"epoch": 1.0, "lr": 0.1, "seconds": 2.0}
        for name in ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy"):
            row[name] = 0.5
        return History([row])

    def evaluate(self, split: Split) -> Evaluation:
        wrong = torch.arange(len(split)) >= self.right
        predicted = (split.labels + wrong) % len(CLASSES)
        one_hot = torch.nn.functional.one_hot(predicted, len(CLASSES)).float()
        return Evaluation(0.7 * one_hot + 0.1, split.labels, 0.5 + wrong.sum().item())


def make_splits(*, test: bool = False) -> Splits:
    images = torch.arange(12, dtype=torch.uint8).view(12, 1, 1, 1).expand(12, 3, 8, 8)
    ids = tuple("abcdefghijkl")
    split = Split(images, torch.arange(12) % 3, ids)
    valid, others = split.subset(torch.arange(10)), split.subset(torch.arange(8))
    return Splits("toy", "real", CLASSES, split, valid, others if test else None)


def make_study(
    name: str, right: Sequence[int], shown: Shown, *, test: bool = False
) -> Study:
    points = cast("list[Trained]", [Point(count) for count in right])
    return Study(name, points, make_splits(test=test), shown)
