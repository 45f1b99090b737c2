"""The outputs of a network's layers when it sees an image."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError, require_known
from helpers.training.evaluate import evaluation_mode


def conv_layers(model: nn.Module) -> list[str]:
    """The names of the two-dimensional convolutions, in the model's order."""
    return [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]


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
    require_known(ModelError, f"{type(model).__name__} has no layer", layer, modules)
    return modules[layer]


class _Captured(dict[str, Tensor]):
    """Outputs by layer; one that is not there is a ModelError that says why."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = type(model).__name__

    def __missing__(self, layer: str) -> Tensor:
        raise ModelError(
            f"The forward pass of {self._model} does not use layer {layer}, or the "
            "layer's output is not one tensor: choose another, or a layer within it."
        )


@contextmanager
def capture(
    model: nn.Module, layers: Sequence[str], *, before_relu: bool = False
) -> Iterator[dict[str, Tensor]]:
    """Within the block, in evaluation mode, each forward pass leaves copies of the
    outputs of ``layers`` in the yielded dictionary.

    Layers are named as by ``named_modules``. Of one that is used several times in a
    pass the last output counts; that of a convolution is from before an in-place ReLU.
    ``before_relu`` takes a ReLU's input. The model is left as it was.
    """
    found = _Captured(model)
    modules = {layer: find_layer(model, layer) for layer in layers}

    def keep(layer: str, _module: nn.Module, inputs: Any, *outputs: Any) -> None:
        value = outputs[0] if outputs else inputs[0]
        if isinstance(value, Tensor):
            found[layer] = value.clone()  # before a ReLU writes over it

    with ExitStack() as stack:
        stack.enter_context(evaluation_mode(model))
        for layer, module in modules.items():
            early = before_relu and isinstance(module, (nn.ReLU, nn.ReLU6))
            when = "forward_pre" if early else "forward"
            hook = getattr(module, f"register_{when}_hook")
            stack.callback(hook(partial(keep, layer)).remove)
        yield found


def activations(
    model: nn.Module, images: Tensor, layers: Sequence[str]
) -> dict[str, Tensor]:
    """The outputs of some layers, in that order, for normalised images (B, C, H, W):
    float32 on the CPU.

    Raises:
        ModelError: the model has no such layer, the forward pass does not reach it, or
            its output is not one tensor.
    """
    with torch.no_grad(), capture(model, layers) as outputs:
        model(images.to(device_of(model)))
    return {layer: outputs[layer].float().cpu() for layer in layers}


def output_shapes(model: nn.Module, images: Tensor) -> dict[str, tuple[int, ...]]:
    """The shapes of the layers' outputs for one of ``images`` (B, C, H, W).

    Returns:
        By layer, in the model's order: (maps, h, w) or (units,), for innermost layers
        that the forward pass reaches and whose output is one tensor.
    """
    leaves = [n for n, m in model.named_modules() if n and not list(m.children())]
    with torch.no_grad(), capture(model, leaves) as outputs:
        model(images[:1].to(device_of(model)))
    return {name: outputs[name].shape[1:] for name in leaves if name in outputs}


def has_positions(shape: Sequence[int]) -> bool:
    """Whether an output of this shape is maps of more than one position."""
    return len(shape) == 3 and tuple(shape[1:]) > (1, 1)


def strongest_maps(maps: Tensor, count: int) -> Tensor:
    """The indices of the ``count`` maps (n, h, w) of largest mean absolute value."""
    return maps.abs().mean(dim=(1, 2)).topk(min(count, len(maps))).indices.sort().values
