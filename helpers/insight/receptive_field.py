"""The receptive field of a layer: the part of the image that one of its units sees.

After Araujo, Norris and Sim: Computing Receptive Fields of Convolutional Neural
Networks (Distill 2019). Along each side of the image, a layer has the *size* of a
unit's field, the *stride* from one unit's field to the next, and the *start* of the
first one. A convolution or pooling with kernel k, dilation d, stride s and padding p
makes of them

    size + (k - 1) · d · stride,    stride · s,    start - p · stride.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from helpers.insight.activations import capture, device_of

aten = torch.ops.aten
WINDOWS = (aten.convolution, aten.max_pool2d_with_indices, aten.avg_pool2d)
HIDING = (_BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.ReLU, nn.ReLU6)
Box = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; bottom and right are the first outside."""


@dataclass(frozen=True)
class ReceptiveField:
    """What the units of one layer see of a square image, in pixels along each side.

    Attributes:
        size: of a unit's field, padding included.
        stride: from one unit's field to the next; 0 where all see the same.
        start: first pixel of the first unit's field; negative in the padding.
        units: how many there are.
        seen: first pixel of the image that any unit sees, and the first after the last
            one: a stride may leave out pixels at the edge.
    """

    size: int
    stride: int
    start: int
    units: int
    seen: tuple[int, int]

    def box(self) -> Box:
        """What the unit in the middle sees."""
        start = self.start + self.stride * (self.units // 2)
        first, end = max(start, self.seen[0]), min(start + self.size, self.seen[1])
        return first, first, end, end

    def window(
        self, kernel: int, stride: int, padding: int, dilation: int, units: int
    ) -> Self:
        """After a convolution or pooling that makes ``units`` of these."""
        size = self.size + (kernel - 1) * dilation * self.stride
        start = self.start - padding * self.stride
        end = start + (units - 1) * stride * self.stride + size
        seen = max(start, self.seen[0]), min(end, self.seen[1])
        return type(self)(size, stride * self.stride, start, units, seen)

    def everything(self, units: int) -> Self:
        """After an operation in which each of ``units`` sees all of these."""
        size = self.size + (self.units - 1) * self.stride
        return replace(self, size=size, stride=0, units=units)

    def union(self, other: Self) -> Self:
        """Where two branches meet: what is seen along either."""
        if self.units != other.units or self.stride != other.stride:
            # The fields drift apart from unit to unit: take them whole.
            units = max(self.units, other.units)
            return self.everything(units).union(other.everything(units))
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        seen = min(self.seen[0], other.seen[0]), max(self.seen[1], other.seen[1])
        return replace(self, size=end - start, start=start, seen=seen)


def receptive_field(model: nn.Module, layer: str, image_size: int) -> ReceptiveField:
    """The receptive field of a layer or block, at its last use in a pass.

    The forward pass is followed operation by operation. Convolutions and pooling with
    square windows follow the recursion; what keeps a map's size is taken to work on
    each position by itself; after anything else (a fully connected layer, a global
    mean, adaptive pooling, padding) a unit is taken to see all that its input sees.

    Raises:
        ModelError: the model has no such layer, or the forward pass does not reach it.
    """
    shape = 1, _channels(model), image_size, image_size
    images = torch.zeros(shape, device=device_of(model))
    fields = WeakTensorKeyDictionary()
    fields[images] = ReceptiveField(1, 1, 0, units=image_size, seen=(0, image_size))
    with torch.no_grad(), capture(model, [layer]) as outputs, _Trace(fields):
        model(images)
    field: ReceptiveField = fields[outputs[layer]]
    return field


def _channels(model: nn.Module) -> int:
    found = (m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d))
    return next(found, 3)


class _Trace(TorchDispatchMode):
    """Within the block, each tensor that is computed from the image gets a field."""

    def __init__(self, fields: WeakTensorKeyDictionary) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fields = fields

    def __torch_dispatch__(
        self,
        func: Any,
        _types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if seen := [self.fields[v] for v in _flat((args, kwargs)) if v in self.fields]:
            field = reduce(ReceptiveField.union, seen)
            for tensor in _flat(out):
                height, width = tensor.shape[-2:] if tensor.ndim >= 4 else (1, 1)
                units = height if height == width else 1
                self.fields[tensor] = _after(func, args, field, units)
        return out


def _flat(tree: Any) -> list[Tensor]:
    return [v for v in tree_leaves(tree) if isinstance(v, Tensor)]


def _after(
    operation: Any, args: Sequence[Any], field: ReceptiveField, units: int
) -> ReceptiveField:
    """What an operation makes of the field of its input; its map has ``units``."""
    if operation.overloadpacket not in WINDOWS:
        return field if field.units == units else field.everything(units)
    parameters = operation._schema.arguments  # noqa: SLF001
    given = {one.name: one.default_value for one in parameters}
    given |= zip(given, args, strict=False)
    kernel = given["weight"].shape[2:] if "weight" in given else given["kernel_size"]
    stride, dilation = given["stride"] or kernel, given.get("dilation", [1, 1])
    window = [*zip(kernel, stride, given["padding"], dilation, strict=True)]
    if given.get("transposed") or len(set(window)) > 1:
        return field.everything(units)
    return field.window(*window[0], units)


def gradient_footprint(model: nn.Module, layer: str, image_size: int) -> Tensor:
    """How much each pixel matters to the middle unit of a layer's map: the gradient at
    a copy of the network in which nothing hides a path.

    Its weights are positive, normalisation and ReLU are left out, and ``nn.MaxPool2d``
    averages: the pixels with a gradient are the receptive field, the values say how
    many paths lead from a pixel to the unit.

    Returns:
        float32 (image_size, image_size), at least 0.
    """
    linear = copy.deepcopy(model).to("cpu", torch.float32)
    _open_all_paths(linear)
    # Close to zero, where ReLU6 and its like are not yet saturated.
    shape = 1, _channels(model), image_size, image_size
    images = torch.full(shape, 1e-6, requires_grad=True)
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
            if isinstance(module, HIDING):
                parent.add_module(name, nn.Identity())
            elif isinstance(module, nn.MaxPool2d):
                average = nn.AvgPool2d(
                    module.kernel_size, module.stride, module.padding, module.ceil_mode
                )
                parent.add_module(name, average)
