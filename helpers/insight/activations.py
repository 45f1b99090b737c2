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
    """The names of all layers and groups of layers, in the order in which the model defines them."""
    return [name for name, _ in model.named_modules() if name]


def conv_layers(model: nn.Module) -> list[str]:
    """The names of the two-dimensional convolutions, in the order in which the model defines them."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]


@contextmanager
def capture(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Within the block, each forward pass leaves the outputs of ``layers`` in the yielded dictionary.

    The model is in evaluation mode within the block; afterwards every module is in the mode it was in
    before, and no hook is left, whatever happened. A layer that is used several times in one pass
    leaves its last output. What a convolution puts out is captured before its ReLU; the maps after the ReLU
    are the output of the ReLU's own module.

    Args:
        model: any network.
        layers: names as ``layer_names`` gives them.

    Yields:
        The outputs by layer: detached copies, on the model's device.

    Raises:
        ModelError: the model has no such layer, or a layer's output is not one tensor.
    """
    modules = dict(model.named_modules())
    unknown = [layer for layer in layers if layer not in modules or not layer]
    if unknown:
        known = ", ".join(layer_names(model))
        raise ModelError(f"{type(model).__name__} has no layer {', '.join(map(repr, unknown))}: known are {known}.")
    outputs: dict[str, Tensor] = {}
    hooks = [modules[layer].register_forward_hook(partial(_keep, outputs, layer)) for layer in layers]
    try:
        with evaluation_mode(model):
            yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def activations(model: nn.Module, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """The outputs of some layers for a batch of images.

    Args:
        model: any network; it is left as it was.
        images: what the network takes, normalised as in training: float (B, C, H, W).
        layers: names as ``layer_names`` gives them.

    Returns:
        By layer, in the order of ``layers``: float32 on the CPU; of a convolution or the ReLU after it (B, maps, h, w).

    Raises:
        ModelError: as ``capture``; also where the forward pass does not reach a layer.
    """
    device = next((parameter.device for parameter in model.parameters()), images.device)
    with torch.no_grad(), capture(model, layers) as outputs:
        model(images.to(device))
    unused = [layer for layer in layers if layer not in outputs]
    if unused:
        raise ModelError(f"The forward pass of {type(model).__name__} does not use layer {', '.join(unused)}.")
    return {layer: outputs[layer].float().cpu() for layer in layers}


def _keep(outputs: dict[str, Tensor], layer: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
    if not isinstance(output, Tensor):
        raise ModelError(
            f"Layer {layer!r} puts out a {type(output).__name__}, not one tensor: choose a layer within it."
        )
    # A copy, for a ReLU that works in place writes over the output of the convolution before it.
    outputs[layer] = output.detach().clone()
