"""What the layers of a network put out when it sees an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.training.evaluate import evaluation_mode


def layer_names(model: nn.Module) -> list[str]:
    """The names of all layers and groups of layers, in the order in which the model
    defines them.
    """
    return [name for name, _ in model.named_modules() if name]


def conv_layers(model: nn.Module) -> list[str]:
    """The names of the two-dimensional convolutions, in the order in which the model
    defines them.
    """
    return [
        name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)
    ]


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; the CPU for a model without any."""
    return next(
        (parameter.device for parameter in model.parameters()), torch.device("cpu")
    )


def find_layer(model: nn.Module, layer: str) -> nn.Module:
    """The module of that name.

    Raises:
        ModelError: the model has none; the message lists its layers.
    """
    names = layer_names(model)
    if layer not in names:
        raise ModelError(
            f"{type(model).__name__} has no layer {layer!r}: known are "
            f"{', '.join(names)}."
        )
    return model.get_submodule(layer)


def output_shapes(model: nn.Module, images: Tensor) -> dict[str, tuple[int, ...]]:
    """The shapes that the layers put out for one image.

    Args:
        model: any network; it is left as it was.
        images: what the network takes, normalised: float (B, C, H, W); the values do
            not matter.

    Returns:
        By layer, for layers without layers in them whose output is one tensor, in the
        order of the model's
        definition: (maps, h, w) or (units,). Layers that the forward pass does not
            reach are left out.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    leaves = {
        name: module
        for name, module in model.named_modules()
        if name and not list(module.children())
    }

    def keep(layer: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            shapes[layer] = tuple(output.shape[1:])

    hooks = [
        module.register_forward_hook(partial(keep, name))
        for name, module in leaves.items()
    ]
    try:
        with torch.no_grad(), evaluation_mode(model):
            model(images[:1].to(device_of(model)))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: shapes[name] for name in leaves if name in shapes}


def layers_with_maps(model: nn.Module, images: Tensor) -> list[str]:
    """The layers that put out maps of more than one position; the arguments are those
    of ``output_shapes``.
    """
    return [
        name
        for name, shape in output_shapes(model, images).items()
        if len(shape) == 3 and shape[1:] > (1, 1)
    ]


@contextmanager
def capture(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Within the block, each forward pass leaves the outputs of ``layers`` in the
    yielded dictionary.

    The model is in evaluation mode within the block; afterwards every module is in the
    mode it was in before, and no hook is left, whatever happened. A layer that is used
    several times in one pass leaves its last output. What a convolution puts out is
    captured before its ReLU; the maps after the ReLU are the output of the ReLU's own
    module.

    Args:
        model: any network.
        layers: names as ``layer_names`` gives them.

    Yields:
        The outputs by layer: detached copies, on the model's device.

    Raises:
        ModelError: the model has no such layer, or a layer's output is not one tensor.
    """
    modules = {layer: find_layer(model, layer) for layer in layers}
    outputs: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(partial(_keep, outputs, layer))
        for layer, module in modules.items()
    ]
    try:
        with evaluation_mode(model):
            yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def activations(
    model: nn.Module, images: Tensor, layers: Sequence[str]
) -> dict[str, Tensor]:
    """The outputs of some layers for a batch of images.

    Args:
        model: any network; it is left as it was.
        images: what the network takes, normalised as in training: float (B, C, H, W).
        layers: names as ``layer_names`` gives them.

    Returns:
        By layer, in the order of ``layers``: float32 on the CPU; of a convolution or
            the ReLU after it (B, maps, h, w).

    Raises:
        ModelError: as ``capture``; also where the forward pass does not reach a layer.
    """
    with torch.no_grad(), capture(model, layers) as outputs:
        model(images.to(device_of(model)))
    unused = [layer for layer in layers if layer not in outputs]
    if unused:
        raise ModelError(
            f"The forward pass of {type(model).__name__} does not use layer "
            f"{', '.join(unused)}."
        )
    return {layer: outputs[layer].float().cpu() for layer in layers}


def strongest_maps(maps: Tensor, count: int) -> Tensor:
    """The indices of the ``count`` maps (n, h, w) with the largest mean absolute value,
    in the layer's order.
    """
    return maps.abs().mean(dim=(1, 2)).topk(min(count, len(maps))).indices.sort().values


def _keep(
    outputs: dict[str, Tensor],
    layer: str,
    _module: nn.Module,
    _inputs: Any,
    output: Any,
) -> None:
    if not isinstance(output, Tensor):
        raise ModelError(
            f"Layer {layer!r} puts out a {type(output).__name__}, not one tensor: "
            "choose a layer within it."
        )
    # A copy, for a ReLU that works in place writes over the output of the convolution
    # before it.
    outputs[layer] = output.detach().clone()
