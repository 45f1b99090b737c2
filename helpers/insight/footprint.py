"""The receptive field by experiment: which pixels have a gradient at a unit."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from helpers.base.errors import ModelError
from helpers.insight.activations import find_layer, unused
from helpers.insight.receptive_field import Box


def gradient_footprint(
    model: nn.Module, layer: str, image_size: int, channels: int = 3
) -> Tensor:
    """How much each pixel matters to the middle unit of a layer's map: the gradient at
    a copy of the network in which nothing hides a path.

    Its weights are positive, normalisation is the identity, and average pooling is in
    place of max pooling: the pixels with a gradient are the receptive field, the values
    say how many paths lead from a pixel to the unit.

    Args:
        model: any network; it is left as it was.
        layer: a name as ``named_modules`` gives it.
        image_size: side of the square images in pixels.
        channels: channels of an image.

    Returns:
        float32 (image_size, image_size), at least 0.

    Raises:
        ModelError: the model has no such layer, or the forward pass does not reach it.
    """
    find_layer(model, layer)
    linear = copy.deepcopy(model).to("cpu", torch.float32).eval()
    _open_all_paths(linear)
    outputs: list[Tensor] = []
    linear.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output.clone())
    )
    # Close to zero, where ReLU6 and its like are not yet saturated.
    images = torch.full((1, channels, image_size, image_size), 1e-6, requires_grad=True)
    with torch.enable_grad(), _AveragePooling():
        linear(images)
    if not outputs:
        raise unused(model, layer)
    output = outputs[-1]  # (1, maps, h, w) or (1, units)
    if output.ndim == 4:
        output = output[..., output.shape[-2] // 2, output.shape[-1] // 2]
    (gradient,) = torch.autograd.grad(output.sum(), images)
    return gradient[0].abs().sum(0)


def footprint_box(footprint: Tensor) -> Box:
    """The box around the pixels of a footprint (H, W) that are not 0."""
    rows, columns = (footprint.any(dim).nonzero().flatten().tolist() for dim in (1, 0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


class _AveragePooling(TorchFunctionMode):
    """Within the block, max pooling averages."""

    def __torch_function__(
        self,
        func: Any,
        _types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", "")
        substitute = {"max_pool2d": _average, "adaptive_max_pool2d": _adaptive}
        return substitute.get(name, func)(*args, **(kwargs or {}))


def _average(
    images: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    ceil_mode: bool = False,
    **_options: Any,
) -> Tensor:
    if dilation not in (1, (1, 1)):
        raise ModelError("The footprint of dilated max pooling is not implemented.")
    return F.avg_pool2d(images, kernel_size, stride, padding, ceil_mode)


def _adaptive(images: Tensor, output_size: Any, **_options: Any) -> Tensor:
    return F.adaptive_avg_pool2d(images, output_size)


@torch.no_grad()
def _open_all_paths(model: nn.Module) -> None:
    """Random positive weights, no biases, normalisation that is the identity."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2:
            size = math.prod(parameter.shape[1:])
            parameter.uniform_(0.5, 1.5, generator=generator).div_(size)
        else:
            parameter.fill_(0 if name.endswith("bias") else 1)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.zero_()
        elif name.endswith("running_var"):
            buffer.fill_(1)
