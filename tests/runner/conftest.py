"""Tiny notebooks that need no network, for the tests of the runner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pytest

FINISH = """\
import os, pathlib
from helpers.base.record import RunRecord
path = pathlib.Path(os.environ["CNN_RUN_FOLDER"]) / "metrics.json"
record = RunRecord.load(path)
record.status = "complete"
record.save(path)
"""

WriteNotebook = Callable[..., Path]


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the project's, with the exports beside it."""
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path / "exports"))
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "quick.yaml").write_text("{}")
    for module in ("base.declared", "base.runs", "runner.plan"):
        monkeypatch.setattr(f"helpers.{module}.notebooks_dir", lambda: folder)
    return folder


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def write_notebook(notebooks: Path) -> WriteNotebook:
    """Writes ``course/<name>.ipynb``: parameters, the given code cells, and a last one
    that closes the record.
    """

    def write(
        name: str,
        *cells: str,
        parameters: str = "",
        needs: Sequence[str] = (),
        finish: bool = True,
    ) -> Path:
        full_name = f"course/{name}"
        tagged = nbformat.v4.new_code_cell(
            parameters, metadata={"tags": ["parameters"]}
        )
        code = [nbformat.v4.new_code_cell(source) for source in cells]
        closing = (
            [nbformat.v4.new_code_cell(f"name = {full_name!r}\n{FINISH}")]
            if finish
            else []
        )
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell(f"# {name}"), tagged, *code, *closing],
            metadata={"needs": list(needs)},
        )
        path = notebooks / f"{full_name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return path

    return write
