from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from helpers.base.errors import ConfigError
from helpers.data.augment import Augment, _grid


@pytest.fixture
def images() -> Tensor:
    """64 smooth images (64, 3, 16, 16)."""
    coarse = torch.randn(64, 3, 4, 4, generator=Generator().manual_seed(0))
    return F.interpolate(coarse, size=16, mode="bilinear")


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


ALL = Augment(
    flip=0.5,
    rotate=15,
    scale=0.2,
    translate=0.1,
    crop=2,
    shear=5,
    elastic=0.02,
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
    erase=0.5,
)


def test_nothing_to_do_changes_nothing(images: Tensor) -> None:
    assert torch.equal(Augment()(images, generator()), images)


@pytest.mark.parametrize(
    "augment", [ALL, Augment(flip=0.5), Augment(erase=0.5), Augment(contrast=0.5)]
)
def test_follows_from_the_seed_and_leaves_its_input_alone(
    images: Tensor, augment: Augment
) -> None:
    before = images.clone()
    once = augment(images, generator(1))
    assert once.shape == images.shape
    assert once.isfinite().all()
    assert torch.equal(images, before)
    assert torch.equal(augment(images, generator(1)), once)
    assert not torch.equal(augment(images, generator(2)), once)


def test_flip_of_all(images: Tensor) -> None:
    torch.testing.assert_close(
        Augment(flip=1)(images, generator()), images.flip(3), atol=1e-5, rtol=0
    )


def test_each_image_has_its_own_random_numbers(images: Tensor) -> None:
    changed = Augment(flip=0.5)(images, generator())
    flipped = (changed - images.flip(3)).abs().amax((1, 2, 3)) < 1e-4
    kept = (changed - images).abs().amax((1, 2, 3)) < 1e-4
    assert (flipped ^ kept).all()
    assert 16 < flipped.sum() < 48


def test_crop_moves_by_whole_pixels(images: Tensor) -> None:
    changed = Augment(crop=2, padding="zeros")(images, generator())
    padded = F.pad(images, (2, 2, 2, 2))
    shifts = [(y, x) for y in range(5) for x in range(5)]
    candidates = torch.stack(
        [padded[:, :, y : y + 16, x : x + 16] for y, x in shifts]
    )  # (25, B, C, H, W)
    errors = (candidates - changed).abs().amax((2, 3, 4))  # (25, B)
    assert errors.amin(0).max() < 1e-4
    assert len(errors.argmin(0).unique()) > 10


def test_rotation_turns_around_the_centre_within_its_limit() -> None:
    maps = Augment(rotate=20).affine(torch.zeros(1000, 3, 16, 16), generator())
    angles = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert -20 <= angles.min() < -18
    assert 18 < angles.max() <= 20
    torch.testing.assert_close(torch.linalg.det(maps[:, :, :2]), torch.ones(1000))
    assert torch.equal(maps[:, :, 2], torch.zeros(1000, 2))


def test_scale_is_even_in_both_directions() -> None:
    maps = Augment(scale=0.5).affine(torch.zeros(4000, 3, 16, 16), generator())
    factors = 1 / maps[:, 0, 0]
    assert factors.min() == pytest.approx(1 / 1.5, abs=0.01)
    assert factors.max() == pytest.approx(1.5, abs=0.01)
    assert factors.log().mean() == pytest.approx(0, abs=0.02)


def test_translation_is_a_fraction_of_the_side() -> None:
    shifts = Augment(translate=0.25).affine(torch.zeros(1000, 3, 16, 16), generator())[
        :, :, 2
    ]
    assert 0.48 < shifts.abs().max() <= 0.5  # in -1…1, the side is 2
    assert not torch.equal(shifts[:, 0], shifts[:, 1])


def test_the_grid_is_that_of_torch() -> None:
    maps = torch.randn(5, 2, 3, generator=generator())
    torch.testing.assert_close(
        _grid(maps, 7), F.affine_grid(maps, [5, 3, 7, 7], align_corners=False)
    )


def test_another_size(images: Tensor) -> None:
    smaller = Augment()(images, generator(), size=8)
    torch.testing.assert_close(smaller, F.avg_pool2d(images, 2), atol=1e-5, rtol=0)


def test_brightness_shifts_each_image(images: Tensor) -> None:
    shift = (Augment(brightness=0.3)(images, generator()) - images).flatten(1)
    torch.testing.assert_close(shift.amin(1), shift.amax(1), atol=1e-5, rtol=0)
    assert 0.25 < shift.abs().max() <= 0.3 + 1e-5


def test_contrast_keeps_each_mean(images: Tensor) -> None:
    changed = Augment(contrast=0.5)(images, generator())
    torch.testing.assert_close(changed.mean((1, 2, 3)), images.mean((1, 2, 3)))
    factors = changed.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.5 <= factors.min() < 0.6
    assert 1.4 < factors.max() <= 1.5


def test_saturation_keeps_gray(images: Tensor) -> None:
    gray = images.mean(1, keepdim=True).expand_as(images)
    augment = Augment(saturation=1)
    torch.testing.assert_close(augment(gray, generator()), gray, atol=1e-6, rtol=0)
    changed = augment(images, generator())
    torch.testing.assert_close(changed.mean(1), images.mean(1), atol=1e-5, rtol=0)
    assert not torch.allclose(changed, images)


def test_erasing_leaves_the_rest_alone(images: Tensor) -> None:
    changed = Augment(erase=0.5)(images, generator())
    erased = (changed != images).all(1)  # (B, H, W)
    touched = erased.flatten(1).any(1)
    assert 16 < touched.sum() < 48
    for hole in erased[touched]:
        rows, columns = hole.any(1), hole.any(0)
        assert torch.equal(hole, rows[:, None] & columns)  # a rectangle
        assert hole.float().mean() <= 0.3
    assert torch.equal(changed[~touched], images[~touched])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": 1.5}, r"flip must be smaller than or equal to 1, but is 1\.5"),
        ({"rotate": -1}, "rotate must be bigger than or equal to 0, but is -1"),
        ({"scale": math.nan}, "scale must be a finite number, not nan"),
        ({"erase": "0.5"}, "erase must be number, but is '0.5'"),
        ({"crop": 1.5}, "crop must be a whole number, not 1.5"),
        ({"padding": "wrap"}, "padding must be one of .*zeros.*, but is 'wrap'"),
    ],
)
def test_settings_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augment(**options)


def test_elastic_distortion_moves_pixels_smoothly_and_by_about_its_strength() -> None:
    ramp = torch.linspace(-1, 1, 32).expand(
        256, 1, 32, 32
    )  # its value says where a pixel comes from
    bent = Augment(elastic=0.03, padding="border")(ramp, generator())
    moved = (bent - ramp)[:, :, 8:24, 8:24]
    # Between the drawn displacements the interpolated ones are smaller.
    assert 0.5 * 2 * 0.03 < moved.std() < 2 * 0.03
    assert moved.diff(dim=3).abs().mean() < 0.3 * moved.std()


def test_grayscale_takes_the_colours_of_about_half(images: Tensor) -> None:
    changed = Augment(grayscale=0.5)(images, generator())
    gray = (changed - images.mean(1, keepdim=True)).abs().amax((1, 2, 3)) < 1e-5
    kept = (changed - images).abs().amax((1, 2, 3)) < 1e-5
    assert (gray ^ kept).all()
    assert 16 < gray.sum() < 48


def test_shear_slants_along_the_rows_within_its_limit() -> None:
    maps = Augment(shear=30).affine(torch.zeros(1000, 3, 16, 16), generator())
    straight = torch.tensor([1.0, 0, 0, 0, 1, 0]).expand(1000, -1)
    slants = maps[:, 0, 1]
    torch.testing.assert_close(
        maps.flatten(1).index_fill(1, torch.tensor(1), 0), straight
    )
    assert slants.abs().max() == pytest.approx(math.tan(math.radians(30)), rel=0.02)
    assert slants.min() < 0 < slants.max()


@pytest.mark.parametrize(
    ("padding", "corner"), [("zeros", 0.0), ("border", 1.0), ("reflection", 4.0)]
)
def test_what_comes_in_from_outside(padding: Any, corner: float) -> None:
    ramp = torch.arange(1.0, 9).expand(200, 1, 8, 8)  # 1 to 8 from left to right
    moved = Augment(crop=4, padding=padding)(ramp, generator())
    # Of those moved by four pixels, the left edge is four outside.
    furthest = moved[moved[:, 0, 4, 4] == 1]
    assert len(furthest)
    assert furthest[0, 0, 4, 0].item() == pytest.approx(corner, abs=1e-4)
