"""Runs as they would lie in exports/, made in milliseconds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typst
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.base.declared import read_notebook
from helpers.base.files import notebooks_dir
from helpers.base.record import RunRecord, summarize
from helpers.handin.courses import COURSES
from helpers.models.building import create_model
from helpers.models.saved import save_model

MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """A small network as a notebook saves it, trained on ``real`` or ``synthetic``
    data.
    """

    def saved(trained_on: str) -> bytes:
        path = tmp_path_factory.mktemp("model") / "model.pt"
        arguments = {"num_classes": 2, "hidden_sizes": [1]}
        about = {
            "classes": ["a", "b"],
            "image_size": 32,
            "channels": 3,
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
        }
        network = create_model("conv_net", **arguments)
        save_model(
            path,
            network,
            architecture="conv_net",
            arguments=arguments,
            trained_on=trained_on,
            **about,
        )
        return path.read_bytes()

    return saved


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture(autouse=True)
def hand_in(own_folders: None, tmp_path: Path) -> Path:
    """The file that says who hands in."""
    path = tmp_path / "hand-in.toml"
    path.write_text('[[authors]]\nname = "Ada Müller"\nnumber = "0123"\n', "utf-8")
    return path


@pytest.fixture
def in_group(hand_in: Path) -> Callable[[str], None]:
    """Names the group in that file."""

    def name(group: str) -> None:
        hand_in.write_text(f'group = "{group}"\n{hand_in.read_text("utf-8")}', "utf-8")
        os.utime(hand_in, (0, 0))  # before any paper was made

    return name


@pytest.fixture
def make_run(exports: Path) -> MakeRun:
    """Makes the run folder of a notebook; ``changes`` are made to its record."""

    def make(name: str, *, text: str = "Said.", **changes: Any) -> Path:
        folder = exports / name
        folder.mkdir(parents=True, exist_ok=True)
        record = RunRecord(
            name, status="complete", data={"name": "shapes", "source": "real"}
        )
        declared = read_notebook(notebooks_dir() / f"{name}.ipynb").parameters
        record.parameters = {
            parameter.name: parameter.default for parameter in declared.values()
        }
        record.results = {"cnn": {"valid_accuracy": summarize([0.5, 0.6])}}
        record.environment = {
            "commit": "abc",
            "device": "cpu",
            "python": "3.11.1",
            "torch": "2.11.0",
        }
        for key, value in changes.items():
            setattr(record, key, value)
        record.save(folder / "metrics.json")
        said = new_output(
            "display_data", data={"text/markdown": text, "text/plain": ""}
        )
        cells = [
            new_markdown_cell(f"# {name}"),
            new_code_cell("secret = 1", outputs=[said]),
        ]
        notebook = new_notebook(
            cells=cells,
            metadata={"papermill": {"input_path": "/home/me", "duration": 1.5}},
        )
        nbformat.write(notebook, folder / "notebook.ipynb")
        for page in ("notebook.html", "notebook.pdf"):
            (folder / page).write_text(f"<h1>{page}</h1>")
        return folder

    return make


@pytest.fixture
def all_runs(
    exports: Path, make_run: MakeRun, saved_model: Callable[[str], bytes]
) -> Callable[[str], None]:
    """Makes everything that an assignment is handed in with."""

    def make(assignment: str) -> None:
        for part in COURSES[assignment].parts:
            for name in part.notebooks:
                # Enough text, taken together, for three to four pages in two columns.
                paragraphs = 72 // len(part.notebooks)
                make_run(
                    name,
                    text="\n\n".join(
                        ["Many words on many networks. " * 12] * paragraphs
                    ),
                )
            for source in part.results.values():
                predictions = b"id,label\n0001, 2\n0002, 3\n"
                (exports / source).write_bytes(
                    saved_model("real") if source.endswith(".pt") else predictions
                )
            if part.paper:
                author = '#set document(author: "Ada Müller")\n'
                pages = author + "#pagebreak()\n".join(["page\n"] * 7)
                (exports / part.paper / "paper.pdf").write_bytes(
                    typst.compile(pages.encode())
                )

    return make
