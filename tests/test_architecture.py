"""The house: who may import whom, and what must stay cheap to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.base.files import ROOT

# Top floor first. Rooms on one floor know nothing of each other.
FLOORS = [
    {"__main__"},
    {"cli"},
    {"handin"},
    {"export"},
    {"runner"},
    {"notebook"},
    {"study"},
    {"viewer"},
    {"plots"},
    {"insight"},
    {"training"},
    {"models", "data"},
    {"base"},
]
LEVEL = {room: level for level, rooms in enumerate(reversed(FLOORS)) for room in rooms}
MODULES = sorted((ROOT / "helpers").rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "helpers").parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("helpers.")}
    return rooms


@pytest.mark.parametrize(
    "path", [m for m in MODULES if room_of(m) != "__init__"], ids=lambda p: p.stem
)
def test_a_room_imports_only_from_floors_below(path: Path) -> None:
    room = room_of(path)
    assert room in LEVEL, (
        f"{path} is in no room of the house: give it a floor here and in README"
    )
    above = {
        other
        for other in imported_rooms(path)
        if other != room and LEVEL[other] >= LEVEL[room]
    }
    assert not above, f"{path} imports from {above}, which is not below {room}"


@pytest.mark.parametrize(
    "module",
    [
        "helpers.cli",
        "helpers.runner.run",
        "helpers.handin.results",
        "helpers.base.record",
    ],
)
def test_what_starts_fast_imports_no_heavy_library(module: str) -> None:
    heavy = ("torch", "papermill", "nbconvert", "matplotlib")
    code = (
        f"import sys, {module}; print([name for name in {heavy} if name in "
        "sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert output.strip() == "[]"
