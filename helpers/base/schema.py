"""What was read from a file, checked against a JSON schema."""

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import fastjsonschema

from helpers.base.errors import ConfigError

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
SIZE = {"type": "integer", "minimum": 1}
OBJECT = {"type": "object", "propertyNames": TEXT}


def many(items: Any, least: int = 0) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": items, "minItems": least}


def each(values: Any) -> dict[str, Any]:
    """The schema of an object with any names."""
    return {**OBJECT, "additionalProperties": values}


def fields(
    required: dict[str, Any],
    optional: dict[str, Any] | None = None,
    *,
    more: bool = False,
) -> dict[str, Any]:
    """The schema of an object with these fields; ``more`` allows others as well."""
    return {
        **OBJECT,
        "required": list(required),
        "properties": required | (optional or {}),
        "additionalProperties": more,
    }


def check(settings: Any, schema: dict[str, Any], **more: float) -> None:
    """A ConfigError says which field does not follow ``schema`` or is not finite."""
    for name, value in {**vars(settings), **more}.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name} must be a finite number, not {value}.")
        kinds = schema["properties"].get(name, {}).get("type", ())
        if isinstance(value, float) and "integer" in kinds:
            raise ConfigError(f"{name} must be a whole number, not {value}.")
    try:
        require(vars(settings), schema)
    except fastjsonschema.JsonSchemaValueException as error:
        problem, name = error.message.removeprefix("it."), error.path[1]
        raise ConfigError(f"{problem}, but is {getattr(settings, name)!r}.") from None


def require(content: Any, schema: dict[str, Any]) -> None:
    """A ValueError says what of ``content`` does not follow ``schema``, where ``it`` is
    the whole: ``it.a must be number``.
    """
    _compiled(json.dumps(schema))(content, name_prefix="it")


@cache
def _compiled(schema: str) -> Callable[..., Any]:
    check: Callable[..., Any] = fastjsonschema.compile(json.loads(schema))
    return check
