from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers.base.record import summarize
from helpers.plots import plot_sweep

RESPONSE = {0.0: [0.8, 0.7, 0.9], 1.0: [0.5, 0.4, 0.45]}


def test_a_sweep_shows_each_split_with_its_intervals() -> None:
    ax = plot_sweep(
        {"train": RESPONSE, "valid": {0.0: [0.6, 0.5], 1.0: [0.4, 0.4]}},
        quantity="p",
        chance=0.1,
    )
    train, valid = ax.containers
    assert train.lines[0].get_xydata()[:, 1].tolist() == pytest.approx([0.8, 0.45])
    assert valid.lines[0].get_xydata()[:, 1].tolist() == pytest.approx([0.55, 0.4])
    low, high = train.lines[2][0].get_segments()[0][:, 1]
    assert high - low == pytest.approx(2 * summarize(RESPONSE[0.0])["ci95"])
    folds = plot_sweep({"valid": RESPONSE}, quantity="p", chance=0.1, shared=0.25)
    low, high = folds.containers[0].lines[2][0].get_segments()[0][:, 1]
    wider = summarize(RESPONSE[0.0], shared=0.25)["ci95"]
    assert high - low == pytest.approx(2 * wider)
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert labels == {"training", "validation", "guessing"}


def test_one_seed_has_no_interval_and_axes_may_be_given() -> None:
    _, ax = plt.subplots()
    curves = {"valid": {0.0: [0.8], 1.0: [0.5]}}
    assert plot_sweep(curves, quantity="blur (pixels)", chance=0.1, ax=ax) is ax
    points, caps, bars = ax.containers[0].lines
    assert points.get_xydata()[:, 1].tolist() == [0.8, 0.5]
    assert np.isnan([cap.get_ydata().astype(float) for cap in caps]).all()
    assert not any(len(bar) for bar in bars[0].get_segments())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("blur (pixels)", "accuracy (%)")
    plt.close()
