"""3×3 convolutions by Winograd's algorithm, with a quarter of the multiplications:
training for CPUs without bf16.

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016
(arXiv:1509.09308): F(4×4, 3×3). A filter gives 4×4 outputs from a tile of 6×6 inputs.
With tile and filter transformed, that takes 36 multiplications instead of 144, and over
all tiles and channels each of the 36 is a matrix product. The gradients are the
transposed steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.overrides import TorchFunctionMode

TILE = 4  # side of the outputs of a tile
PATCH = TILE + 2  # side of its inputs
OVERLAP = PATCH - TILE  # how far its inputs reach into those of the next tile
FEWEST_CHANNELS = 32  # with fewer the transforms take longer than the products save

# The transforms of the paper's section 4.3, for one dimension: of inputs, of filters
# and of outputs.
_INPUT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_FILTER: list[list[float]] = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
_OUTPUT = [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
]


def _in_two_dimensions(transform: Sequence[Sequence[float]]) -> Tensor:
    """The matrix that transforms the rows and the columns of a square whose values lie
    one after the other.
    """
    matrix = torch.tensor(transform, dtype=torch.float64)
    return torch.kron(matrix, matrix).float()


INPUT_TRANSFORM = _in_two_dimensions(_INPUT)  # (36, 36)
FILTER_TRANSFORM = _in_two_dimensions(_FILTER)  # (36, 9)
OUTPUT_TRANSFORM = _in_two_dimensions(_OUTPUT)  # (16, 36)


class WinogradConvolutions(TorchFunctionMode):
    """Within the block, convolutions that ``is_eligible`` are computed by
    ``winograd_conv2d``; all others as ever.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Looks at one call of PyTorch's functions."""
        if func is F.conv2d and not kwargs and is_eligible(*args):
            return winograd_conv2d(*args[:3])
        return func(*args, **(kwargs or {}))


def is_eligible(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> bool:
    """Whether a call of ``F.conv2d`` is one that ``winograd_conv2d`` computes, and
    faster.

    It is with filters of 3×3, stride 1 and padding 1, maps of 2×2 or more, enough
    channels, and everything float32 on a CPU.
    """
    return (
        images.ndim == 4
        and images.device.type == "cpu"
        and images.dtype == weight.dtype == torch.float32
        and tuple(weight.shape[2:]) == (3, 3)
        and min(weight.shape[:2]) >= FEWEST_CHANNELS
        and min(images.shape[2:]) >= TILE // 2
        and all(setting in (1, (1, 1)) for setting in (stride, padding, dilation))
        and groups == 1
    )


def winograd_conv2d(
    images: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """``F.conv2d(images, weight, bias, padding=1)`` but for rounding, and
    differentiable once.

    Args:
        images: (B, C, H, W) in float32; sides that are no multiples of 4 cost as much
            as the next that are.
        weight: (D, C, 3, 3).
        bias: (D,), or None.

    Returns:
        (B, D, H, W), channels last in memory.
    """
    output: Tensor = _Winograd.apply(images, weight)
    return output if bias is None else output + bias[:, None, None]


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, weight: Tensor) -> Tensor:
        height, width = images.shape[2:]
        rows, columns = _tiles(height), _tiles(width)
        tiles = INPUT_TRANSFORM @ _patches(
            images
        )  # (T, 36, C), where T is number x rows x columns
        filters = FILTER_TRANSFORM @ weight.permute(2, 3, 0, 1).reshape(9, -1)
        filters = filters.view(PATCH**2, *weight.shape[:2])  # (36, D, C)
        ctx.save_for_backward(tiles, filters)
        products = torch.bmm(
            tiles.transpose(0, 1), filters.transpose(1, 2)
        )  # (36, T, D)
        outputs = OUTPUT_TRANSFORM @ products.view(PATCH**2, -1)
        squares = outputs.view(TILE, TILE, len(images), rows, columns, -1).permute(
            2, 3, 0, 4, 1, 5
        )
        whole = squares.reshape(len(images), rows * TILE, columns * TILE, -1)
        return whole[:, :height, :width].permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        tiles, filters = ctx.saved_tensors
        number, depth, height, width = gradient.shape
        rows, columns = _tiles(height), _tiles(width)
        whole = F.pad(
            gradient.permute(0, 2, 3, 1),
            (0, 0, 0, columns * TILE - width, 0, rows * TILE - height),
        )
        squares = whole.reshape(number, rows, TILE, columns, TILE, depth)
        outputs = squares.transpose(2, 3).reshape(-1, TILE**2, depth)  # (T, 16, D)
        products = (OUTPUT_TRANSFORM.T @ outputs).transpose(0, 1)  # (36, T, D)
        to_images = to_weight = None
        if ctx.needs_input_grad[0]:
            patches = INPUT_TRANSFORM.T @ torch.bmm(products, filters).transpose(
                0, 1
            )  # (T, 36, C)
            sums = _overlapping_sum(
                patches.view(number, rows, columns, PATCH, PATCH, -1)
            )
            to_images = sums[:, :, :height, :width]
        if ctx.needs_input_grad[1]:
            to_filters = torch.bmm(
                products.transpose(1, 2), tiles.transpose(0, 1)
            )  # (36, D, C)
            to_weight = FILTER_TRANSFORM.T @ to_filters.view(PATCH**2, -1)
            to_weight = to_weight.view(3, 3, depth, -1).permute(2, 3, 0, 1)
        return to_images, to_weight


def _patches(images: Tensor) -> Tensor:
    """The inputs of each tile, (T, 36, C): squares of 6×6 pixels every 4 pixels, of
    images with a margin of zeros.
    """
    height, width = images.shape[2:]
    right, bottom = _tiles(width) * TILE - width + 1, _tiles(height) * TILE - height + 1
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, 1, right, 1, bottom))
    squares = padded.unfold(1, PATCH, TILE).unfold(
        2, PATCH, TILE
    )  # (B, rows, columns, C, 6, 6)
    return squares.permute(0, 1, 2, 4, 5, 3).reshape(-1, PATCH**2, images.shape[1])


def _overlapping_sum(patches: Tensor) -> Tensor:
    """The transpose of ``_patches``: (B, rows, columns, 6, 6, C) added up where they
    overlap, without the margin.
    """
    number, rows, columns, _, _, channels = patches.shape
    patches = patches.transpose(2, 3)  # (B, rows, 6, columns, 6, C)
    inner, outer = (
        slice(0, TILE),
        slice(TILE, PATCH),
    )  # within a patch; the outer part lies in the next one's inner
    padded = patches.new_zeros(number, rows + 1, TILE, columns + 1, TILE, channels)
    padded[:, :-1, :, :-1] = patches[:, :, inner, :, inner]
    padded[:, 1:, :OVERLAP, :-1] += patches[:, :, outer, :, inner]
    padded[:, :-1, :, 1:, :OVERLAP] += patches[:, :, inner, :, outer]
    padded[:, 1:, :OVERLAP, 1:, :OVERLAP] += patches[:, :, outer, :, outer]
    whole = padded.view(number, (rows + 1) * TILE, (columns + 1) * TILE, channels)
    return whole[:, 1 : rows * TILE + 1, 1 : columns * TILE + 1].permute(0, 3, 1, 2)


def _tiles(side: int) -> int:
    """How many tiles cover a side."""
    return -(-side // TILE)
