from __future__ import annotations

from typing import Any

import pytest

from helpers.base.errors import ConfigError
from helpers.base.parameters import Parameter, parse_value


def parse(kind: str, value: Any) -> Any:
    return parse_value(Parameter("p", kind, "…", "help"), value)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", "2", 2),
        ("int", "-3", -3),
        ("int", "007", 7),
        ("int", 5, 5),
        ("float", "1e-3", 0.001),
        ("float", 2, 2.0),
        ("bool", "false", False),
        ("bool", "True", True),
        ("bool", False, False),
        ("str", "007", "007"),
        ("str", "false", "false"),
        ("str", " a,b ", " a,b "),
        ("int | None", "none", None),
        ("int | None", "12", 12),
        ("float | None", None, None),
        ("list[int]", "1,2", [1, 2]),
        ("list[float]", "[0.1, 1e-2]", [0.1, 0.01]),
        ("list[str]", "sgd, adam", ["sgd", "adam"]),
        ("list[int]", "[]", []),
        ("list[float]", (1, 2), [1.0, 2.0]),
        ("list[int] | None", "None", None),
    ],
)
def test_values_are_converted_to_the_declared_type(
    kind: str, value: Any, expected: Any
) -> None:
    result = parse(kind, value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "2.0"),
        ("int", "1e3"),
        ("int", "two"),
        ("int", ""),
        ("int", True),
        ("int", 2.5),
        ("int", None),
        ("float", "fast"),
        ("float", "nan"),
        ("float", "inf"),
        ("float", False),
        ("bool", "0"),
        ("bool", "yes"),
        ("bool", 1),
        ("str", 7),
        ("str", None),
        ("list[int]", "1,x"),
        ("list[int]", "1,,2"),
        ("list[int]", "[1"),
        ("list[int]", "1, 2]"),
        ("list[int]", 3),
        ("int | None", "maybe"),
    ],
)
def test_values_that_do_not_fit_are_refused(kind: str, value: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"Parameter p \(help\) does not take .*Expected"
    ):
        parse(kind, value)


@pytest.mark.parametrize(
    "kind", ["dict", "list", "list[list[int]]", "Path | None", "int | float", "None"]
)
@pytest.mark.parametrize("value", [None, [], "1"])
def test_no_other_type_takes_a_value(kind: str, value: Any) -> None:
    with pytest.raises(ConfigError, match="does not take"):
        parse(kind, value)


def test_a_list_may_be_written_with_quotes() -> None:
    parameter = Parameter("images", "list[str]", ["a/b"], "names")
    assert parse_value(parameter, '["a/b", "c, d"]') == ["a/b", "c, d"]
    assert parse_value(parameter, "['a/b', 'c, d']") == ["a/b", "c, d"]
    assert parse_value(parameter, "a/b, c") == ["a/b", "c"]
