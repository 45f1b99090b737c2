"""The receptive field of a layer: the part of the image that one of its units sees.

It is derived from the operations between image and layer, by the recursion of A.
Araujo, W. Norris, J. Sim: Computing Receptive Fields of Convolutional Neural Networks
(Distill 2019). Along each side of the image, the units of a layer have three numbers in
common: the *size* of a unit's field, the *stride* from one unit's field to the next,
and the *start* of the first one. A convolution or pooling with kernel k, dilation d,
stride s and padding p makes of them

    size + (k - 1) · d · stride,    stride · s,    start - p · stride.

Where branches meet (added, multiplied, concatenated), a unit sees what it sees along
any of them. ``helpers.insight.footprint`` finds the same by experiment.
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

from helpers.base.errors import ModelError
from helpers.insight.activations import find_layer

aten = torch.ops.aten
Pair = Sequence[int]  # for rows, for columns
Window = tuple[Pair, Pair, Pair, Pair]  # kernel, stride, padding, dilation
Box = tuple[
    int, int, int, int
]  # top, left, bottom, right, in pixels; bottom and right are the first outside


@dataclass(frozen=True)
class Axis:
    """The fields of a row or column of units, in pixels along one side of the image.

    Attributes:
        size: pixels that a unit sees, those of the padding included.
        stride: pixels from one unit's field to the next one's; 0 where all see the
            same.
        start: first pixel of the first unit's field; negative in the padding.
        units: how many units there are.
        seen: first pixel of the image that any unit sees, and the first after the last
            one: a stride may leave out pixels at the edge.
    """

    size: int
    stride: int
    start: int
    units: int
    seen: tuple[int, int]

    def field(self, unit: int | None = None) -> tuple[int, int]:
        """First pixel of the image that a unit sees, and the first after the last one;
        None takes the middle unit.
        """
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
        return Axis(
            self.size + (self.units - 1) * self.stride, 0, self.start, units, self.seen
        )

    def union(self, other: Axis) -> Axis:
        """Where two branches meet: what is seen along either."""
        if self.units != other.units or self.stride != other.stride:
            # The fields drift apart from unit to unit, or one value goes to all units:
            # take them whole.
            units = max(self.units, other.units)
            return self.everything(units).hull(other.everything(units))
        return self.hull(other)

    def hull(self, other: Axis) -> Axis:
        """The smallest fields that hold these and the other's, which lie at the same
        stride.
        """
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        seen = min(self.seen[0], other.seen[0]), max(self.seen[1], other.seen[1])
        return replace(self, size=end - start, start=start, seen=seen)


Axes = tuple[Axis, Axis]


@dataclass(frozen=True)
class ReceptiveField:
    """What the units of one layer see of the image.

    Attributes:
        rows: the fields from top to bottom.
        columns: the fields from left to right.
    """

    rows: Axis
    columns: Axis

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a unit's field in pixels, as if the image went on beyond
        its edges.
        """
        return self.rows.size, self.columns.size

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels from one unit's field to that of the next below, and of the next to
        the right.
        """
        return self.rows.stride, self.columns.stride

    @property
    def start(self) -> tuple[int, int]:
        """Row and column of the first pixel of the first unit's field; negative in the
        padding.
        """
        return self.rows.start, self.columns.start

    @property
    def map_size(self) -> tuple[int, int]:
        """Rows and columns of the layer's map; (1, 1) of a layer without one."""
        return self.rows.units, self.columns.units

    def box(self, row: int | None = None, column: int | None = None) -> Box:
        """What one unit sees within the image: top, left, bottom, right; the last two
        are the first outside.

        Args:
            row: of the unit in the map, from 0; None takes the middle one.
            column: likewise.
        """
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
        raise ModelError(
            f"The forward pass of {type(model).__name__} does not use layer {layer}."
        )
    return fields[layer]


def receptive_fields(
    model: nn.Module, image_size: int, channels: int = 3
) -> dict[str, ReceptiveField]:
    """The receptive fields of all layers and groups of layers, in the order in which
    the forward pass finishes them.

    The forward pass is followed operation by operation, on shapes alone, so that any
    program of layers will do, branches included. Convolutions, pooling and padding
    follow the recursion; what leaves a map's height and width as they are works on each
    position by itself; after anything else (a fully connected layer, a mean over the
    map, pooling into bins of uneven size, normalisation over the map) a unit is taken
    to see all that its input sees.

    Args:
        model: any network; it is left as it was.
        image_size: side of the square images in pixels.
        channels: channels of an image.

    Returns:
        By name, of each layer that puts out one tensor. A layer that is used several
        times has the field of its last use.
    """
    shapes = copy.deepcopy(model).eval().to("meta")
    trace = _Trace()
    fields: dict[str, ReceptiveField] = {}
    for name, module in shapes.named_modules():
        if name:
            module.register_forward_hook(partial(_note, trace, fields, name))
    images = torch.empty(1, channels, image_size, image_size, device="meta")
    pixels = Axis(size=1, stride=1, start=0, units=image_size, seen=(0, image_size))
    trace.put(images, ReceptiveField(pixels, pixels))
    with torch.no_grad(), trace:
        shapes(images)
    return fields


def _note(
    trace: _Trace,
    fields: dict[str, ReceptiveField],
    name: str,
    _module: nn.Module,
    _inputs: Any,
    output: Any,
) -> None:
    field = trace.get(output)
    if field is not None:
        fields.pop(name, None)
        fields[name] = field


class _Trace(TorchDispatchMode):
    """Within the block, each tensor that comes from the image has a field.

    This sees PyTorch's basic operations: all the ways to write ReLU or a pooling arrive
    here as one or two.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch has no annotation there
        # The tensors are kept: a new one could otherwise have the identity of one that
        # is gone.
        self._fields: dict[int, tuple[Tensor, ReceptiveField]] = {}

    def put(self, tensor: Tensor, field: ReceptiveField) -> None:
        self._fields[id(tensor)] = (tensor, field)

    def get(self, value: Any) -> ReceptiveField | None:
        known = self._fields.get(id(value))
        return None if known is None else known[1]

    def __torch_dispatch__(
        self,
        func: Any,
        _types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        seen = [
            field
            for value in tree_leaves((args, kwargs))
            if (field := self.get(value)) is not None
        ]
        out = func(*args, **(kwargs or {}))
        if seen:
            rows = reduce(Axis.union, (field.rows for field in seen))
            columns = reduce(Axis.union, (field.columns for field in seen))
            for tensor in tree_leaves(out):
                units = tuple(tensor.shape[-2:]) if tensor.ndim >= 4 else (1, 1)
                axes = _after(func.overloadpacket, args, (rows, columns), units)
                self.put(tensor, ReceptiveField(*axes))
        return out


def _after(
    operation: Any, args: Sequence[Any], axes: Axes, units: Sequence[int]
) -> Axes:
    """The rows and columns that an operation makes of ``axes``; ``units`` is the size
    of the new map.
    """
    window = _WINDOWS[operation](args, axes, units) if operation in _WINDOWS else None
    if window is not None:
        rows, columns = (
            axis.window(*numbers)
            for axis, *numbers in zip(axes, *window, units, strict=True)
        )
        return rows, columns
    if operation in _OVER_THE_MAP or any(
        axis.units != new for axis, new in zip(axes, units, strict=True)
    ):
        return axes[0].everything(units[0]), axes[1].everything(units[1])
    return axes


def _convolution(
    args: Sequence[Any], _axes: Axes, _units: Sequence[int]
) -> Window | None:
    _, weight, _, stride, padding, dilation, transposed = args[:7]
    if transposed or weight.ndim != 4:
        return None
    return weight.shape[-2:], _pair(stride), _pair(padding), _pair(dilation)


def _pooling(args: Sequence[Any], _axes: Axes, _units: Sequence[int]) -> Window | None:
    given = dict(
        zip(("maps", "kernel", "stride", "padding", "dilation"), args, strict=False)
    )
    kernel, padding, dilation = (
        given["kernel"],
        given.get("padding", 0),
        given.get("dilation", 1),
    )
    stride = given.get("stride") or kernel  # an empty list if left out
    return _pair(kernel), _pair(stride), _pair(padding), _pair(dilation)


def _average_pooling(
    args: Sequence[Any], axes: Axes, units: Sequence[int]
) -> Window | None:
    return _pooling(args[:4], axes, units)  # what follows there is no dilation


def _adaptive_pooling(
    _args: Sequence[Any], axes: Axes, units: Sequence[int]
) -> Window | None:
    if any(axis.units % new for axis, new in zip(axes, units, strict=True)):
        return None
    bins = [axis.units // new for axis, new in zip(axes, units, strict=True)]
    return bins, bins, (0, 0), (1, 1)


def _padding(args: Sequence[Any], _axes: Axes, _units: Sequence[int]) -> Window | None:
    left, _, top, _ = [*args[1], 0, 0][:4]
    return (1, 1), (1, 1), (top, left), (1, 1)


def _pair(value: int | Sequence[int]) -> Pair:
    values = [value] if isinstance(value, int) else list(value)
    return values * 2 if len(values) == 1 else values


_WINDOWS: dict[Any, Callable[[Sequence[Any], Axes, Sequence[int]], Window | None]] = {
    aten.convolution: _convolution,
    aten.max_pool2d_with_indices: _pooling,
    aten.avg_pool2d: _average_pooling,
    aten._adaptive_avg_pool2d: _adaptive_pooling,  # its name in PyTorch's list of operations  # noqa: SLF001
    aten.adaptive_max_pool2d: _adaptive_pooling,
    aten.constant_pad_nd: _padding,
}
# These keep a map's size although each value depends on the whole map.
_OVER_THE_MAP = {aten.native_group_norm, aten.native_layer_norm}
