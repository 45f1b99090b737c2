"""What happened in each epoch of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from torch import Tensor

Row = dict[str, float]


@dataclass
class History:
    """One row per epoch: epoch (from 1), lr, seconds, and loss and accuracy on train
    and valid (on test, if watched).

    The training loss is the one that is minimised; the validation loss is always
    cross-entropy. For a network with several heads both are about the combined classes,
    and ``valid_loss_<head>``, ``valid_accuracy_<head>`` and ``weight_<head>``, that of
    the head's loss, stand beside them.

    The training figures are collected while the network learns: on augmented images,
    with dropout and smoothed or mixed targets, over the whole epoch. ``evaluate``
    measures a split as it is.

    ``best_weights`` is the network's state after the best epoch, where ``keep`` is
    ``both``.
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
        """The epoch (from 1) with the highest validation accuracy; the first of
        several.
        """
        return int(
            max(self.rows, key=lambda row: (row["valid_accuracy"], -row["epoch"]))[
                "epoch"
            ]
        )

    @property
    def seconds(self) -> float:
        """Time spent in all epochs, evaluation included."""
        return sum(row["seconds"] for row in self.rows)

    def seconds_to(self, valid_accuracy: float) -> float | None:
        """Time until an epoch ended with this validation accuracy or more; None if none
        did.
        """
        spent = 0.0
        for row in self.rows:
            spent += row["seconds"]
            if row["valid_accuracy"] >= valid_accuracy:
                return spent
        return None
