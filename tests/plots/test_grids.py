from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from helpers.plots import (
    PAGE_WIDTH,
    plot_activation_layers,
    plot_filters,
    plot_heatmaps,
    plot_image_grid,
)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("as_float", [False, True])
def test_image_grid_shows_every_image_as_it_is(channels: int, as_float: bool) -> None:
    images = torch.randint(0, 256, (5, channels, 6, 6), dtype=torch.uint8)
    figure = plot_image_grid(
        images / 255 if as_float else images,
        titles=[f"cougar_{i}" for i in range(5)],
        columns=3,
    )
    assert len(figure.axes) == 5
    shown = figure.axes[4].images[0]
    assert shown.get_clim() == (0, 1 if as_float else 255)
    assert shown.get_array().shape[:2] == (6, 6)
    for index, ax in enumerate(figure.axes):
        assert ax.get_title() == f"cougar {index}"
        pixels = torch.as_tensor(ax.images[0].get_array()).float()
        own = images[index].permute(1, 2, 0).squeeze(-1) / (255 if as_float else 1)
        torch.testing.assert_close(pixels.view(own.shape), own.float())


def test_a_contact_sheet_breaks_its_titles_where_they_would_touch() -> None:
    titles = ["7×1 red 0°", "15×1 blue 105°", "15×3 blue 165°"]
    figure = plot_image_grid(torch.zeros(3, 3, 28, 28), titles=titles, columns=12)
    assert [ax.get_title() for ax in figure.axes] == [
        "7×1 red\n0°",
        "15×1\nblue\n105°",
        "15×3\nblue\n165°",
    ]


def test_a_dollar_in_a_name_is_a_dollar() -> None:
    figure = plot_image_grid(torch.zeros(2, 3, 4, 4), titles=["$x_1$", "a_b"])
    figure.canvas.draw()
    assert [ax.get_title() for ax in figure.axes] == ["\\$x 1\\$", "a b"]
    name, maps = "$x_{$", torch.rand(1, 4, 4)
    for drawn in (
        plot_activation_layers({name: maps}),
        plot_filters({name: maps[None]}),
        plot_heatmaps(maps[None], {name: maps}, titles=[name]),
    ):
        drawn.canvas.draw()
        titles = [ax.get_title(loc) for ax in drawn.axes for loc in ("left", "center")]
        assert any(text.startswith("\\$x {\\$") for text in titles + texts(drawn))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_every_layer_has_its_maps_in_order_and_a_scale_of_its_own() -> None:
    maps = {
        "conv1": torch.arange(10.0).view(10, 1, 1).expand(10, 4, 4),
        "conv2": torch.randn(3, 2, 6),
    }
    figure = plot_activation_layers(maps, columns=4)
    first, second = figure.axes
    shown = first.images[0].get_array().filled(np.nan)
    seen = shown[np.isfinite(shown)]
    assert list(dict.fromkeys(seen.tolist())) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    for ax in (first, second):  # one meaning of a colour, if a map is negative
        low, high = ax.images[0].get_clim()
        assert low == -high
    headings = [ax.get_title(loc="left") for ax in figure.axes]
    assert [text.split(" ")[0] for text in headings] == ["conv1", "conv2"]
    assert all("purple" in heading for heading in headings)
    figure.savefig(BytesIO())


def test_maps_above_zero_are_dark_where_nothing_is() -> None:
    figure = plot_activation_layers({"relu": torch.arange(9.0).view(1, 3, 3)})
    assert figure.axes[0].images[0].get_clim() == pytest.approx((0, 8), rel=1e-2)
    assert "dark 0" in figure.axes[0].get_title(loc="left")


def test_dead_maps_are_drawn() -> None:
    plot_activation_layers({"relu": torch.zeros(3, 1, 1)}).savefig(BytesIO())


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_are_labelled_layer_by_layer(channels: int) -> None:
    images = {
        "conv1": torch.rand(2, channels, 8, 8),
        "conv2": torch.rand(3, channels, 8, 8),
    }
    figure = plot_filters(
        images, titles={"conv1": ["0", "7"], "conv2": ["1", "2", "3"]}
    )
    assert [ax.get_title() for ax in figure.axes] == ["0", "7", "1", "2", "3"]
    assert {"conv1", "conv2"} == set(texts(figure))
    assert all(ax.images[0].get_clim() == (0, 1) for ax in figure.axes)
    assert len(plot_filters(images).axes) == 5


def test_heat_lies_over_the_image_on_one_labelled_scale() -> None:
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    heat = {"conv1": torch.rand(2, 8, 8), "conv2": torch.zeros(2, 8, 8)}
    figure = plot_heatmaps(images, heat, titles=["a_cup", "an ant"])
    *frames, scale = figure.axes
    assert [ax.get_title() for ax in frames] == ["image", "conv1", "conv2"] * 2
    assert np.allclose(frames[0].images[0].get_array(), images[0].movedim(0, -1) / 255)
    assert np.allclose(frames[4].images[-1].get_array(), heat["conv1"][1])
    assert len(frames[1].images) == 2
    assert frames[1].images[-1].get_clim() == (0, 1)
    assert "share" in scale.get_xlabel()
    assert texts(figure) == ["a cup", "an ant"]
    assert figure.get_figwidth() == PAGE_WIDTH
    figure.savefig(BytesIO())


def test_many_layers_go_on_in_the_next_row() -> None:
    heat = {f"conv{i}": torch.rand(1, 4, 4) for i in range(9)}
    frames = plot_heatmaps(torch.rand(1, 1, 4, 4), heat, titles=["a"]).axes[:-1]
    heights = [round(ax.get_position().y0, 3) for ax in frames]
    assert len(set(heights[:8])) == 1
    assert heights[8] == heights[9] < heights[0]
