"""The typed parameters of a notebook, and values for them from the command line or from
YAML.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from helpers.base.errors import ConfigError

# How text is read as a value of each scalar type.
SCALARS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": lambda text: {"true": True, "false": False}.get(text.strip().lower()),
    "str": str,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter as a notebook declares it: ``epochs: int = 60  # passes over the
    training set``.

    Attributes:
        type: ``int``, ``float``, ``bool`` or ``str``, a ``list[…]`` of one of them, any
            of these ``| None``.
        default: the value of the real experiment.
        help: the comment behind it.
    """

    name: str
    type: str
    default: Any
    help: str


def parse_value(parameter: Parameter, value: Any) -> Any:
    """Converts text to the parameter's type, and checks any other value against it.

    Text stands for what it says: ``false`` for ``False``, ``1e-3`` for 0.001,
    ``none`` for ``None`` where that is allowed, ``1,2`` or ``[1, 2]`` for a list;
    for a ``str`` it stays as it is (``007``).

    Raises:
        ConfigError: the value does not fit the type, or there is no such type.
    """
    one = parameter.type.removesuffix(" | None")
    kind = one.removeprefix("list[").removesuffix("]")
    try:
        read = SCALARS[kind]
        if one != parameter.type and str(value).strip().lower() in {"none", "null"}:
            return None
        if one == kind:
            return _scalar(value, kind, read)
        return [_scalar(item, kind, read) for item in _items(value)]
    except (KeyError, TypeError, ValueError, yaml.YAMLError):
        name, about = parameter.name, parameter.help or "no description"
        raise ConfigError(
            f"Parameter {name} ({about}) does not take {value!r}. Expected "
            f"{parameter.type}, for example {parameter.default!r}."
        ) from None


def _scalar(value: Any, kind: str, read: Callable[[str], Any]) -> Any:
    if isinstance(value, str):
        value = read(value)
    elif kind == "float" and type(value) is int:
        value = float(value)
    if type(value).__name__ != kind or (kind == "float" and not math.isfinite(value)):
        raise TypeError
    return value


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        text = value if value.lstrip().startswith("[") else f"[{value}]"
        value = yaml.load(text, yaml.BaseLoader)  # noqa: S506  # only text
    if not isinstance(value, list | tuple):
        raise TypeError
    return value
