from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from helpers import doctor


def test_packages_are_held_to_their_ranges(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        "# a comment\nclick>=8,<99\npytest<1  # too old\nno-such-package-here\n-e .\n"
    )
    click, pytest_, absent = doctor.check_packages(requirements)
    assert (click.ok, click.detail) == (True, metadata.version("click"))
    assert not pytest_.ok
    assert "wanted <1" in pytest_.detail
    assert not absent.ok
    assert absent.detail.startswith("missing")


def test_the_project_has_what_it_requires() -> None:
    wrong = [check for check in doctor.check_packages() if not check.ok]
    assert wrong == []


def test_torch_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    device = doctor.check_device()
    assert not device.ok
    assert device.detail.endswith("torch torchvision (both at once)")


def test_the_device_is_named() -> None:
    check = doctor.check_device()
    assert check.ok
    assert check.detail.startswith(("cpu, ", "cuda, "))


def test_the_interpreter_is_named() -> None:
    assert next(doctor.examine()) == ("python", True, sys.executable)
