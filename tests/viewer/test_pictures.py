from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
import torch

from helpers.base.errors import ModelError
from helpers.insight import filters
from helpers.models import SavedModel
from helpers.viewer import pictures
from helpers.viewer.pictures import KINDS, draw_picture


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two steps of ascent in place of many, and no figure left open."""

    def few_steps(*arguments: object, **named: object) -> filters.FilterPictures:
        return filters.filter_pictures(*arguments, **named, steps=2)  # type: ignore[arg-type]

    monkeypatch.setattr(pictures, "filter_pictures", few_steps)
    yield
    plt.close("all")


def some_image(saved: SavedModel) -> torch.Tensor:
    shape = (saved.channels, saved.image_size, saved.image_size)
    return torch.randint(
        0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_network_is_drawn_from_nothing_but_itself_and_is_left_alone(
    any_network: SavedModel, kind: str
) -> None:
    before = {
        name: value.clone() for name, value in any_network.model.state_dict().items()
    }
    picture = draw_picture(any_network, kind)
    assert picture[0].axes
    assert len(picture[1]) == ("image" in KINDS[kind])
    after = any_network.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any_network.model.training
    assert not any(
        module._forward_hooks or module._forward_pre_hooks
        for module in any_network.model.modules()
    )


def test_a_blank_image_is_said(lenet: SavedModel) -> None:
    (note,) = draw_picture(lenet, "heatmap")[1]
    assert "No image was given: a blank one is used" in note
    assert draw_picture(lenet, "heatmap", image=some_image(lenet))[1] == []


def test_without_a_layer_a_heatmap_shows_the_convolutions(lenet: SavedModel) -> None:
    frames = draw_picture(lenet, "heatmap")[0].axes[:-1]
    assert [ax.get_title() for ax in frames] == ["image", "conv1", "conv2"]


def test_what_is_of_no_use_is_said(lenet: SavedModel) -> None:
    filters_of = draw_picture(
        lenet, "filters", image=some_image(lenet), layer="fc3", target="top left"
    )
    assert "The image is not used" in " ".join(filters_of[1])
    assert "The target is not used" in " ".join(filters_of[1])
    saliency_of = draw_picture(lenet, "saliency", layer="conv1")
    assert "The layer is not used" in " ".join(saliency_of[1])
    assert saliency_of[0].axes[1].get_title() == "saliency"


def test_a_single_layer_shows_all_its_maps_and_filters(lenet: SavedModel) -> None:
    maps = draw_picture(lenet, "activations", image=some_image(lenet), layer="relu1")[0]
    assert maps.axes[0].get_title("left").startswith("relu1: all maps")
    found = draw_picture(lenet, "filters", layer="conv1")[0]
    assert [ax.get_title().split(":")[0] for ax in found.axes] == [
        str(i) for i in range(32)
    ]
    units = draw_picture(lenet, "filters", layer="fc1")
    assert len(units[0].axes) == pictures.MOST_FILTERS
    assert (
        units[0].texts[0].get_text()
        == "fc1: 64 of 1021 units, with their mean response"
    )


@pytest.mark.parametrize(
    ("target", "heading"),
    [
        ("column", "column: "),
        ("column=right", "column: right"),
        ("row=1", "row: bottom"),
        ("bottom left", "bottom left"),
    ],
)
def test_a_head_a_class_of_it_and_a_combination_can_be_explained(
    multi_head: SavedModel, target: str, heading: str
) -> None:
    figure = draw_picture(
        multi_head, "heatmap", image=some_image(multi_head), target=target
    )[0]
    assert figure.texts[0].get_text().startswith(heading)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"kind": "activations", "layer": "conv9"},
            "no layer 'conv9': known are conv1",
        ),
        ({"kind": "filters", "layer": "conv9"}, "no layer 'conv9': known are conv1"),
        ({"kind": "heatmap", "layer": "fc1"}, "no map of .* choose conv1"),
        (
            {"kind": "heatmap", "target": "walrus"},
            "no class 'walrus': the network knows top left",
        ),
        ({"kind": "saliency", "target": "6"}, "no class '6': the network knows"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    lenet: SavedModel, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        draw_picture(lenet, **arguments)


def test_a_class_that_a_head_lacks_is_refused(multi_head: SavedModel) -> None:
    with pytest.raises(
        ModelError, match="no class 'up': head 'column' knows left, middle, right"
    ):
        draw_picture(multi_head, "heatmap", target="column=up")


def test_a_network_without_maps_shows_its_units_and_has_no_heatmap(
    perceptron: SavedModel,
) -> None:
    figure = draw_picture(perceptron, "activations")[0]
    headings = [ax.get_title("left").partition("   ")[0] for ax in figure.axes]
    assert headings == ["fc1: all units", "fc2: all units"]
    assert draw_picture(perceptron, "filters")[0].axes
    assert draw_picture(perceptron, "saliency")[0].axes
    with pytest.raises(
        ModelError,
        match="no convolution with maps, so there is no heatmap: ask for saliency",
    ):
        draw_picture(perceptron, "heatmap")


def test_a_model_of_stand_in_images_says_so(lenet: SavedModel) -> None:
    assert (
        "stand-in"
        in draw_picture(replace(lenet, trained_on="synthetic"), "saliency")[1][0]
    )
