"""Augmentation of whole batches on their device, each image with its own numbers.

Flip, rotation, scale, translation, crop and shear are one affine map: one resampling.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from helpers.base.schema import NUMBER, SIZE, check, fields

PADDINGS = ("zeros", "border", "reflection")
AMOUNT = {**NUMBER, "minimum": 0}
SHARE = {**AMOUNT, "maximum": 1}
SHARES = ("flip", "erase", "brightness", "contrast", "saturation", "grayscale")
SCHEMA = fields(
    dict.fromkeys(("rotate", "scale", "translate", "shear", "elastic"), AMOUNT)
    | dict.fromkeys(SHARES, SHARE)
    | {"crop": {**SIZE, "minimum": 0}, "padding": {"enum": [*PADDINGS]}}
)
ELASTIC_CELLS = 6  # random displacements along a side, interpolated between
ERASED_AREA = (0.02, 0.25)  # as a fraction, before the edge cuts it


@dataclass(frozen=True, kw_only=True)
class Augment:
    """How strongly each transformation is applied; 0 leaves it out.

    Attributes:
        flip: probability of a horizontal flip.
        rotate: largest rotation either way, in degrees.
        scale: largest change of size: factors from 1 / (1 + scale) to 1 + scale.
        translate: largest translation along each axis, as a fraction of the side.
        crop: largest translation in whole pixels: a random crop after padding.
        shear: largest shear along x either way, in degrees.
        elastic: standard deviation of a smooth random displacement, at its nodes, as a
            fraction of the side (Simard, Steinkraus and Platt 2003).
        padding: what comes in from outside: ``zeros`` (the normalisation's mean),
            ``border`` or ``reflection``.
        brightness: largest shift of all values, in the normalisation's deviations.
        contrast: largest relative change of the contrast around each image's mean.
        saturation: likewise of the distance of each pixel from its own gray: the mean
            of its normalised channels.
        grayscale: probability that an image has only these grays.
        erase: probability of random erasing (Zhong et al. 2020): a rectangle of noise.
    """

    flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    translate: float = 0.0
    crop: int = 0
    shear: float = 0.0
    elastic: float = 0.0
    padding: str = "reflection"
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    grayscale: float = 0.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        check(self, SCHEMA)

    def __call__(
        self, images: Tensor, generator: Generator, *, size: int | None = None
    ) -> Tensor:
        """Augments normalised float images (B, C, H, W) to (B, C, size, size).

        All random numbers come from ``generator``, on the images' device; without
        ``size``, in pixels, the images keep theirs.
        """
        size = size or images.shape[-1]
        moves = (self.flip, self.rotate, self.scale, self.translate, self.crop)
        if any((*moves, self.shear, self.elastic)) or size != images.shape[-1]:
            images = self._move(images, generator, size)
        if any((self.brightness, self.contrast, self.saturation, self.grayscale)):
            images = self._recolour(images, generator)
        if self.erase:
            images = self._erase(images, generator)
        return images

    def _move(self, images: Tensor, generator: Generator, size: int) -> Tensor:
        grid = _grid(self.affine(images, generator), size)
        if self.elastic:
            grid = grid + self._bend(len(images), generator, size)
        return F.grid_sample(
            images, grid, padding_mode=self.padding, align_corners=False
        )

    def affine(self, images: Tensor, generator: Generator) -> Tensor:
        """One map (B, 2, 3) per image, from new places to old, in -1…1."""
        uniform = _Uniform(len(images), generator)
        height, width = images.shape[-2:]
        angle = uniform(math.radians(self.rotate))
        size = torch.exp(uniform(math.log1p(self.scale)))
        shear = torch.tan(uniform(math.radians(self.shear)))
        mirror = 1 - 2 * uniform.happens(self.flip)
        shift_x, shift_y = (
            2 * uniform(self.translate) + (2 / side) * uniform.whole(self.crop)
            for side in (width, height)
        )
        cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
        rows = (
            mirror * cos,
            mirror * (shear * cos - sin),
            shift_x,
            sin,
            shear * sin + cos,
            shift_y,
        )
        return torch.stack(rows, dim=1).view(-1, 2, 3)

    def _bend(self, count: int, generator: Generator, size: int) -> Tensor:
        """Displacements (B, size, size, 2), in -1…1."""
        shape = (count, 2, ELASTIC_CELLS, ELASTIC_CELLS)
        coarse = torch.randn(shape, generator=generator, device=generator.device)
        smooth = F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)
        return 2 * self.elastic * smooth.permute(0, 2, 3, 1)

    def _recolour(self, images: Tensor, generator: Generator) -> Tensor:
        uniform = _Uniform(len(images), generator)
        centre = images.mean(dim=(1, 2, 3), keepdim=True)
        images = (images - centre) * (1 + uniform(self.contrast)) + centre
        images = images + uniform(self.brightness)
        if self.saturation:
            gray = images.mean(dim=1, keepdim=True)  # (B, 1, H, W)
            images = torch.lerp(gray, images, 1 + uniform(self.saturation))
        if self.grayscale:
            gray = images.mean(dim=1, keepdim=True)
            images = torch.lerp(images, gray, uniform.happens(self.grayscale))
        return images

    def _erase(self, images: Tensor, generator: Generator) -> Tensor:
        batch, _, height, width = images.shape
        uniform = _Uniform(batch, generator)
        low, high = ERASED_AREA
        area = (low + high) / 2 + uniform((high - low) / 2)
        # Height : width from 1 : 3 to 3 : 1, in pixels.
        aspect = torch.exp(uniform(math.log(3.0)) / 2)
        tall, wide = area.sqrt() * aspect * height, area.sqrt() / aspect * width
        rows, columns = (
            torch.arange(side, device=images.device) + 0.5 for side in (height, width)
        )
        centre_y, centre_x = height * (0.5 + uniform(0.5)), width * (0.5 + uniform(0.5))
        inside_y = (rows[:, None] - centre_y).abs() * 2 < tall  # (B, 1, H, 1)
        inside_x = (columns - centre_x).abs() * 2 < wide  # (B, 1, 1, W)
        hole = uniform.happens(self.erase).bool() & inside_y & inside_x
        noise = torch.randn(
            images.shape, generator=generator, device=images.device, dtype=images.dtype
        )
        return torch.where(hole, noise, images)


def _grid(maps: Tensor, size: int) -> Tensor:
    """Where each pixel comes from: maps (B, 2, 3) to places (B, size, size, 2).

    As ``F.affine_grid``, but by sums instead of a matrix product over all pixels.
    """
    # (size,), in -1…1.
    centres = torch.arange(1 - size, size, 2, device=maps.device) / size
    along_x = maps[:, :, 0, None] * centres  # (B, 2, size)
    along_y = maps[:, :, 1, None] * centres + maps[:, :, 2, None]  # (B, 2, size)
    return (along_y[:, :, :, None] + along_x[:, :, None, :]).permute(0, 2, 3, 1)


class _Uniform:
    """Random numbers (B, 1, 1, 1), one per image, from one generator."""

    def __init__(self, count: int, generator: Generator) -> None:
        self._none = torch.zeros((count, 1, 1, 1), device=generator.device)
        self._from = {"generator": generator}

    def __call__(self, limit: float) -> Tensor:
        """Uniform in -limit…limit; nothing is drawn for 0, here and below."""
        if not limit:
            return self._none
        return torch.empty_like(self._none).uniform_(-limit, limit, **self._from)

    def happens(self, probability: float) -> Tensor:
        """1.0 with this probability, else 0.0."""
        if not probability:
            return self._none
        return torch.empty_like(self._none).bernoulli_(probability, **self._from)

    def whole(self, limit: int) -> Tensor:
        """A whole number from -limit to limit, each as likely."""
        if not limit:
            return self._none
        return torch.empty_like(self._none).random_(-limit, limit + 1, **self._from)
