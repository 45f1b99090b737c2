"""Which device trains, and in which arithmetic it is fastest."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch

from helpers.base.errors import ConfigError


@dataclass(frozen=True)
class Arithmetic:
    """What forward passes on a device are computed with.

    Attributes:
        device: where.
        dtype: of matrix products and convolutions.
    """

    device: torch.device
    dtype: torch.dtype

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Forward passes within the block; on a CPU freed memory is kept for good."""
        if self.device.type == "cpu":
            keep_freed_memory()
        autocast = torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32
        )
        with autocast:
            yield


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; ``auto`` takes a GPU where there is one.

    Raises:
        ConfigError: no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"device is {name!r}: expected auto, cpu, cuda or cuda:N."
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"device is {name!r}, but PyTorch sees no GPU here: choose auto or cpu."
        )
    return device


def choose_arithmetic(device: torch.device, precision: str) -> Arithmetic:
    """What ``TrainConfig.precision`` asks for on this device."""
    return Arithmetic(device, choose_dtype(precision, device))


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type of matrix products: ``torch.float32`` or ``torch.bfloat16``."""
    if precision == "auto":
        return torch.bfloat16 if has_fast_bf16(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the device has bfloat16 in hardware; emulated it is slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(
            torch.backends.mkldnn.is_available()
            and torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001
        )
    return False


@cache
def keep_freed_memory() -> None:
    """Has glibc keep freed memory for the next step, for good; void elsewhere.

    By default it maps each large block anew, and the kernel clears every page of it: in
    small networks that takes longer than the arithmetic.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # From <malloc.h>: M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD.
    for option, value in ((-1, 2**31 - 1), (-2, 2**26), (-3, 2**30)):
        mallopt(option, value)
