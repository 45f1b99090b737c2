"""Runs as they would lie in exports/, made in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typst
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.base.record import RunRecord, summarize
from helpers.publish.courses import COURSES

MakeRun = Callable[..., Path]


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def make_run(exports: Path) -> MakeRun:
    """Makes the run folder of a notebook; ``changes`` are made to its record."""

    def make(name: str, *, text: str = "Said.", **changes: Any) -> Path:
        folder = exports / name
        folder.mkdir(parents=True, exist_ok=True)
        record = RunRecord(name, status="complete", data={"name": "shapes", "source": "real"})
        record.results = {"cnn": {"valid_accuracy": summarize([0.5, 0.6])}}
        record.environment = {"commit": "abc", "device": "cpu"}
        for key, value in changes.items():
            setattr(record, key, value)
        record.save(folder / "metrics.json")
        said = new_output("display_data", data={"text/markdown": text, "text/plain": ""})
        cells = [new_markdown_cell(f"# {name}"), new_code_cell("secret = 1", outputs=[said])]
        notebook = new_notebook(cells=cells, metadata={"papermill": {"input_path": "/home/me", "duration": 1.5}})
        nbformat.write(notebook, folder / "notebook.ipynb")
        for page in ("notebook.html", "notebook.pdf"):
            (folder / page).write_text(page)
        return folder

    return make


@pytest.fixture
def all_runs(exports: Path, make_run: MakeRun) -> Callable[[str], None]:
    """Makes everything that an assignment is handed in with."""

    def make(assignment: str) -> None:
        for part in COURSES[assignment].parts:
            for name in part.notebooks:
                # Enough text, taken together, for three to four pages in two columns.
                paragraphs = 72 // len(part.notebooks)
                make_run(name, text="\n\n".join(["Many words on many networks. " * 12] * paragraphs))
            for source in part.results.values():
                (exports / source).write_bytes(b"content of " + source.encode())
            if part.report and part.report.paper:
                pages = "#pagebreak()\n".join(["page\n"] * 7)
                (exports / part.report.paper / "paper.pdf").write_bytes(typst.compile(pages.encode()))

    return make
