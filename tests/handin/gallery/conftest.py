"""A small exports folder with one notebook in every state that the gallery knows."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image

from helpers.base.record import RunRecord, summarize

AddNotebook = Callable[..., None]
AddRun = Callable[..., Path]
FILES = ("notebook.html", "notebook.pdf", "paper.pdf")
ASKED = {
    "section": "1(b)",
    "text": "at least 71 %",
    "threshold": 0.71,
    "value": 0.85,
    "metric": ["cnn", "valid_accuracy"],
}


def png(width: int = 900, height: int = 400) -> str:
    """A picture as an output holds it."""
    data = io.BytesIO()
    Image.new("RGB", (width, height), "steelblue").save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def shown(name: str, *, alt: str, picture: str | None = None) -> Any:
    """A cell with a figure, as ``run.figure`` leaves it."""
    metadata = {"image/png": {"alt": alt, "width": 600, "figure": name, "caption": ""}}
    data = {
        "image/png": png() if picture is None else picture,
        "text/plain": f"[figure {name}: {alt}]",
    }
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    return nbformat.v4.new_code_cell("run.figure()", outputs=[output])


@pytest.fixture
def add_notebook(notebooks: Path) -> AddNotebook:
    """Declares the notebook ``<assignment>/<notebook>``."""

    def add(
        name: str,
        *,
        title: str | None = None,
        needs: Sequence[str] = (),
        headline: Sequence[str] | None = None,
    ) -> None:
        gallery = {"figure": "curves"} | (
            {"headline": list(headline)} if headline else {}
        )
        heading = nbformat.v4.new_markdown_cell(f"# {title or name.partition('/')[2]}")
        notebook = nbformat.v4.new_notebook(
            cells=[heading], metadata={"needs": list(needs), "gallery": gallery}
        )
        path = notebooks / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)

    return add


@pytest.fixture
def add_run(exports: Path) -> AddRun:
    """Writes the run folder of a notebook: a record with these changes, and what else a
    run leaves.
    """

    def add(
        name: str,
        *,
        files: Sequence[str] = FILES,
        cells: Sequence[Any] | None = None,
        **changes: Any,
    ) -> Path:
        record = RunRecord(
            name,
            status="complete",
            data={"name": "shapes", "source": "real", "splits": {"train": 8}},
            parameters={"epochs": 60},
            results={"cnn": {"valid_accuracy": summarize([0.84, 0.85, 0.86])}},
            requirements=[ASKED | {"met": True}],
            environment={"device": "cpu"},
            seconds=90.0,
        )
        folder = exports / name
        RunRecord(**(vars(record) | changes)).save(folder / "metrics.json")
        cells = [shown("curves", alt=f"Curves of {name}")] if cells is None else cells
        nbformat.write(
            nbformat.v4.new_notebook(cells=list(cells)), folder / "notebook.ipynb"
        )
        for file in files:
            (folder / file).write_bytes(
                b"<!DOCTYPE html><title>run</title>"
                if file.endswith("html")
                else b"%PDF-1.7"
            )
        return folder

    return add


@pytest.fixture
def every_state(exports: Path, add_notebook: AddNotebook, add_run: AddRun) -> None:
    """Two assignments, all states, and two files to hand in."""
    missed = ASKED | {
        "section": "1(c)",
        "text": "at least 99 %",
        "threshold": 0.99,
        "met": False,
    }
    unjudged = [ASKED | {"met": None}]
    runs: dict[str, dict[str, Any] | None] = {
        "caltech101/01_met": {},
        "caltech101/02_unmet": {"requirements": [ASKED | {"met": True}, missed]},
        "caltech101/03_complete": {"requirements": [], "cells": []},
        "caltech101/04_reduced": {"parameters": {"epochs": 6}, "reduced": ["epochs"]},
        "course/01_drawn": {
            "data": {"name": "shapes", "source": "synthetic"},
            "requirements": unjudged,
        },
        "course/02_random": {
            "data": {
                "name": "shapes",
                "source": "real",
                "backbone": "alexnet",
                "weights": "random",
            },
            "requirements": unjudged,
        },
        "course/03_running": {"status": "running", "files": ()},
        "course/04_failed": {
            "status": "failed",
            "error": "cell 3 raised ValueError: <1 & 2>",
            "files": (),
        },
        "course/05_absent": None,
    }
    for name, changes in runs.items():
        add_notebook(
            name, title=f"All about {name}", headline=("cnn", "valid_accuracy")
        )
        if changes is not None:
            add_run(name, **changes)
    for name in ("caltech101-draft.zip", "a report.pdf"):
        path = exports / "submit" / "caltech101" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1500)
