from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch

from helpers.base.errors import ModelError
from helpers.data.splits import Split
from helpers.models import SavedModel
from helpers.viewer import browser
from helpers.viewer.browser import NetworkBrowser
from helpers.viewer.pictures import KINDS

PNG = b"\x89PNG"


@pytest.fixture
def split() -> Split:
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    return Split(
        images,
        torch.tensor([0, 0, 2, 2]),
        ("ant/1.jpg", "ant/2.jpg", "cup/1.jpg", "cup/2.jpg"),
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None, bool]]:
    """The kind and layer of each picture that is drawn, and whether of an image."""
    calls = []
    original = browser.draw_picture

    def remember(saved: SavedModel, kind: str, **given: Any) -> object:
        calls.append((kind, given.get("layer"), "image" in given))
        return original(saved, kind, **given)

    monkeypatch.setattr(browser, "draw_picture", remember)
    return calls


def test_the_first_choice_is_drawn_and_no_figure_stays_open(
    lenet: SavedModel, split: Split
) -> None:
    before = plt.get_fignums()
    shown = NetworkBrowser(lenet, split)
    assert bytes(shown._picture.value).startswith(PNG)
    assert bytes(shown._image.value).startswith(PNG)
    assert shown.class_menu.options == (("top left", 0), ("top right", 2))
    assert shown.layer_menu.options[0] == ("all layers", None)
    assert shown._notes.value == ""
    assert plt.get_fignums() == before


def test_every_choice_draws_once(
    lenet: SavedModel, split: Split, drawn: list[tuple[str, str | None, bool]]
) -> None:
    shown = NetworkBrowser(lenet, split, layer="relu1")
    shown.class_menu.value = 2
    shown.image_menu.value = 3
    shown.layer_menu.value = "conv2"
    shown.kind_menu.value = "heatmap"
    shown.kind_menu.value = "saliency"
    activations = ("activations", "relu1", True)
    expected = [
        activations,
        activations,
        activations,
        ("activations", "conv2", True),
        ("heatmap", "conv2", True),
    ]
    assert drawn == [*expected, ("saliency", None, True)]


def test_only_layers_that_suit_the_kind_are_offered(
    lenet: SavedModel, split: Split
) -> None:
    shown = NetworkBrowser(lenet, split)
    assert "fc1" in dict(shown.layer_menu.options)
    shown.layer_menu.value = "fc1"
    shown.kind_menu.value = "heatmap"
    assert "fc1" not in dict(shown.layer_menu.options)
    assert shown.layer_menu.value is None
    shown.kind_menu.value = "saliency"
    assert shown.layer_menu.disabled


def test_layers_that_do_nothing_in_prediction_are_not_offered(
    lenet: SavedModel, split: Split
) -> None:
    for kind in ("activations", "heatmap"):
        offered = {
            name
            for name, _ in NetworkBrowser(lenet, split, kind=kind).layer_menu.options
        }
        assert {"conv1", "pool", "relu2"} < offered
        assert not offered & {"norm1", "norm2", "norm3", "dropout"}


def test_the_class_that_is_explained_can_be_chosen(
    lenet: SavedModel, split: Split
) -> None:
    shown = NetworkBrowser(lenet, split, kind="saliency")
    assert [name for name, _ in shown.target_menu.options] == [
        "the predicted class",
        *lenet.classes,
    ]
    label = dict(shown.target_menu.options)
    pictures = set()
    for name in lenet.classes[:3]:
        shown.target_menu.value = label[name]
        assert shown._notes.value == ""
        pictures.add(bytes(shown._picture.value))
    assert len(pictures) == 3
    shown.kind_menu.value = "filters"
    assert shown.target_menu.disabled


def test_the_menus_speak_in_plain_words(lenet: SavedModel, split: Split) -> None:
    shown = NetworkBrowser(lenet, split)
    assert [kind for _, kind in shown.kind_menu.options] == list(KINDS)
    assert "heatmap of a class" in dict(shown.kind_menu.options)
    menus = shown.children[0].children[0].children
    assert [menu.description for menu in menus] == [
        "Show",
        "Layer",
        "Explain",
        "Images of",
        "Image",
    ]


def test_heads_can_be_explained_too(multi_head: SavedModel, split: Split) -> None:
    gray = replace(split, images=split.images[:, :1])
    shown = NetworkBrowser(multi_head, gray, kind="heatmap")
    assert [name for name, _ in shown.target_menu.options] == [
        "the predicted class",
        "the predicted row",
        "the predicted column",
        *multi_head.classes,
    ]
    before = bytes(shown._picture.value)
    shown.target_menu.value = "column"
    assert bytes(shown._picture.value) != before


def test_a_layer_that_does_not_suit_names_those_that_do(
    lenet: SavedModel, split: Split
) -> None:
    with pytest.raises(ModelError, match="heatmap has no layer 'fc1': known are conv1"):
        NetworkBrowser(lenet, split, kind="heatmap", layer="fc1")
