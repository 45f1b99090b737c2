from __future__ import annotations

from helpers.training import History


def test_the_best_epoch_is_the_first_with_the_highest_accuracy() -> None:
    rows = [
        {"epoch": i, "seconds": 2.0, "valid_accuracy": value}
        for i, value in enumerate((0.5, 0.9, 0.7, 0.9), 1)
    ]
    history = History(rows)
    assert history.best_epoch == 2
    assert history.seconds == 8.0
