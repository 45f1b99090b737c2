from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from helpers.plots import plot_footprint, plot_receptive_field


def frames(ax: plt.Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def test_each_box_frames_its_pixels_and_differs_in_more_than_colour() -> None:
    image = torch.zeros(3, 50, 50, dtype=torch.uint8)
    ax = plt.subplots()[1]
    boxes = {"conv1": (24, 24, 29, 29), "_conv2": (18, 20, 31, 33)}
    plot_receptive_field(image, boxes, ax=ax)
    small, large = frames(ax)
    assert small.get_bbox().bounds == (23.5, 23.5, 5, 5)
    assert large.get_bbox().bounds == (19.5, 17.5, 13, 13)
    assert small.get_linestyle() != large.get_linestyle()
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "conv1: 5 × 5",
        " conv2: 13 × 13",
    ]


def test_a_footprint_is_empty_where_there_is_no_gradient() -> None:
    footprint = torch.zeros(20, 20)
    footprint[5:12, 6:13] = 1e-9
    footprint[8, 9] = 2.0
    ax = plt.subplots()[1]
    plot_footprint(footprint, (5, 6, 12, 13), ax=ax)
    (picture,) = ax.images
    shown = picture.get_array()
    assert isinstance(shown, np.ma.MaskedArray)
    assert shown.count() == 49
    assert picture.norm.vmin == pytest.approx(5e-10)
    assert frames(ax)[0].get_bbox().bounds == (5.5, 4.5, 7, 7)
