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

from helpers.base.record import RunRecord

AddNotebook = Callable[..., None]
AddRun = Callable[..., Path]
FILES = ("notebook.html", "notebook.pdf", "paper.pdf")


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
        cells: Sequence[Any] | None = None,
        **changes: Any,
    ) -> Path:
        folder = exports / name
        real_run(name, **changes).save(folder / "metrics.json")
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
def every_state(
    exports: Path,
    add_notebook: AddNotebook,
    add_run: AddRun,
    finding: Callable[..., dict[str, Any]],
) -> None:
    """Two assignments, all states, and two files to hand in."""
    unjudged = [finding(verdict="not judged")]
    drawn = {"name": "shapes", "source": "synthetic"}
    untrained = {"backbone": "alexnet", "weights": "random"}
    real = {"name": "shapes", "source": "real"}
    runs: dict[str, dict[str, Any] | None] = {
        "caltech101/01_judged": {},
        "caltech101/02_complete": {"findings": [], "cells": []},
        "caltech101/03_reduced": {"parameters": {"epochs": 6}, "reduced": ["epochs"]},
        "course/01_drawn": {"data": drawn, "findings": unjudged},
        "course/02_random": {"data": real | untrained, "findings": unjudged},
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
