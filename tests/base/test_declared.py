from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers.base.declared import find_notebooks, read_notebook, resolve
from helpers.base.errors import ConfigError, NotebookError

PARAMETERS = """\
epochs: int = 60  # passes over the training set
rate: float = 0.1
limit: int | None = None  # images; all of them if None
sizes: list[int] = [1, 2]  # of the
name: str = "a # b"  # with = and # in it
"""


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("helpers.base.declared.notebooks_dir", lambda: tmp_path)
    return tmp_path


def write(
    folder: Path,
    name: str = "course/01_first",
    source: str = PARAMETERS,
    **metadata: Any,
) -> Path:
    tagged = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# The first\n\n# not this"), tagged]
    )
    notebook.metadata.update(metadata)
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def test_a_notebook_declares_title_parameters_and_needs(tmp_path: Path) -> None:
    notebook = read_notebook(write(tmp_path, needs=["course/00_zero"]))
    assert (notebook.name, notebook.title, notebook.needs) == (
        "course/01_first",
        "The first",
        ("course/00_zero",),
    )
    declared = [
        (p.name, p.type, p.default, p.help) for p in notebook.parameters.values()
    ]
    assert declared == [
        ("epochs", "int", 60, "passes over the training set"),
        ("rate", "float", 0.1, ""),
        ("limit", "int | None", None, "images; all of them if None"),
        ("sizes", "list[int]", [1, 2], "of the"),
        ("name", "str", "a # b", "with = and # in it"),
    ]


def test_unknown_parameters_are_an_error_that_lists_the_known_ones(
    tmp_path: Path,
) -> None:
    notebook = read_notebook(write(tmp_path))
    assert notebook.parse({"epochs": "2", "limit": "5"}) == {"epochs": 2, "limit": 5}
    with pytest.raises(
        ConfigError,
        match=r"no parameter epoch\. Its parameters: epochs \(int\), rate \(float\)",
    ):
        notebook.parse({"epoch": "2"})
    for name in ("epochs", "limit"):
        with pytest.raises(ConfigError, match=f"{name} is 0: expected at least 1"):
            notebook.parse({name: "0"})
    batches = read_notebook(write(tmp_path, source="batch_size: int = 64  # images"))
    with pytest.raises(ConfigError, match="batch_size is 0: expected at least 1"):
        batches.parse({"batch_size": "0"})
    several = read_notebook(
        write(tmp_path, source="seeds: list[int] = [0, 1]  # which")
    )
    assert several.parse({"seeds": "[0, 2]"}) == {"seeds": [0, 2]}


@pytest.mark.parametrize(
    "source",
    [
        "epochs = 60",
        "epochs: int = 3 * 20",
        "epochs: int = '60'",
        "epochs: int = 2.5",
        "epochs: int",
        "import os",
        "where: Path = 'here'",
        "epochs: int = other",
        "epochs: int = (",
        "epochs: int = {[1]: 2}",
    ],
)
def test_anything_but_annotated_literals_is_refused(
    tmp_path: Path, source: str
) -> None:
    with pytest.raises(NotebookError, match="parameters of course/01_first"):
        read_notebook(write(tmp_path, source=source))


@pytest.mark.parametrize("needs", ["course/00_zero", ["00_zero"], [3], {"a": 1}])
def test_ill_formed_needs_are_refused(tmp_path: Path, needs: Any) -> None:
    with pytest.raises(NotebookError, match=r"it\.metadata\.needs.* must"):
        read_notebook(write(tmp_path, needs=needs))


def test_what_stands_for_a_notebook_is_a_figure_and_perhaps_a_result(
    tmp_path: Path,
) -> None:
    assert read_notebook(write(tmp_path)).figure == ""
    notebook = read_notebook(write(tmp_path, gallery={"figure": "curves"}))
    assert (notebook.figure, notebook.headline) == ("curves", ())
    both = {"figure": "curves", "headline": ["cnn", "valid_accuracy"]}
    notebook = read_notebook(write(tmp_path, gallery=both))
    assert notebook.headline == ["cnn", "valid_accuracy"]


@pytest.mark.parametrize(
    "gallery",
    [
        "curves",
        {},
        {"figure": ""},
        {"figure": 3},
        {"headline": ["cnn", "valid_accuracy"]},
        {"figure": "curves", "headline": "cnn"},
        {"figure": "curves", "headline": ["cnn"]},
        {"figure": "curves", "headline": ["cnn", 3]},
        {"figure": "curves", "picture": "curves"},
    ],
)
def test_anything_else_that_stands_for_a_notebook_is_refused(
    tmp_path: Path, gallery: Any
) -> None:
    with pytest.raises(
        NotebookError,
        match=r"01_first\.ipynb is not .*it\.metadata\.gallery.* must .*CONTRIBUTING",
    ):
        read_notebook(write(tmp_path, gallery=gallery))


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", json.dumps({"worksheets": [], "metadata": {}})]
)
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_text(content)
    with pytest.raises(NotebookError, match=r"broken\.ipynb is not a notebook"):
        read_notebook(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match=r"none\.ipynb is not .*No such file"):
        read_notebook(tmp_path / "none.ipynb")


def test_a_notebook_with_a_fault_is_listed_with_it(notebooks: Path) -> None:
    write(notebooks, "a/01_one")
    (notebooks / "a/02_empty.ipynb").touch()
    one, empty = find_notebooks()
    assert (one.name, one.fault) == ("a/01_one", "")
    assert empty.name == "a/02_empty"
    assert "02_empty.ipynb is not a notebook" in empty.fault
    with pytest.raises(NotebookError, match=r"02_empty\.ipynb is not a notebook"):
        empty.parse({"epochs": 1})


def test_a_type_may_be_written_as_papermill_reads_it(tmp_path: Path) -> None:
    lines = 'limit: "Optional[int]" = None  # images', "width: int | None = 8  # maps"
    parameters = read_notebook(write(tmp_path, source="\n".join(lines))).parameters
    assert {parameter.type for parameter in parameters.values()} == {"int | None"}


def test_names_resolve_to_notebooks(notebooks: Path) -> None:
    for name in (
        "b/02_two",
        "b/01_one",
        "a/01_one",
        "a/.ipynb_checkpoints/01_one-checkpoint",
        "a/01_one-Copy1",  # as JupyterLab calls them
        "a/Untitled",
    ):
        write(notebooks, name)
    assert [n.name for n in find_notebooks()] == [
        "a/01_one",
        "b/01_one",
        "b/02_two",
    ]

    def names(name: str) -> list[str]:
        return [n.name for n in resolve(name)]

    assert names("b") == ["b/01_one", "b/02_two"]
    assert names("b/01_one") == names("notebooks/b/01_one.ipynb") == ["b/01_one"]
    assert names("02_two") == names("b/02") == names("02") == ["b/02_two"]
    write(notebooks, "b/02_two_old")
    assert names("02_two") == names("b/02_two") == ["b/02_two"]
    assert names("b/02") == ["b/02_two", "b/02_two_old"]
    (notebooks / "b/02_two_old.ipynb").unlink()
    with pytest.raises(NotebookError, match=r"a/01_one, b/01_one: give the assignment"):
        names("01_one")
    with pytest.raises(
        NotebookError,
        match=r"no notebook or assignment '02_tw'.*a/01_one, b/01_one, b/02_two",
    ):
        names("02_tw")
    with pytest.raises(NotebookError, match="no notebook or assignment ''"):
        names("")
    with pytest.raises(NotebookError, match=r"'02_tow'\. Did you mean 02_two\? Known"):
        names("02_tow")


def test_less_of_what_is_done_is_a_reduction_and_nothing_else_is(
    tmp_path: Path,
) -> None:
    lines = (
        "epochs: int = 60  # passes",
        "final_seeds: int = 3  # repetitions",
        "train_limit: int | None = None  # images",
        "valid_limit: int | None = 100  # images",
        "size: int = 224  # pixels",
        "batch_size: int = 64  # images",
        "width: int = 8  # maps",
        "lr: float = 0.1  # rate",
    )
    values = {
        "epochs": 6,
        "final_seeds": 1,
        "train_limit": 500,
        "valid_limit": 50,
        "size": 96,
    }
    others = {"batch_size": 32, "width": 4, "lr": 0.01}
    declared = read_notebook(write(tmp_path, source="\n".join(lines)))
    assert declared.reductions(values | others) == list(values)
    assert (
        declared.reductions(
            {"epochs": 60, "final_seeds": 4, "train_limit": None, "valid_limit": None}
        )
        == []
    )
