from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from helpers.base.record import summarize
from helpers.plots import plot_responses, plot_sweep

RESPONSE = {0.0: [0.8, 0.7, 0.9], 1.0: [0.5, 0.4, 0.45]}


def test_a_response_shows_means_and_intervals() -> None:
    figure = plot_responses(
        {"blur": RESPONSE, "noise": {0.0: [0.8], 1.0: [0.5]}},
        quantities={"blur": "blur (pixels)", "noise": "noise"},
        neutral={"blur": 0.0, "noise": 0.0},
        chance=0.1,
    )
    ax, single = figure.axes
    curve, *_ = ax.containers
    assert curve.lines[0].get_xydata()[:, 1].tolist() == pytest.approx([0.8, 0.45])
    low, high = curve.lines[2][0].get_segments()[0][:, 1]
    assert high - low == pytest.approx(2 * summarize(RESPONSE[0.0])["ci95"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("blur (pixels)", "accuracy (%)")
    # One repeat has no interval.
    assert single.containers[0].lines[0].get_xydata()[:, 1].tolist() == [0.8, 0.5]


def test_several_responses_share_their_scale() -> None:
    names = ("blur", "noise", "scale", "rotation")
    figure = plot_responses(
        dict.fromkeys(names, RESPONSE),
        quantities={name: f"strength of {name}" for name in names},
        neutral=dict.fromkeys(names, 0.0),
        chance=0.1,
    )
    assert [ax.get_title() for ax in figure.axes] == list(names)
    assert {ax.get_ylim() for ax in figure.axes} == {(0.0, 1.0)}
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "accuracy (%)",
        "",
        "",
        "accuracy (%)",
    ]
    plt.close(figure)


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
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert labels == {"training", "validation", "guessing"}
