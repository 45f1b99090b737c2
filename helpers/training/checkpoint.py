"""A run's state after an epoch, on disk, so that a killed run goes on where it was."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from helpers.base.errors import TrainingError, explained
from helpers.base.schema import NUMBER, OBJECT, each, fields, many, require
from helpers.base.tensors import read_tensors

ROW = dict.fromkeys(("epoch", "seconds", "valid_loss", "valid_accuracy"), NUMBER)
WEIGHTS = {"type": ["object", "null"]}
HISTORY = {"rows": many({**fields(ROW), **each(NUMBER)}, 1), "best_weights": WEIGHTS}
SCHEMA = fields({"config": OBJECT, "history": fields(HISTORY)}, more=True)
ELSEWHERE = "Move it away to train from the start, or give this run another folder."


def resuming(path: Path) -> AbstractContextManager[None]:
    """For what is done with the state at ``path``: any failure there is its own."""
    return explained(TrainingError, f"The checkpoint {path} cannot be read", ELSEWHERE)


def read_checkpoint(path: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """The state at ``path``, or None where there is none.

    Raises:
        TrainingError: it is unreadable, or of a run with other settings than
            ``config``, which leaves defaults out.
    """
    if not path.is_file():
        return None
    with resuming(path):
        state: dict[str, Any] = read_tensors(path)
        require(state, SCHEMA)
    kept = state["config"]
    changes = [
        f"{name} {kept.get(name, 'default')} -> {config.get(name, 'default')}"
        for name in {**config, **kept}
        if kept.get(name) != config.get(name)
    ]
    if not changes:
        return state
    message = (
        f"The checkpoint {path} belongs to a run with other settings "
        f"({', '.join(changes)}). "
    )
    before, now = kept.get("threads"), config.get("threads")  # None on a GPU
    if before and now and before != now:
        message += (
            "Other numbers of threads give other bits: set "
            f"OMP_NUM_THREADS={before} to go on from there. "
        )
    raise TrainingError(message + ELSEWHERE)
