"""Files of tensors and plain values: written whole or not at all, read without running
what they hold.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from helpers.base.files import write_atomic

# What torch raises for a file that is empty, cut short, or something else altogether.
_DAMAGED = (
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    pickle.UnpicklingError,
)


class UnreadableError(Exception):
    """A file that holds no tensors, or only part of them; the message is the cause."""


def write_tensors(path: Path, content: Any) -> None:
    """Writes tensors, numbers, texts, and lists and dictionaries of them, to ``path``.

    Raises:
        OSError: it cannot be written; what was at ``path`` before is intact.
    """
    with write_atomic(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # torch's own writer reports a full disk this way
            raise OSError(str(error)) from error


def read_tensors(path: Path) -> Any:
    """What ``write_tensors`` has written, on the CPU.

    Raises:
        UnreadableError: the file is damaged, or holds more than tensors and plain
            values.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise UnreadableError(
            f"{type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'empty'}"
        ) from error
