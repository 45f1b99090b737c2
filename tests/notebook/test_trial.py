"""A notebook that is edited, saved and run by hand, in a kernel of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sockets import own_sockets
from traitlets.config import Config

from helpers.base.files import ROOT

NAME = "demo/01_a"
CELLS = (
    f'from helpers.notebook import start_run\nrun = start_run("{NAME}")',
    'run.record("m", valid_accuracy=[epochs / 10] * 3)',
    "run.finish()",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one notebook, which git knows and which has run in full."""
    shutil.copytree(ROOT / "helpers", tmp_path / "helpers")
    write(tmp_path, epochs=3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path / "exports"))
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "first")):
        subprocess.run(("git", *command), check=True)
    command = (sys.executable, "-m", "helpers", "run", NAME, "--no-export")
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path


def write(project: Path, *, epochs: int, name: str = NAME) -> Path:
    parameters = f"epochs: int = {epochs}  # passes"
    cells = [
        new_markdown_cell("# A"),
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *map(new_code_cell, CELLS),
    ]
    path = project / f"notebooks/{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path


def run_by_hand(path: Path) -> str:
    """Restart & Run All; what the cells have shown."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    named = Config({"KernelManager": own_sockets()})
    NotebookClient(
        notebook, resources=where, kernel_name="python3", config=named
    ).execute()
    return json.dumps([cell.get("outputs") for cell in notebook.cells])


def files_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def trial_of(project: Path) -> dict[str, Any]:
    path = project / f"exports/trial/{NAME}/metrics.json"
    trial: dict[str, Any] = json.loads(path.read_text())
    assert trial["status"] == "complete"
    return trial


def test_what_is_run_by_hand_says_if_it_is_reduced_and_replaces_nothing(
    project: Path,
) -> None:
    full = project / "exports" / NAME
    before = files_of(full)
    record = json.loads(before["metrics.json"])
    assert (record["status"], record["parameters"]) == ("complete", {"epochs": 3})

    for name in (f"{NAME}-Copy1", NAME):
        assert "REDUCED RUN" in run_by_hand(write(project, epochs=2, name=name))
        trial = trial_of(project)
        assert (trial["parameters"], trial["reduced"]) == ({"epochs": 2}, ["epochs"])

    assert "REDUCED" not in run_by_hand(write(project, epochs=3))
    assert "reduced" not in trial_of(project)
    assert files_of(full) == before
