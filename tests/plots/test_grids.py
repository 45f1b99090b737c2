from __future__ import annotations

from io import BytesIO

import pytest
import torch

from helpers.plots import plot_activation_grid, plot_image_grid


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
    assert figure.axes[4].get_title() == "cougar 4"


def test_a_contact_sheet_breaks_its_titles_into_two_lines() -> None:
    titles = ["7×1 red 0°", "15×1 blue 105°", "15×3 blue 165°"]
    figure = plot_image_grid(torch.zeros(3, 3, 28, 28), titles=titles, columns=12)
    assert [ax.get_title() for ax in figure.axes] == [
        "7×1 red\n0°",
        "15×1 blue\n105°",
        "15×3 blue\n165°",
    ]


def test_activation_grid_has_one_scale_for_all_maps() -> None:
    maps = torch.rand(10, 4, 4)
    *frames, bar = plot_activation_grid(maps, title="relu1", columns=5).axes
    assert [ax.get_title() for ax in frames] == [str(i) for i in range(10)]
    assert len({ax.images[0].get_clim() for ax in frames}) == 1
    assert frames[0].images[0].get_clim()[0] == 0
    assert bar.get_xlabel() == "activation"


def test_activation_grid_is_centred_on_zero_and_draws_dead_maps() -> None:
    low, high = plot_activation_grid(torch.randn(3, 4, 4)).axes[0].images[0].get_clim()
    assert low == -high
    plot_activation_grid(torch.zeros(1, 2, 2)).savefig(BytesIO())


def test_a_dollar_in_a_name_is_a_dollar() -> None:
    figure = plot_image_grid(torch.zeros(2, 3, 4, 4), titles=["$x_1$", "a_b"])
    figure.canvas.draw()
    assert [ax.get_title() for ax in figure.axes] == ["\\$x 1\\$", "a b"]
