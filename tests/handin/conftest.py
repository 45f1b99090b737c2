"""A project of its own: notebooks, and runs as they would lie in exports/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers.base.estimate import Estimate
from helpers.base.record import RunRecord, summarize

WriteNotebook = Callable[..., Path]
ASKED = Estimate(0.85, 0.025, 3, "percent")


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the project's notebooks, with the exports beside
    it.
    """
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for module in ("base.declared", "base.runs", "handin.reference"):
        monkeypatch.setattr(f"helpers.{module}.notebooks_dir", lambda: folder)
    return folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the project's kept records."""
    folder = tmp_path / "reference"
    for module in ("reference", "gallery"):
        monkeypatch.setattr(f"helpers.handin.{module}.REFERENCE", folder)
    return folder


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def write_notebook(notebooks: Path) -> WriteNotebook:
    """Writes a notebook with these parameters and metadata."""

    def write(name: str, parameters: str = "", title: str = "", **about: Any) -> Path:
        tagged = nbformat.v4.new_code_cell(
            parameters, metadata={"tags": ["parameters"]}
        )
        heading = f"# {title or name.partition('/')[2]}"
        cells = [nbformat.v4.new_markdown_cell(heading), tagged]
        path = notebooks / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), path)
        return path

    return write


@pytest.fixture
def finding() -> Callable[..., dict[str, Any]]:
    """What is asked of a run, or without a section claimed of it."""

    def made(
        text: str = "at least 71 %",
        section: str = "1(b)",
        verdict: str = "met",
        found: Estimate = ASKED,
    ) -> dict[str, Any]:
        row = {"section": section, "text": text, "verdict": verdict}
        return row | {"estimate": asdict(found), "at_least": 0.71 * bool(section)}

    return made


@pytest.fixture
def real_run(finding: Callable[..., dict[str, Any]]) -> Callable[..., RunRecord]:
    """A complete run on real data, changed as the test says."""

    def made(name: str = "course/01_a", **changes: Any) -> RunRecord:
        loss, gain = Estimate(0.6, 0.248, 3, "nats"), Estimate(0.013, 0.02, 3, "points")
        accuracy = summarize([0.84, 0.85, 0.86])
        record = RunRecord(
            name,
            status="complete",
            data={"name": "shapes", "source": "real", "splits": {"train": 8}},
            parameters={"epochs": 60, "source": "auto"},
            results={"cnn": {"valid_accuracy": accuracy, "train_loss": accuracy}},
            findings=[
                finding(),
                finding("a loss | below 0.5", "1(c), goal", "missed", loss),
                finding("Depth helps.", "", "not shown", gain),
            ],
            environment={"device": "cpu"},
            seconds=1500.0,
        )
        return RunRecord(**(vars(record) | changes))

    return made
