"""Images changed by a known amount, to see what a trained network can and cannot do
without.

Augmentation (``helpers.data.augment``) draws its amounts at random and is for training.
Here every image of a set is changed alike and by the same amount, so that accuracy can
be drawn against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from helpers.base.errors import ConfigError


@dataclass(frozen=True)
class Transformation:
    """One way to change images, more or less strongly.

    Attributes:
        quantity: what the strength is, with its unit.
        neutral: the strength that changes nothing.
        strengths: some to try, in ascending order, ``neutral`` among them.
        change: ``uint8`` images (N, C, H, W) and a strength to images of the same shape
            and type.
    """

    quantity: str
    neutral: float
    strengths: tuple[float, ...]
    change: Callable[[Tensor, float], Tensor]

    def __call__(self, images: Tensor, strength: float) -> Tensor:
        """The images changed by ``strength``; they themselves stay as they are.

        Args:
            images: ``uint8`` (N, C, H, W), 0–255.
            strength: in the unit of ``quantity``.

        Raises:
            ConfigError: the images are not ``uint8``.
        """
        if images.dtype != torch.uint8:
            raise ConfigError(
                f"Images to be transformed are {images.dtype}: expected uint8, 0–255."
            )
        return (
            images.clone()
            if strength == self.neutral
            else self.change(images, strength)
        )


def distance(images: Tensor, others: Tensor) -> float:
    """Root of the mean squared difference between the pixels of two ``uint8`` batches,
    on a scale from 0 to 1.
    """
    return (images.float() - others.float()).div_(255).square_().mean().sqrt().item()


def _translate(images: Tensor, share: float) -> Tensor:
    """To the right and down."""
    pixels = round(share * images.shape[-1])
    moved: Tensor = F.affine(
        images, angle=0.0, translate=[pixels, pixels], scale=1.0, shear=[0.0, 0.0]
    )
    return moved


def _scale(images: Tensor, factor: float) -> Tensor:
    bilinear = InterpolationMode.BILINEAR
    scaled: Tensor = F.affine(
        images,
        angle=0.0,
        translate=[0, 0],
        scale=factor,
        shear=[0.0, 0.0],
        interpolation=bilinear,
    )
    return scaled


def _blur(images: Tensor, sigma: float) -> Tensor:
    """By a Gaussian of standard deviation ``sigma``, in pixels."""
    reach = min(
        int(3 * sigma + 0.5), images.shape[-1] - 1
    )  # pixels either way, as many as reflection can give
    blurred: Tensor = F.gaussian_blur(
        images, kernel_size=[2 * reach + 1] * 2, sigma=[sigma] * 2
    )
    return blurred


def _noise(images: Tensor, sigma: float) -> Tensor:
    """Gaussian, of standard deviation ``sigma``, in which white is 1."""
    generator = torch.Generator().manual_seed(0)
    noise = (
        torch.randn(images.shape, generator=generator)
        .mul_(255 * sigma)
        .to(images.device)
    )
    return (images + noise).round_().clamp_(0, 255).to(torch.uint8)


def _invert(images: Tensor, share: float) -> Tensor:
    """The brightest ``share`` of the scale, down from white: 0.5 inverts what is
    brighter than medium gray.
    """
    inverted: Tensor = F.solarize(images, threshold=255 * (1 - share))
    return inverted


_FACTORS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)

# What comes in from outside is black, as the paintings' own padding is.
TRANSFORMATIONS: Mapping[str, Transformation] = MappingProxyType(
    {
        "mirror": Transformation(
            "mirrored (0: no, 1: yes)",
            0.0,
            (0.0, 1.0),
            lambda x, _: F.horizontal_flip(x),
        ),
        "upside down": Transformation(
            "flipped (0: no, 1: yes)", 0.0, (0.0, 1.0), lambda x, _: F.vertical_flip(x)
        ),
        "rotation": Transformation(
            "rotation (degrees)",
            0.0,
            (-90.0, -45.0, -20.0, -10.0, 0.0, 10.0, 20.0, 45.0, 90.0),
            lambda x, angle: F.rotate(
                x, angle, interpolation=InterpolationMode.BILINEAR
            ),
        ),
        "translation": Transformation(
            "shift (share of the side)",
            0.0,
            (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3),
            _translate,
        ),
        "scale": Transformation(
            "size (factor)", 1.0, (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0), _scale
        ),
        "brightness": Transformation(
            "brightness (factor)", 1.0, _FACTORS, F.adjust_brightness
        ),
        "contrast": Transformation(
            "contrast (factor)", 1.0, _FACTORS, F.adjust_contrast
        ),
        "blur": Transformation(
            "blur (pixels)", 0.0, (0.0, 0.5, 1.0, 1.5, 2.0, 3.0), _blur
        ),
        "noise": Transformation(
            "noise (share of white)", 0.0, (0.0, 0.02, 0.05, 0.1, 0.2, 0.3), _noise
        ),
        "invert": Transformation(
            "inverted (share of the scale)", 0.0, (0.0, 0.25, 0.5, 0.75, 1.0), _invert
        ),
        "grayscale": Transformation(
            "colour taken out (share)",
            0.0,
            (0.0, 0.25, 0.5, 0.75, 1.0),
            lambda x, share: F.adjust_saturation(x, 1 - share),
        ),
    }
)
