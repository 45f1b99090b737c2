"""What happened in each epoch of a run."""

from dataclasses import dataclass, field
from operator import itemgetter

import pandas as pd
from torch import Tensor

Row = dict[str, float]


@dataclass
class History:
    """One row per epoch: epoch (from 1), lr, seconds (by the clock, also where others
    train beside it), loss and accuracy on each split.

    The training loss is what is minimised, less ``l1``; others are cross-entropy. With
    several heads these are about the combined classes, and ``valid_loss_<head>``,
    ``valid_accuracy_<head>`` and ``weight_<head>`` (of its loss) stand beside them.

    Training figures are collected while the network learns: on augmented images, with
    dropout and smoothed or mixed targets, over the whole epoch. ``evaluate`` measures a
    split as it is.

    Attributes:
        rows: the epochs.
        best_weights: the network's state after the best one, if that was asked for.
    """

    rows: list[Row] = field(default_factory=list)
    best_weights: dict[str, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def frame(self) -> pd.DataFrame:
        """All rows as a table, indexed by epoch."""
        return pd.DataFrame(self.rows).set_index("epoch")

    @property
    def best_epoch(self) -> int:
        """The first epoch (from 1) with the highest validation accuracy."""
        return int(max(self.rows, key=itemgetter("valid_accuracy"))["epoch"])

    @property
    def seconds(self) -> float:
        """Time spent in all epochs, evaluation included."""
        return sum(row["seconds"] for row in self.rows)
