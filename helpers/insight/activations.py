"""What the layers of a network put out when it sees an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.training.evaluate import evaluation_mode


def conv_layers(model: nn.Module) -> list[str]:
    """The names of the two-dimensional convolutions, in the model's order."""
    return [
        name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)
    ]


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; the CPU for a model without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def find_layer(model: nn.Module, layer: str) -> nn.Module:
    """The module of that name.

    Raises:
        ModelError: the model has none; the message lists its layers.
    """
    modules: dict[str, nn.Module] = dict(model.named_modules())
    del modules[""]
    if layer not in modules:
        raise ModelError(
            f"{type(model).__name__} has no layer {layer!r}: known are "
            f"{', '.join(modules)}."
        )
    return modules[layer]


def unused(model: nn.Module, *layers: str) -> ModelError:
    """The error that the forward pass does not use some layers."""
    return ModelError(
        f"The forward pass of {type(model).__name__} does not use layer "
        f"{', '.join(layers)}."
    )


def output_shapes(model: nn.Module, images: Tensor) -> dict[str, tuple[int, ...]]:
    """The shapes of the layers' outputs for one of ``images`` (B, C, H, W).

    Returns:
        By layer, in the model's order: (maps, h, w) or (units,), for innermost layers
        that the forward pass reaches and whose output is one tensor.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    leaves = {
        name: module
        for name, module in model.named_modules()
        if name and not list(module.children())
    }

    def keep(layer: str, output: Any) -> None:
        if isinstance(output, Tensor):
            shapes[layer] = tuple(output.shape[1:])

    with torch.no_grad(), _hooked(model, leaves, keep):
        model(images[:1].to(device_of(model)))
    return {name: shapes[name] for name in leaves if name in shapes}


def has_positions(shape: Sequence[int]) -> bool:
    """Whether an output of this shape is maps of more than one position."""
    return len(shape) == 3 and tuple(shape[1:]) > (1, 1)


def layers_with_maps(model: nn.Module, images: Tensor) -> list[str]:
    """The layers of ``output_shapes`` with maps of more than one position."""
    shapes = output_shapes(model, images)
    return [name for name, shape in shapes.items() if has_positions(shape)]


@contextmanager
def capture(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Within the block, in evaluation mode, each forward pass leaves copies of the
    outputs of ``layers`` in the yielded dictionary.

    Of a layer that is used several times in one pass the last output counts; that of a
    convolution is from before an in-place ReLU.

    Raises:
        ModelError: the model has no such layer, or a layer's output is not one tensor.
    """
    outputs: dict[str, Tensor] = {}

    def keep(layer: str, output: Any) -> None:
        if not isinstance(output, Tensor):
            raise ModelError(
                f"Layer {layer!r} outputs a {type(output).__name__}, not one tensor: "
                "choose a layer within it."
            )
        outputs[layer] = output.detach().clone()  # before a ReLU writes over it

    with _hooked(model, {name: find_layer(model, name) for name in layers}, keep):
        yield outputs


def activations(
    model: nn.Module, images: Tensor, layers: Sequence[str]
) -> dict[str, Tensor]:
    """The outputs of some layers for a batch of images.

    Args:
        model: any network; it is left as it was.
        images: normalised: float (B, C, H, W).
        layers: names as ``named_modules`` gives them.

    Returns:
        By layer, in the order of ``layers``: float32 on the CPU.

    Raises:
        ModelError: as ``capture``; also where the forward pass does not reach a layer.
    """
    with torch.no_grad(), capture(model, layers) as outputs:
        model(images.to(device_of(model)))
    if missing := [layer for layer in layers if layer not in outputs]:
        raise unused(model, *missing)
    return {layer: outputs[layer].float().cpu() for layer in layers}


def strongest_maps(maps: Tensor, count: int) -> Tensor:
    """The indices of the ``count`` maps (n, h, w) of largest mean absolute value."""
    return maps.abs().mean(dim=(1, 2)).topk(min(count, len(maps))).indices.sort().values


@contextmanager
def _hooked(
    model: nn.Module,
    modules: Mapping[str, nn.Module],
    keep: Callable[[str, Any], None],
) -> Iterator[None]:
    """Within the block, the model is in evaluation mode and ``keep`` sees outputs."""

    def hook(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        keep(name, output)

    hooks = [
        m.register_forward_hook(partial(hook, name)) for name, m in modules.items()
    ]
    try:
        with evaluation_mode(model):
            yield
    finally:
        for handle in hooks:
            handle.remove()
