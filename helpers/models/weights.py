"""Files of weights, read and loaded."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from torch import nn

from helpers.base.errors import ModelError
from helpers.base.tensors import UnreadableError, read_tensors


def read_file(path: Path, expected: str) -> Any:
    """The tensors and plain values in a file, on the CPU.

    Raises:
        ModelError: the file is missing, damaged or something else; ``expected`` is a
            sentence on what it should be.
    """
    if not path.is_file():
        raise ModelError(f"There is no model file {path}. {expected}")
    try:
        return read_tensors(path)
    except UnreadableError as error:
        raise ModelError(
            f"{path} cannot be read ({error}). {expected} If it is a web page or a Git "
            "LFS pointer, download it again by its direct link."
        ) from error


def load_weights(model: nn.Module, state: Any, path: Path, expected: str) -> None:
    """Loads a state dict, in any precision, that was read from ``path``.

    Raises:
        ModelError: it is none, or another network's; says which names and shapes do
            not fit.
    """
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as error:  # TypeError: no dictionary
        misfit = textwrap.shorten(str(error), 400, placeholder=" …")
        raise ModelError(
            f"The weights in {path} do not fit {type(model).__name__}. {expected} "
            f"{misfit}"
        ) from error
