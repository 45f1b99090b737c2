"""A run's state after an epoch, on disk, so that a killed run goes on where it was."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from helpers.base.errors import TrainingError
from helpers.base.files import write_atomic

Checkpoint = dict[str, Any]


def write_checkpoint(path: Path, state: Checkpoint) -> None:
    """Writes ``state``, whole or not at all: on a full disk the previous checkpoint stays.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        with write_atomic(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as a RuntimeError
        raise TrainingError(
            f"The checkpoint {path} cannot be written ({error}). The one of the epoch before is intact: "
            "make room and run again, training goes on from there."
        ) from error


def read_checkpoint(path: Path, config: dict[str, Any]) -> Checkpoint | None:
    """The state at ``path``, or None where there is none.

    Raises:
        TrainingError: it is unreadable, or of a run with other settings than ``config``.
    """
    if not path.is_file():
        return None
    try:
        state: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"The checkpoint {path} cannot be read ({error}). Delete it to train from the start."
        ) from error
    changed = [name for name, value in config.items() if state["config"].get(name) != value]
    if changed:
        was = ", ".join(f"{name} {state['config'].get(name)} -> {config[name]}" for name in changed)
        raise TrainingError(
            f"The checkpoint {path} belongs to a run with other settings ({was}). "
            "Delete it to train from the start, or give this run another folder."
        )
    return state
