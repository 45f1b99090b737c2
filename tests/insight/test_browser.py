from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
import torch
from torch import Tensor

from helpers.base.errors import ModelError
from helpers.data.splits import Split
from helpers.insight.browser import ActivationBrowser
from helpers.models.lenet5 import LeNet5

PNG = b"\x89PNG"


class Draw:
    """A stand-in for the plot function that remembers what it was asked to draw."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[int, ...], str]] = []

    def __call__(self, maps: Tensor, *, title: str) -> plt.Figure:
        self.calls.append((tuple(maps.shape), title))
        return plt.figure(figsize=(1, 1))


def make_browser(draw: Draw, layer: str | None = None) -> ActivationBrowser:
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    split = Split(images, torch.tensor([0, 0, 2, 2]), ("ant/1.jpg", "ant/2.jpg", "cup/1.jpg", "cup/2.jpg"))
    model = LeNet5(num_classes=3, image_size=32)
    return ActivationBrowser(
        model, split, ("ant", "bass", "cup"), mean=[0.5] * 3, std=[0.2] * 3, draw=draw, layer=layer
    )


def test_first_choice_is_drawn_and_no_figure_stays_open() -> None:
    draw, before = Draw(), plt.get_fignums()
    browser = make_browser(draw)
    assert draw.calls == [((32, 32, 32), "conv1 · ant/1.jpg")]
    assert bytes(browser._maps.value).startswith(PNG)
    assert bytes(browser._image.value).startswith(PNG)
    assert plt.get_fignums() == before


def test_only_layers_with_maps_and_classes_with_images_are_offered() -> None:
    browser = make_browser(Draw())
    assert {"conv1", "relu1", "conv2", "relu2"} <= set(browser.layer_menu.options)
    assert "fc1" not in browser.layer_menu.options
    assert browser.class_menu.options == (("ant", 0), ("cup", 2))


def test_every_choice_draws_once() -> None:
    draw = Draw()
    browser = make_browser(draw, layer="relu1")
    browser.class_menu.value = 2
    browser.image_menu.value = 3
    browser.layer_menu.value = "relu2"
    assert [title for _, title in draw.calls] == [
        "relu1 · ant/1.jpg",
        "relu1 · cup/1.jpg",
        "relu1 · cup/2.jpg",
        "relu2 · cup/2.jpg",
    ]


def test_layer_without_maps_names_those_that_have_them() -> None:
    with pytest.raises(ModelError, match="makes no maps in layer 'fc1': choose conv1"):
        make_browser(Draw(), layer="fc1")
