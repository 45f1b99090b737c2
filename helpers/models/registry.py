"""The networks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from helpers.base.errors import ModelError

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])
_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


def register(name: str) -> Callable[[Builder], Builder]:
    """A decorator that makes a network known as ``name``."""

    def add(builder: Builder) -> Builder:
        _BUILDERS[name] = builder
        return builder

    return add


def model_names() -> list[str]:
    """The names of all networks."""
    return sorted(_BUILDERS)


def create_model(name: str, /, **arguments: Any) -> nn.Module:
    """Builds a network with fresh random weights.

    Raises:
        ModelError: the name is unknown, or the arguments do not fit the network.
    """
    if name not in _BUILDERS:
        raise ModelError(
            f"There is no model {name!r}: known are {', '.join(model_names())}."
        )
    try:
        return _BUILDERS[name](**arguments)
    except ModelError:
        raise
    except Exception as error:  # depends on the network
        raise ModelError(
            f"Model {name!r} cannot be built with {arguments}: {error}."
        ) from error
