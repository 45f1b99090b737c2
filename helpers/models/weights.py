"""Files of weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from helpers.base.errors import ModelError, explained
from helpers.base.tensors import read_tensors

WRAPPERS = ("state_dict", "model", "model_state_dict")
PREFIX = re.compile(r"^(?:module\.|_orig_mod\.)+|\b_orig_mod\.")


def read_file(path: Path, expected: str) -> Any:
    """The tensors and plain values in a file, on the CPU.

    Raises:
        ModelError: the file is missing, damaged or something else; ``expected`` is a
            sentence on what it should be.
    """
    if not path.is_file():
        raise ModelError(f"There is no model file {path}. {expected}")
    with explained(ModelError, f"{path} cannot be read", expected):
        content: Any = read_tensors(path)
    return content


def plain_state(content: Any) -> Any:
    """The state dict of the network itself: out of a checkpoint that holds it as
    ``state_dict`` or ``model``, without the prefixes of DDP and ``torch.compile``.
    """
    while isinstance(content, dict):
        wrapped = [
            content[key] for key in WRAPPERS if isinstance(content.get(key), dict)
        ]
        if not wrapped:
            return {PREFIX.sub("", str(name)): w for name, w in content.items()}
        content = wrapped[0]
    return content
