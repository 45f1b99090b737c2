from __future__ import annotations

from helpers.training import History


def test_the_time_to_an_accuracy_is_that_of_the_first_epoch_that_has_it() -> None:
    rows = [
        {"epoch": i, "seconds": 2.0, "valid_accuracy": value}
        for i, value in enumerate((0.5, 0.8, 0.7, 0.9), 1)
    ]
    history = History(rows)
    assert history.seconds_to(0.8) == 4.0
    assert history.seconds_to(0.85) == history.seconds == 8.0
    assert history.seconds_to(0.95) is None
