"""Files of weights, read and loaded."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.base.tensors import UnreadableError, read_tensors


def read_file(path: Path, expected: str) -> Any:
    """The tensors and plain values in a file, on the CPU.

    Raises:
        ModelError: the file is damaged or something else, such as a Git LFS pointer;
            ``expected`` is a sentence on what it should be.
    """
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise ModelError(
            f"{path} is a Git LFS pointer, not the file itself: run git lfs pull, or "
            "download the file."
        )
    if start.startswith((b"<!doctype", b"<html")):
        raise ModelError(
            f"{path} is an HTML page, not the file that was meant to be downloaded: "
            "download it with its direct link."
        )
    try:
        return read_tensors(path)
    except UnreadableError as error:
        raise ModelError(f"{path} cannot be read ({error}). {expected}") from error


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The state dict in a file.

    Raises:
        ModelError: the file cannot be read, or holds no state dict.
    """
    expected = (
        "Expected a state dict as torch.save(model.state_dict(), path) writes it."
    )
    state = read_file(path, expected)
    if not (
        isinstance(state, dict)
        and state
        and all(isinstance(value, Tensor) for value in state.values())
    ):
        raise ModelError(f"{path} holds no state dict. {expected}")
    return state


def load_weights(model: nn.Module, state: dict[str, Tensor], fault: str) -> None:
    """Loads a state dict, in any precision.

    Raises:
        ModelError: ``fault``, and the names and shapes that do not fit.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        misfit = textwrap.shorten(str(error), 400, placeholder=" …")
        raise ModelError(f"{fault}. {misfit}") from error
