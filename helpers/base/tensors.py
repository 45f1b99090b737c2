"""Files of tensors and plain values: written whole or not at all, read without running
what they hold.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from helpers.base.files import data_dir, write_atomic

# What comes instead of a file from the web, by its first bytes.
_INSTEAD = {
    b"version https://git-lfs": "a Git LFS pointer: get the file by git lfs pull",
    b"<": "a web page: download the file by its direct link",
}


class UnreadableError(Exception):
    """A file that holds no tensors, or only part of them; the message is the cause."""


def write_tensors(path: Path, content: Any) -> None:
    """Writes tensors, numbers, texts, and lists and dictionaries of them, to ``path``;
    raises as ``write_atomic``.
    """
    with write_atomic(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # torch's archive could not be closed either
            cause = error.__context__
            hidden = (OSError, KeyboardInterrupt)
            raise (cause if isinstance(cause, hidden) else error) from None


def read_tensors(path: Path) -> Any:
    """What ``write_tensors`` has written, on the CPU.

    Raises:
        UnreadableError: the file is cut short, or holds more than that.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch, zipfile and pickle have for damage
        first, *_ = [*str(error).splitlines(), "empty"]
        reason = f"{type(error).__name__}: {first}"
        with suppress(OSError), path.open("rb") as file:
            start = file.read(99).lstrip()
            for mark, what in _INSTEAD.items():
                reason = f"it is {what}" if start.startswith(mark) else reason
        raise UnreadableError(reason) from error


def cached(key: str, make: Callable[[], Tensor]) -> Tensor:
    """The tensor kept as ``key`` in ``data/.cache``, or what ``make`` returns, kept.

    A file cut short is made again; a full or read-only disk costs time, nothing else.
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
