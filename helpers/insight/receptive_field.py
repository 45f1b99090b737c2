"""The receptive field of a layer: the part of the image that one of its units sees.

After Araujo, Norris and Sim: Computing Receptive Fields of Convolutional Neural
Networks (Distill 2019). Along each side of the image, a layer has the *size* of a
unit's field, the *stride* from one unit's field to the next, and the *start* of the
first one. A convolution or pooling with kernel k, dilation d, stride s and padding p
makes of them

    size + (k - 1) · d · stride,    stride · s,    start - p · stride.

Where branches meet, a unit sees what it sees along any of them.
``helpers.insight.footprint`` finds the same by experiment.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from helpers.insight.activations import capture

aten = torch.ops.aten
WINDOWS = {
    aten.convolution,
    aten.max_pool2d_with_indices,
    aten.avg_pool2d,
    aten._adaptive_avg_pool2d,  # noqa: SLF001
    aten.adaptive_max_pool2d,
}
# These keep a map's size although each value depends on the whole map.
OVER_THE_MAP = {aten.native_group_norm, aten.native_layer_norm}
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
    ) -> ReceptiveField:
        """After a convolution or pooling that makes ``units`` of these."""
        size = self.size + (kernel - 1) * dilation * self.stride
        start = self.start - padding * self.stride
        end = start + (units - 1) * stride * self.stride + size
        seen = max(start, self.seen[0]), min(end, self.seen[1])
        return ReceptiveField(size, stride * self.stride, start, units, seen)

    def everything(self, units: int) -> ReceptiveField:
        """After an operation in which each of ``units`` sees all of these."""
        size = self.size + (self.units - 1) * self.stride
        return replace(self, size=size, stride=0, units=units)

    def union(self, other: ReceptiveField) -> ReceptiveField:
        """Where two branches meet: what is seen along either."""
        if self.units != other.units or self.stride != other.stride:
            # The fields drift apart from unit to unit: take them whole.
            units = max(self.units, other.units)
            return self.everything(units).union(other.everything(units))
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        seen = min(self.seen[0], other.seen[0]), max(self.seen[1], other.seen[1])
        return replace(self, size=end - start, start=start, seen=seen)


def receptive_field(
    model: nn.Module, layer: str, image_size: int, channels: int = 3
) -> ReceptiveField:
    """The receptive field of a layer or block, at its last use in a pass.

    The forward pass is followed operation by operation, on shapes alone. Convolutions
    and pooling follow the recursion; what keeps a map's size works on each position by
    itself; after anything else (a fully connected layer, a global mean, padding,
    pooling into uneven bins, filters or maps that are not square) a unit is taken to
    see all that its input sees.

    Raises:
        ModelError: the model has no such layer, the forward pass does not reach it, or
            its output is not one tensor.
    """
    shapes, trace = copy.deepcopy(model), _Trace()
    images = torch.empty(1, channels, image_size, image_size, device="meta")
    pixels = (0, image_size)
    trace.fields[images] = ReceptiveField(1, 1, start=0, units=image_size, seen=pixels)
    with torch.no_grad(), capture(shapes, [layer]) as outputs:
        shapes.to("meta")
        with trace:
            shapes(images)
    field: ReceptiveField = trace.fields[outputs[layer]]
    return field


class _Trace(TorchDispatchMode):
    """Within the block, each tensor that comes from the image has a field.

    This sees basic operations, to which all ways to write a pooling come down.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fields = WeakTensorKeyDictionary()

    def __torch_dispatch__(
        self,
        func: Any,
        _types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        given = [v for v in tree_leaves((args, kwargs)) if isinstance(v, Tensor)]
        if seen := [self.fields[v] for v in given if v in self.fields]:
            field = reduce(ReceptiveField.union, seen)
            for tensor in tree_leaves(out):
                height, width = tensor.shape[-2:] if tensor.ndim >= 4 else (1, 1)
                units = height if height == width else 1
                self.fields[tensor] = _after(func.overloadpacket, args, field, units)
        return out


def _after(
    operation: Any, args: Sequence[Any], field: ReceptiveField, units: int
) -> ReceptiveField:
    """What an operation makes of the field of its input; its map has ``units``."""
    if operation in WINDOWS:
        window = _window(operation, args, field.units, units)
        return field.window(*window, units) if window else field.everything(units)
    if operation in OVER_THE_MAP or field.units != units:
        return field.everything(units)
    return field


def _window(
    operation: Any, args: Sequence[Any], before: int, after: int
) -> tuple[int, int, int, int] | None:
    """Kernel, stride, padding and dilation, if each is one number for both sides."""
    if operation is aten.convolution:
        _, weight, _, stride, padding, dilation, transposed = args[:7]
        if transposed or weight.ndim != 4:
            return None
        window = [weight.shape[-2:], stride, padding, dilation]
    elif operation in (aten.max_pool2d_with_indices, aten.avg_pool2d):
        # What follows the padding of average pooling is no dilation.
        given = args[1:4] if operation is aten.avg_pool2d else args[1:5]
        defaults: list[Any] = [[], 0, 1]  # stride (as the kernel), padding, dilation
        kernel, stride, padding, dilation = [*given, *defaults[len(given) - 1 :]]
        window = [kernel, stride or kernel, padding, dilation]
    elif before % after:
        return None
    else:
        window = [before // after, before // after, 0, 1]
    sides = [{side} if isinstance(side, int) else set(side) for side in window]
    if any(len(side) > 1 for side in sides):
        return None
    kernel, stride, padding, dilation = (side.pop() for side in sides)
    return kernel, stride, padding, dilation
