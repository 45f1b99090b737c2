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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from helpers.insight.activations import find_layer, unused

aten = torch.ops.aten
Pair = Sequence[int]  # for rows, for columns
Window = tuple[Pair, Pair, Pair, Pair]  # kernel, stride, padding, dilation
Box = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; bottom and right are the first outside."""


@dataclass(frozen=True)
class Axis:
    """The fields of a row or column of units, in pixels along one side of the image.

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

    def field(self, unit: int | None = None) -> tuple[int, int]:
        """First pixel that a unit (None: the middle one) sees, and the first after."""
        first = self.start + self.stride * (self.units // 2 if unit is None else unit)
        return max(first, self.seen[0]), min(first + self.size, self.seen[1])

    def window(
        self, kernel: int, stride: int, padding: int, dilation: int, units: int
    ) -> Axis:
        """After a convolution or pooling that makes ``units`` of these."""
        size = self.size + (kernel - 1) * dilation * self.stride
        start = self.start - padding * self.stride
        end = start + (units - 1) * stride * self.stride + size
        seen = max(start, self.seen[0]), min(end, self.seen[1])
        return Axis(size, stride * self.stride, start, units, seen)

    def everything(self, units: int) -> Axis:
        """After an operation in which each of ``units`` sees all of these."""
        size = self.size + (self.units - 1) * self.stride
        return replace(self, size=size, stride=0, units=units)

    def union(self, other: Axis) -> Axis:
        """Where two branches meet: what is seen along either."""
        if self.units != other.units or self.stride != other.stride:
            # The fields drift apart from unit to unit: take them whole.
            units = max(self.units, other.units)
            return self.everything(units).union(other.everything(units))
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        seen = min(self.seen[0], other.seen[0]), max(self.seen[1], other.seen[1])
        return replace(self, size=end - start, start=start, seen=seen)


@dataclass(frozen=True)
class ReceptiveField:
    """What the units of one layer see of the image, from top to bottom and from left to
    right.
    """

    rows: Axis
    columns: Axis

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a unit's field in pixels, the padding included."""
        return self.rows.size, self.columns.size

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels from one unit's field to the next, down and to the right."""
        return self.rows.stride, self.columns.stride

    def box(self, row: int | None = None, column: int | None = None) -> Box:
        """What the unit at ``row`` and ``column`` (None: the middle) sees."""
        top, bottom = self.rows.field(row)
        left, right = self.columns.field(column)
        return top, left, bottom, right


def receptive_field(
    model: nn.Module, layer: str, image_size: int, channels: int = 3
) -> ReceptiveField:
    """The receptive field of one layer; see ``receptive_fields``.

    Raises:
        ModelError: the model has no such layer, or the forward pass does not reach it.
    """
    find_layer(model, layer)
    fields = receptive_fields(model, image_size, channels)
    if layer not in fields:
        raise unused(model, layer)
    return fields[layer]


def receptive_fields(
    model: nn.Module, image_size: int, channels: int = 3
) -> dict[str, ReceptiveField]:
    """The receptive fields of all layers and blocks, in the order in which the forward
    pass finishes them.

    The forward pass is followed operation by operation, on shapes alone. Convolutions
    and pooling follow the recursion; what keeps a map's size works on each position by
    itself; after anything else (a fully connected layer, a global mean, padding,
    pooling into uneven bins) a unit is taken to see all that its input sees.

    Returns:
        By name, of each layer whose output is one tensor, the field of its last use.
    """
    shapes = copy.deepcopy(model).eval().to("meta")
    trace = _Trace()
    fields: dict[str, ReceptiveField] = {}

    def note(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if field := trace.get(output):
            fields.pop(name, None)
            fields[name] = field

    for name, module in shapes.named_modules():
        if name:
            module.register_forward_hook(partial(note, name))
    images = torch.empty(1, channels, image_size, image_size, device="meta")
    pixels = Axis(size=1, stride=1, start=0, units=image_size, seen=(0, image_size))
    trace.put(images, ReceptiveField(pixels, pixels))
    with torch.no_grad(), trace:
        shapes(images)
    return fields


class _Trace(TorchDispatchMode):
    """Within the block, each tensor that comes from the image has a field.

    This sees basic operations, to which all ways to write a pooling come down.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # With the tensors, whose identities are else given away again.
        self._fields: dict[int, tuple[Tensor, ReceptiveField]] = {}

    def put(self, tensor: Tensor, field: ReceptiveField) -> None:
        self._fields[id(tensor)] = (tensor, field)

    def get(self, value: Any) -> ReceptiveField | None:
        known = self._fields.get(id(value))
        return known[1] if known else None

    def __torch_dispatch__(
        self,
        func: Any,
        _types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        seen = [field for v in tree_leaves((args, kwargs)) if (field := self.get(v))]
        if seen:
            rows = reduce(Axis.union, (field.rows for field in seen))
            columns = reduce(Axis.union, (field.columns for field in seen))
            for tensor in tree_leaves(out):
                units = tuple(tensor.shape[-2:]) if tensor.ndim >= 4 else (1, 1)
                axes = _after(func.overloadpacket, args, (rows, columns), units)
                self.put(tensor, ReceptiveField(*axes))
        return out


def _after(
    operation: Any, args: Sequence[Any], axes: tuple[Axis, Axis], units: Pair
) -> list[Axis]:
    """What an operation makes of the rows and columns; its map has ``units``."""
    sizes = [axis.units for axis in axes]
    window = _WINDOWS[operation](args, sizes, units) if operation in _WINDOWS else None
    if window is not None:
        numbers = zip(*window, units, strict=True)
        return [axis.window(*of) for axis, of in zip(axes, numbers, strict=True)]
    if operation in _OVER_THE_MAP or sizes != list(units):
        return [axis.everything(new) for axis, new in zip(axes, units, strict=True)]
    return list(axes)


def _convolution(args: Sequence[Any], _sizes: Pair, _units: Pair) -> Window | None:
    _, weight, _, stride, padding, dilation, transposed = args[:7]
    if transposed or weight.ndim != 4:
        return None
    return weight.shape[-2:], _pair(stride), _pair(padding), _pair(dilation)


def _max_pooling(args: Sequence[Any], _sizes: Pair, _units: Pair) -> Window:
    defaults: list[Any] = [[], 0, 1]  # stride (the kernel's size), padding, dilation
    kernel, stride, padding, dilation = [*args[1:5], *defaults[len(args) - 2 :]]
    return _pair(kernel), _pair(stride or kernel), _pair(padding), _pair(dilation)


def _average_pooling(args: Sequence[Any], sizes: Pair, units: Pair) -> Window:
    return _max_pooling(args[:4], sizes, units)  # what follows there is no dilation


def _adaptive_pooling(_args: Sequence[Any], sizes: Pair, units: Pair) -> Window | None:
    if any(size % new for size, new in zip(sizes, units, strict=True)):
        return None
    bins = [size // new for size, new in zip(sizes, units, strict=True)]
    return bins, bins, (0, 0), (1, 1)


def _pair(value: int | Sequence[int]) -> Pair:
    values = [value] if isinstance(value, int) else list(value)
    return values * 2 if len(values) == 1 else values


_WINDOWS: dict[Any, Callable[[Sequence[Any], Pair, Pair], Window | None]] = {
    aten.convolution: _convolution,
    aten.max_pool2d_with_indices: _max_pooling,
    aten.avg_pool2d: _average_pooling,
    aten._adaptive_avg_pool2d: _adaptive_pooling,  # noqa: SLF001
    aten.adaptive_max_pool2d: _adaptive_pooling,
}
# These keep a map's size although each value depends on the whole map.
_OVER_THE_MAP = {aten.native_group_norm, aten.native_layer_norm}
