"""Copies, and near copies: pictures that look alike at 28×28 gray pixels."""

import torch
import torch.nn.functional as F
from scipy.sparse.csgraph import connected_components
from torch import Tensor

SIDE = 28  # pixels to compare at
LEAST = 0.95  # correlation above which they are near copies


def exact_copies(images: Tensor, others: Tensor) -> int:
    """How many of N images are, pixel for pixel, among M others.

    Both are ``uint8`` (images, C, H, W).
    """
    seen = {image.numpy().tobytes() for image in others}
    return sum(image.numpy().tobytes() in seen for image in images)


def has_near_copy(images: Tensor, others: Tensor) -> Tensor:
    """Which of N images have a near copy among M others, ``bool`` (N,).

    Both are ``uint8`` (images, C, H, W).
    """
    return (_normalised(images) @ _normalised(others).T).amax(1) > LEAST


def group_near_copies(images: Tensor, labels: Tensor) -> Tensor:
    """The group that each image belongs to, ``int64`` (N,).

    Near copies of one class, and near copies of these, are in one group.
    """
    vectors = _normalised(images)
    alike = (vectors @ vectors.T > LEAST) & (labels[:, None] == labels)
    _, groups = connected_components(alike.numpy(), directed=False)
    return torch.from_numpy(groups).long()


def _normalised(images: Tensor) -> Tensor:
    """Gray values (N, 784) of mean 0 and length 1: products are correlations."""
    gray = images.mean(1, keepdim=True, dtype=torch.float32)
    small = F.interpolate(gray, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    vectors = small.flatten(1)
    vectors -= vectors.mean(1, keepdim=True)
    return F.normalize(vectors, dim=1, eps=0.1)  # plain gray: only rounding
