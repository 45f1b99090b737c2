"""Which device trains, and in which arithmetic it is fastest."""

import ctypes
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.utils import _pair
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from helpers.base.errors import ConfigError


@dataclass(frozen=True)
class Arithmetic:
    """A device, and the type that matrix products and convolutions have there."""

    device: torch.device
    dtype: torch.dtype

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Forward passes within the block; on a CPU freed memory is kept for good."""
        on_cpu = self.device.type == "cpu"
        low = self.dtype != torch.float32
        if on_cpu:
            keep_freed_memory()
        autocast = torch.autocast(self.device.type, dtype=self.dtype, enabled=low)
        with autocast, _IdleTapsInFloat32() if on_cpu and low else nullcontext():
            yield


class _IdleTapsInFloat32(TorchFunctionMode):
    """Computes convolutions in float32 whose filters have idle taps.

    A tap is idle where it meets nothing but padding: all but the middle one of 3×3 on
    maps of 1×1. Its gradient is zero, which oneDNN does not always write in bfloat16
    (with a stride of 2, or a large filter): whatever lay in that memory is then taken
    for it. Seen in PyTorch 2.15 with oneDNN 3.13.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        if func is not F.conv2d or not _has_idle_taps(*args, **options):
            return func(*args, **options)
        with torch.autocast("cpu", enabled=False):
            args, options = tree_map_only(Tensor, Tensor.float, (args, options))
            return func(*args, **options).bfloat16()


def _has_idle_taps(  # noqa: PLR0917
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,  # noqa: ARG001
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,  # noqa: ARG001
) -> bool:
    """Whether ``F.conv2d`` of these arguments has taps that meet no pixel."""
    if isinstance(padding, str):  # "same", of filters with a middle, or "valid"
        spread = zip(weight.shape[-2:], _pair(dilation), strict=True)
        same = [d * (taps - 1) // 2 for taps, d in spread]
        padding = same if padding == "same" else 0
    settings = (_pair(setting) for setting in (stride, padding, dilation))
    sides = zip(input.shape[-2:], weight.shape[-2:], *settings, strict=True)
    return any(_idles(*side) for side in sides)


@cache
def _idles(side: int, taps: int, stride: int, padding: int, dilation: int) -> bool:
    """Whether some tap lies outside wherever the filter is, along one axis."""
    starts = range(-padding, side + padding - dilation * (taps - 1), stride)
    return not all(
        any(0 <= start + tap * dilation < side for start in starts)
        for tap in range(taps)
    )


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; ``auto`` takes a GPU where there is one.

    Raises:
        ConfigError: no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device is {name!r}: expected auto, cpu, cuda or cuda:N.")
    there = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= there:
        seen = f"{there} GPUs, counted from 0" if there else "no GPU"
        raise ConfigError(
            f"device is {name!r}, but PyTorch sees {seen} here: choose auto, cpu or "
            "one that is there."
        )
    return device


def choose_arithmetic(device: torch.device, precision: str) -> Arithmetic:
    """What ``TrainConfig.precision`` asks for on this device."""
    fast = precision == "auto" and has_fast_bf16(device)
    low = fast or precision == "bf16"
    return Arithmetic(device, torch.bfloat16 if low else torch.float32)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the device has bfloat16 in hardware: emulated, it is slow."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    by_onednn = torch.backends.mkldnn.is_available()
    return by_onednn and bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001


@cache
def keep_freed_memory() -> None:
    """Has glibc keep freed memory for the next step, for good; void elsewhere.

    By default it maps each large block anew, and the kernel clears every page of it: in
    small networks that takes longer than the arithmetic.
    """
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if mallopt := getattr(library, "mallopt", None):
        # From <malloc.h>: M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD.
        # glibc before 2.35 refuses the last.
        options = (-1, 2**31 - 1), (-2, 2**26), (-3, 2**25), (-3, 2**30)
        for option, value in options:
            mallopt(option, value)
