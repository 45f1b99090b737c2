"""Tensors that cost time to make, kept on disk; the folder may be deleted."""

from collections.abc import Callable
from contextlib import suppress

from torch import Tensor

from helpers.base.files import data_dir
from helpers.base.tensors import UnreadableError, read_tensors, write_tensors


def cached(key: str, make: Callable[[], Tensor]) -> Tensor:
    """The tensor kept as ``key`` in ``data/.cache``, or what ``make`` returns, kept.

    A damaged file is made again; a full or read-only disk costs time, nothing else.
    """
    path = data_dir() / ".cache" / f"{key}.pt"
    if path.is_file():
        with suppress(UnreadableError):
            kept: Tensor = read_tensors(path)
            return kept
    made = make()
    with suppress(OSError):
        write_tensors(path, made)
    return made
