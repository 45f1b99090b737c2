"""The typed parameters of a notebook, and values for them from the command line or from
YAML.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from helpers.base.errors import ConfigError


@dataclass(frozen=True)
class Parameter:
    """One parameter as a notebook declares it: ``epochs: int = 60  # passes over the
    training set``.

    Attributes:
        name: its name.
        type: ``int``, ``float``, ``bool`` or ``str``, a ``list[…]`` of one of them, any
            of these ``| None``.
        default: the value of the real experiment.
        help: the comment behind it.
    """

    name: str
    type: str
    default: Any
    help: str


def is_parameter_type(kind: str) -> bool:
    """Whether a parameter may be annotated with ``kind``."""
    inner = kind.removesuffix(" | None")
    if inner.startswith("list[") and inner.endswith("]"):
        inner = inner[len("list[") : -1]
    return inner in _SCALARS


def parse_value(parameter: Parameter, value: Any) -> Any:
    """Converts text to the parameter's type, and checks any other value against it.

    Text stands for what it says: ``false`` for ``False``, ``1e-3`` for 0.001, ``none``
    for ``None`` where that is allowed, ``1,2`` or ``[1, 2]`` for a list; for a ``str``
    it stays as it is (``007``).

    Raises:
        ConfigError: the value does not fit the type.
    """
    try:
        return _convert(parameter.type, value)
    except (TypeError, ValueError):
        raise ConfigError(
            f"Parameter {parameter.name} ({parameter.help or 'no description'}) does "
            f"not take {value!r}. "
            f"Expected {parameter.type}, for example {parameter.default!r}."
        ) from None


def _convert(kind: str, value: Any) -> Any:
    if kind.endswith(" | None"):
        empty = value is None or (
            isinstance(value, str) and value.strip().lower() in {"none", "null"}
        )
        return None if empty else _convert(kind.removesuffix(" | None"), value)
    if kind.startswith("list["):
        return [_convert(kind[len("list[") : -1], item) for item in _items(value)]
    return _SCALARS[kind](value)


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        text = value.strip().removeprefix("[").removesuffix("]").strip()
        with suppress(ValueError, SyntaxError):  # texts with their quotes
            items = ast.literal_eval(f"[{text}]")
            if items and all(isinstance(item, str) for item in items):
                return list(items)
        return [item.strip() for item in text.split(",")] if text else []
    if isinstance(value, list | tuple):
        return list(value)
    raise TypeError


def _int(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower())
    if isinstance(value, bool):
        return value
    raise TypeError


def _str(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "str": _str,
}
