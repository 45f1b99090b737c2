"""Images all changed by the same known amount, to draw accuracy against it.

Augmentation, for training, draws its amounts at random: ``helpers.data.augment``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

BILINEAR = InterpolationMode.BILINEAR


@dataclass(frozen=True)
class Transformation:
    """One way to change images, more or less strongly.

    Attributes:
        quantity: what the strength is, with its unit.
        strengths: some to try, in ascending order, ``neutral`` among them.
        change: ``uint8`` images (N, C, H, W) and a strength to images alike.
        neutral: the strength that changes nothing.
    """

    quantity: str
    strengths: tuple[float, ...]
    change: Callable[[Tensor, float], Tensor]
    neutral: float = 0.0

    def __call__(self, images: Tensor, strength: float) -> Tensor:
        """Copies of ``uint8`` images (N, C, H, W), changed by ``strength``."""
        if strength == self.neutral:
            return images.clone()
        return self.change(images, strength)


def distance(images: Tensor, others: Tensor) -> float:
    """Root mean squared difference of two ``uint8`` batches' pixels, in 0–1."""
    return (images.float() - others.float()).div_(255).square_().mean().sqrt().item()


def _affine(images: Tensor, *, pixels: int = 0, factor: float = 1.0) -> Tensor:
    """Moved to the right and down, or scaled."""
    moved: Tensor = F.affine(
        images, 0.0, [pixels, pixels], factor, [0.0, 0.0], interpolation=BILINEAR
    )
    return moved


def _blur(images: Tensor, sigma: float) -> Tensor:
    """By a Gaussian of standard deviation ``sigma``, in pixels."""
    reach = min(int(3 * sigma + 0.5), images.shape[-1] - 1)  # all that reflection gives
    blurred: Tensor = F.gaussian_blur(images, [2 * reach + 1] * 2, [sigma] * 2)
    return blurred


def _noise(images: Tensor, sigma: float) -> Tensor:
    """Gaussian, of standard deviation ``sigma``, in which white is 1."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=generator).mul_(255 * sigma)
    noisy = images + noise.to(images.device)
    return noisy.round_().clamp_(0, 255).to(torch.uint8)


_FACTORS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)

# What comes in from outside is black, as the paintings' own padding is.
TRANSFORMATIONS = {
    "mirror": Transformation(
        "horizontal flip (0: no, 1: yes)",
        (0.0, 1.0),
        lambda x, _: F.horizontal_flip(x),
    ),
    "upside down": Transformation(
        "vertical flip (0: no, 1: yes)", (0.0, 1.0), lambda x, _: F.vertical_flip(x)
    ),
    "rotation": Transformation(
        "rotation (degrees)",
        (-90.0, -45.0, -20.0, -10.0, 0.0, 10.0, 20.0, 45.0, 90.0),
        lambda x, angle: F.rotate(x, angle, interpolation=BILINEAR),
    ),
    "translation": Transformation(
        "translation (share of the side)",
        (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3),
        lambda x, share: _affine(x, pixels=round(share * x.shape[-1])),
    ),
    "scale": Transformation(
        "scale (factor)",
        (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0),
        lambda x, factor: _affine(x, factor=factor),
        1.0,
    ),
    "brightness": Transformation(
        "brightness (factor)", _FACTORS, F.adjust_brightness, 1.0
    ),
    "contrast": Transformation("contrast (factor)", _FACTORS, F.adjust_contrast, 1.0),
    "blur": Transformation("blur (pixels)", (0.0, 0.5, 1.0, 1.5, 2.0, 3.0), _blur),
    "noise": Transformation(
        "noise (share of white)", (0.0, 0.02, 0.05, 0.1, 0.2, 0.3), _noise
    ),
    # The brightest share of the scale: 0.5 inverts what is above medium gray.
    "invert": Transformation(
        "inverted (share of the scale)",
        _SHARES,
        lambda x, share: F.solarize(x, threshold=255 * (1 - share)),
    ),
    "grayscale": Transformation(
        "colour taken out (share)",
        _SHARES,
        lambda x, share: F.adjust_saturation(x, 1 - share),
    ),
}
