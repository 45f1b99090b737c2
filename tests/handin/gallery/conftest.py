"""A small exports folder with one notebook in every state that the gallery knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.base.record import RunRecord

AddNotebook = Callable[..., None]
AddRun = Callable[..., Path]
FILES = ("notebook.html", "notebook.pdf", "paper.pdf", "notebook.ipynb")


@pytest.fixture
def add_notebook(write_notebook: Callable[..., Path]) -> AddNotebook:
    """Declares a notebook with a place in the gallery."""

    def add(
        name: str,
        *,
        title: str = "",
        needs: Sequence[str] = (),
        headline: Sequence[str] | None = None,
    ) -> None:
        gallery: dict[str, Any] = {"figure": "curves"}
        if headline:
            gallery["headline"] = list(headline)
        write_notebook(name, title=title, needs=list(needs), gallery=gallery)

    return add


@pytest.fixture
def add_run(exports: Path, real_run: Callable[..., RunRecord]) -> AddRun:
    """Writes the run folder of a notebook: a record with these changes, and what else a
    run leaves.
    """

    def add(
        name: str,
        *,
        files: Sequence[str] = FILES,
        figure: bool = True,
        **changes: Any,
    ) -> Path:
        folder = exports / name
        real_run(name.removeprefix("quick/"), **changes).save(folder / "metrics.json")
        if figure:
            (folder / "figures").mkdir(exist_ok=True)
            Image.new("RGB", (900, 400)).save(folder / "figures/curves.png")
        for file in files:
            (folder / file).write_bytes(
                b"<!DOCTYPE html><title>run</title>"
                if file.endswith("html")
                else b"%PDF-1.7"
            )
        return folder

    return add


@pytest.fixture
def every_state(
    exports: Path,
    add_notebook: AddNotebook,
    add_run: AddRun,
    finding: Callable[..., dict[str, Any]],
) -> None:
    """Two assignments, all states."""
    unjudged = [finding(verdict="not judged")]
    drawn = {"name": "shapes", "source": "synthetic"}
    untrained = {"backbone": "alexnet", "weights": "random"}
    real = {"name": "shapes", "source": "real"}
    runs: dict[str, dict[str, Any] | None] = {
        "caltech101/01_judged": {},
        "caltech101/02_complete": {"findings": [], "figure": False},
        "caltech101/03_reduced": {"parameters": {"epochs": 6}, "reduced": ["epochs"]},
        "course/01_drawn": {"data": drawn, "findings": unjudged},
        "course/02_random": {"data": real | untrained, "findings": unjudged},
        "course/03_failed": {"status": "failed", "files": ()},
        "course/04_absent": None,
    }
    for name, changes in runs.items():
        add_notebook(
            name, title=f"All about {name}", headline=("cnn", "valid_accuracy")
        )
        if changes is not None:
            add_run(name, **changes)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of what git keeps, empty."""
    folder = tmp_path / "reference"
    for module in ("reference", "gallery"):
        monkeypatch.setattr(f"helpers.handin.{module}.REFERENCE", folder)
    return folder
