"""The receptive field by experiment: which pixels have a gradient at a unit."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from helpers.insight.activations import capture
from helpers.insight.receptive_field import Box


def gradient_footprint(
    model: nn.Module, layer: str, image_size: int, channels: int = 3
) -> Tensor:
    """How much each pixel matters to the middle unit of a layer's map: the gradient at
    a copy of the network in which nothing hides a path.

    Its weights are positive, there is no batch normalisation, and ``nn.MaxPool2d``
    averages: the pixels with a gradient are the receptive field, the values say how
    many paths lead from a pixel to the unit.

    Returns:
        float32 (image_size, image_size), at least 0.

    Raises:
        ModelError: the model has no such layer, or the forward pass does not reach it.
    """
    linear = copy.deepcopy(model).to("cpu", torch.float32)
    _open_all_paths(linear)
    # Close to zero, where ReLU6 and its like are not yet saturated.
    images = torch.full((1, channels, image_size, image_size), 1e-6, requires_grad=True)
    with torch.enable_grad(), capture(linear, [layer]) as outputs:
        linear(images)
    output = outputs[layer]  # (1, maps, h, w) or (1, units)
    if output.ndim == 4:
        output = output[..., output.shape[-2] // 2, output.shape[-1] // 2]
    (gradient,) = torch.autograd.grad(output.sum(), images)
    return gradient[0].abs().sum(0)


def footprint_box(footprint: Tensor) -> Box:
    """The box around the pixels of a footprint (H, W) that are not 0."""
    rows, columns = (footprint.any(dim).nonzero().flatten().tolist() for dim in (1, 0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


@torch.no_grad()
def _open_all_paths(model: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            size = math.prod(parameter.shape[1:])
            parameter.uniform_(0.5, 1.5, generator=generator).div_(size)
        else:
            parameter.zero_()
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if isinstance(module, _BatchNorm):
                parent.add_module(name, nn.Identity())
            elif isinstance(module, nn.MaxPool2d):
                average = nn.AvgPool2d(
                    module.kernel_size, module.stride, module.padding, module.ceil_mode
                )
                parent.add_module(name, average)
