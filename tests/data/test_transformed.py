from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from helpers.data.transformed import TRANSFORMATIONS, distance


@pytest.fixture
def images() -> Tensor:
    """Eight colourful images with smooth shades (8, 3, 20, 20)."""
    coarse = torch.randint(
        0,
        256,
        (8, 3, 5, 5),
        generator=torch.Generator().manual_seed(0),
        dtype=torch.uint8,
    )
    return coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_transformation_is_the_same_every_time_and_leaves_its_input_alone(
    images: Tensor, name: str
) -> None:
    transformation, before = TRANSFORMATIONS[name], images.clone()
    assert sorted(transformation.strengths) == list(transformation.strengths)
    assert transformation.neutral in transformation.strengths
    for strength in transformation.strengths:
        changed = transformation(images, strength)
        assert changed.shape == images.shape
        assert changed.dtype == torch.uint8
        assert torch.equal(changed, transformation(images, strength))
        assert torch.equal(changed, images) == (strength == transformation.neutral)
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_the_change_grows_with_the_strength(images: Tensor, name: str) -> None:
    transformation = TRANSFORMATIONS[name]
    stronger = [s for s in transformation.strengths if s >= transformation.neutral]
    weaker = [s for s in transformation.strengths if s <= transformation.neutral][::-1]
    for side in (stronger, weaker):
        distances = [
            distance(images, transformation(images, strength)) for strength in side
        ]
        # Turned by 45 degrees an image of squares can be farther from itself than
        # turned by 90.
        assert all(low < high * 1.1 for low, high in pairwise(distances))


def test_what_they_do(images: Tensor) -> None:
    def changed(name: str, strength: float) -> Tensor:
        return TRANSFORMATIONS[name](images, strength)

    assert torch.equal(changed("mirror", 1), images.flip(3))
    assert torch.equal(changed("upside down", 1), images.flip(2))
    assert torch.equal(changed("rotation", 90), torch.rot90(images, 1, (2, 3)))
    assert torch.equal(
        changed("translation", 0.1)[:, :, 2:, 2:], images[:, :, :-2, :-2]
    )
    assert changed("translation", 0.1)[:, :, :2].max() == 0
    assert torch.equal(changed("invert", 1), 255 - images)
    halfway = changed("invert", 0.5)
    assert torch.equal(halfway, torch.where(images >= 127.5, 255 - images, images))
    gray = changed("grayscale", 1)
    assert torch.equal(gray.amax(1), gray.amin(1))
    assert changed("scale", 0.5)[:, :, :4].max() == 0
    assert (changed("brightness", 0.5).float() - images / 2).abs().max() <= 1
    assert changed("contrast", 0.5).float().std() < images.float().std()
    spread = changed("noise", 0.1).float() - images
    inside = (images > 80) & (images < 175)
    assert spread[inside].std().item() == pytest.approx(25.5, rel=0.1)


def test_the_distance_of_black_and_white_is_one() -> None:
    black, white = (
        torch.zeros(2, 3, 4, 4, dtype=torch.uint8),
        torch.full((2, 3, 4, 4), 255, dtype=torch.uint8),
    )
    assert distance(black, white) == 1
    assert distance(white, white) == 0
