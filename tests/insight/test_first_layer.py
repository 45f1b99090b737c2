from __future__ import annotations

import pytest
import torch

from helpers.insight.first_layer import filter_composition, weight_pictures


def test_pure_filters_are_all_of_one_kind() -> None:
    edge = torch.tensor([[-1.0, 0, 1]] * 3)
    red_green = torch.tensor([1.0, -1, 0])[:, None, None]
    filters = torch.stack(
        [
            torch.ones(3, 3, 3),
            red_green.expand(3, 3, 3),
            edge.expand(3, 3, 3),
            red_green * edge,
            torch.zeros(3, 3, 3),
        ]
    )
    shares = filter_composition(filters)
    assert list(shares) == [
        "plain brightness",
        "brightness pattern",
        "plain colour",
        "colour pattern",
    ]
    kinds = ["plain brightness", "plain colour", "brightness pattern", "colour pattern"]
    for index, kind in enumerate(kinds):
        assert [round(shares[name][index].item(), 6) for name in kinds] == [
            float(name == kind) for name in kinds
        ]
    assert sum(share[4].item() for share in shares.values()) == 0


def test_random_filters_have_energy_in_proportion_to_the_dimensions() -> None:
    shares = filter_composition(
        torch.randn(20_000, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    )
    assert torch.allclose(
        sum(shares.values(), torch.zeros(())), torch.ones(20_000, dtype=torch.float64)
    )
    expected = {
        "plain brightness": 1,
        "plain colour": 2,
        "brightness pattern": 8,
        "colour pattern": 16,
    }
    for name, dimensions in expected.items():
        assert shares[name].mean().item() == pytest.approx(dimensions / 27, abs=0.005)


def test_filters_of_gray_images_have_no_colour() -> None:
    shares = filter_composition(torch.randn(8, 1, 3, 3))
    assert shares["plain colour"].sum() == shares["colour pattern"].sum() == 0


def test_a_picture_has_zero_at_mid_gray_and_its_own_scale() -> None:
    filters = torch.tensor([[-2.0, 0.0, 1.0], [0.0, 0.1, 0.0]]).view(2, 3, 1, 1)
    pictures = weight_pictures(filters).view(2, 3)
    assert torch.allclose(pictures, torch.tensor([[0.0, 0.5, 0.75], [0.5, 1.0, 0.5]]))
    assert weight_pictures(torch.zeros(1, 3, 2, 2)).unique().tolist() == [0.5]
