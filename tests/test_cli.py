from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import click
import nbformat
import pytest
from click.testing import CliRunner, Result

from helpers.base.errors import DataError
from helpers.base.record import RunRecord, summarize
from helpers.cli import main

Call = Callable[..., Result]
FINISH = """\
import os, pathlib
from helpers.base.record import RunRecord
path = pathlib.Path(os.environ["CNN_RUN_FOLDER"]) / "metrics.json"
record = RunRecord.load(path)
record.status = "complete"
record.save(path)
"""


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one notebook, ``course/01_a``, in place of the real one."""
    folder = tmp_path / "notebooks"
    (folder / "course").mkdir(parents=True)
    (folder / "quick.yaml").write_text("course/01_a: {epochs: 1}")
    parameters = nbformat.v4.new_code_cell(
        "epochs: int = 60  # passes", metadata={"tags": ["parameters"]}
    )
    cells = [
        nbformat.v4.new_markdown_cell("# First"),
        parameters,
        nbformat.v4.new_code_cell("1 / 0"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "course/01_a.ipynb")
    for module in ("base.declared", "base.runs", "runner.plan", "handin.reference"):
        monkeypatch.setattr(f"helpers.{module}.notebooks_dir", lambda: folder)
    for module in ("reference", "gallery"):
        place = f"helpers.handin.{module}.REFERENCE"
        monkeypatch.setattr(place, tmp_path / "reference")
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path / "exports"))
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CNN_QUICK", "1")  # to be taken back after what a command sets
    monkeypatch.delenv("CNN_QUICK")
    return folder


@pytest.fixture
def call(notebooks: Path) -> Call:
    return lambda *arguments: CliRunner().invoke(
        main, [str(argument) for argument in arguments]
    )


@pytest.fixture
def record(tmp_path: Path, notebooks: Path) -> RunRecord:
    """A real run of the notebook, on disk."""
    record = RunRecord(
        "course/01_a", status="complete", data={"name": "shapes", "source": "real"}
    )
    record.parameters = {"epochs": 60}
    record.results = {"cnn": {"valid_accuracy": summarize([0.5, 0.6])}}
    found = asdict(record.estimate("cnn", "valid_accuracy"))
    asked = {"section": "1", "text": "at least half", "at_least": 0.5}
    record.findings = [asked | {"estimate": found, "verdict": "met on average"}]
    folder = tmp_path / "exports/course/01_a"
    record.save(folder / "metrics.json")
    shutil.copy(notebooks / "course/01_a.ipynb", folder / "notebook.ipynb")
    return record


def commands(group: click.Command, *words: str) -> Iterator[list[str]]:
    """Every command and group below one, in words."""
    yield [*words]
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *words, name)


@pytest.mark.parametrize("command", [*commands(main)], ids=" ".join)
def test_every_command_explains_itself(call: Call, command: list[str]) -> None:
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_it_starts_without_the_heavy_libraries() -> None:
    heavy = ("torch", "papermill", "nbconvert", "matplotlib", "pandas", "scipy")
    code = (
        "import sys, helpers.cli, helpers.runner.run, helpers.handin.results, "
        "helpers.export.pages, helpers.handin.report, "
        "helpers.handin.submit, helpers.handin.pack, "
        f"helpers.handin.gallery; print([m for m in {heavy} if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "helpers", "list", "no-such"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: There is no notebook or assignment 'no-such'."
    )
    assert done.stderr.count("\n") == 1


def test_list_shows_notebooks_and_their_parameters(call: Call) -> None:
    assert call("list").stdout == "course/01_a  First\n"
    assert "-p epochs=60  (int) passes" in call("list", "course").stdout


def test_list_names_a_damaged_notebook_and_goes_on(call: Call, notebooks: Path) -> None:
    (notebooks / "course/00_empty.ipynb").touch()
    result = call("list")
    assert result.exit_code == 1
    damaged, whole = result.stdout.splitlines()
    assert damaged.startswith("course/00_empty  ")
    assert "00_empty.ipynb is not a notebook" in damaged
    assert whole == "course/01_a  First"


@pytest.mark.parametrize("encoding", ["cp932", "latin-1", "ascii"])
def test_output_in_a_narrow_encoding_goes_on(encoding: str) -> None:
    command = [sys.executable, "-m", "helpers", "list", "lines"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    said = "error: There is no notebook or assignment".encode(encoding)
    command[-1] = "–"
    done = subprocess.run(command, env=environment, check=False, capture_output=True)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert done.stderr.count(b"\n") == 1


def test_a_file_of_the_project_stands_for_its_run(
    call: Call, notebooks: Path, record: RunRecord, tmp_path: Path
) -> None:
    file = notebooks / "course/01_a.ipynb"
    result = call("export", file)
    page = tmp_path / "exports/course/01_a/notebook.html"
    assert str(page) in result.stdout
    assert [*file.parent.iterdir()] == [file]
    shutil.rmtree(page.parent)
    assert "course/01_a has not been run" in call("export", file).stderr
    copy = shutil.copy(file, file.with_name("scratch.ipynb"))  # nobody else's
    assert "scratch.html" in call("export", copy).stdout


@pytest.mark.usefixtures("record")
def test_a_notebook_that_is_no_paper_says_so(call: Call, tmp_path: Path) -> None:
    result = call("paper", "course/01_a")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        f"error: {tmp_path / 'exports/course/01_a/notebook.ipynb'}: Its metadata "
        'need an entry "paper": {"bibliography": '
    )


def test_what_is_missing_is_listed_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CNN_HAND_IN", "/none.toml")
    result = CliRunner().invoke(main, ["submit", "lines"])
    assert (result.exit_code, result.stdout) == (1, "")
    first, *faults, last = result.stderr.splitlines()
    assert first == "error: lines cannot be handed in yet. Missing:"
    assert faults[:2] == [
        "  - who hands it in: write /none.toml, as README shows",
        "  - the group, which names the archive: write it in /none.toml",
    ]
    assert (
        "  - 3.zip: lines/04_visualization has not been run: python -m helpers run "
        "lines/04_visualization" in faults
    )
    assert last == "As a draft all the same: --draft"


def test_an_unknown_assignment_is_refused(call: Call) -> None:
    assert call("submit", "nothing").stderr.startswith(
        "error: There is no assignment 'nothing': known are "
    )


def test_a_report_is_written_and_its_pages_counted(
    call: Call, notebooks: Path, tmp_path: Path
) -> None:
    said = nbformat.v4.new_output(
        "display_data", data={"text/markdown": "Said.", "text/plain": ""}
    )
    cells = [
        nbformat.v4.new_markdown_cell("# First"),
        nbformat.v4.new_code_cell("", outputs=[said]),
    ]
    path, output = tmp_path / "executed.ipynb", tmp_path / "report.pdf"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert call("report", path, "-o", output).stdout == f"{output}: 1 pages\n"
    assert output.read_bytes().startswith(b"%PDF-")
    before = path.read_bytes()
    assert "name it .pdf" in call("report", path, "-o", path).stderr
    assert path.read_bytes() == before


def test_run_reports_a_failure_in_short(call: Call, tmp_path: Path) -> None:
    result = call("run", "01_a", "--quick", "--no-export")
    assert result.exit_code == 1
    assert (
        "why:    cell 3 (In [3]) raised ZeroDivisionError: division by zero"
        in result.stdout
    )
    assert "Traceback" not in result.output
    written = json.loads(
        (tmp_path / "exports/quick/.unfinished/course/01_a/metrics.json").read_text()
    )
    assert (written["status"], written["parameters"]) == ("failed", {"epochs": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-p", "epoch=2"],
            (
                "error: Notebook course/01_a has no parameter epoch. Its parameters: "
                "epochs (int)."
            ),
        ),
        (
            ["-p", "epochs=two"],
            (
                "error: Parameter epochs (passes) does not take 'two'. Expected int, "
                "for example 60."
            ),
        ),
        (
            ["course/02_b"],
            (
                "error: There is no notebook or assignment 'course/02_b'. Did you mean "
                "course/01_a? Known notebooks: course/01_a."
            ),
        ),
    ],
)
def test_run_refuses_what_it_does_not_know(
    call: Call, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = call("run", *arguments)
    assert (result.exit_code, result.stderr) == (1, f"{message}\n")
    assert not (tmp_path / "exports").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "-p", "epochs"],
        ["run", "-p", "=2"],
        ["run", "--jobs", "0"],
        ["run", "--minutes", "0"],
        ["predict", "model.pt"],
        ["data", "fetch"],
        ["no-such"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(call: Call, arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_export_takes_names_and_paths(
    call: Call, tmp_path: Path, notebooks: Path
) -> None:
    result = call("export", "01_a")
    assert (result.exit_code, result.stderr) == (
        1,
        (
            "error: course/01_a has not been run, or not been saved since: python -m "
            "helpers run course/01_a\n"
        ),
    )
    executed = tmp_path / "exports/course/01_a/notebook.ipynb"
    executed.parent.mkdir(parents=True)
    executed.write_bytes((notebooks / "course/01_a.ipynb").read_bytes())
    for arguments in ([], ["course"], [executed]):
        result = call("export", *arguments)
        assert (result.exit_code, result.stdout) == (
            0,
            f"{executed.with_suffix('.html')}\n{executed.with_suffix('.pdf')}\n",
        )


def test_predict_reports_one_line(call: Call, tmp_path: Path) -> None:
    result = call("predict", "course/01_a", tmp_path, "-o", tmp_path / "labels.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("record")
def test_results_come_by_run(call: Call) -> None:
    found = "55.0 ± 63.5 % (2 seeds)  met on average: 1: at least half\n"
    assert f"           {found}" in call("results").stdout


def test_without_runs_the_kept_results_are_shown(
    call: Call, tmp_path: Path, record: RunRecord
) -> None:
    assert call("results", "save").exit_code == 0
    shutil.rmtree(tmp_path / "exports")
    shown = call("results")
    assert "at least half" in shown.stdout
    assert shown.stderr.startswith("note: no full run is here")


def test_one_that_fails_does_not_stop_the_others(
    call: Call, tmp_path: Path, notebooks: Path
) -> None:
    damaged, sound = (
        tmp_path / f"exports/course/{name}/notebook.ipynb" for name in ("00_d", "01_a")
    )
    for path in (damaged, sound):
        path.parent.mkdir(parents=True)
    damaged.write_text("{")
    shutil.copy(notebooks / "course/01_a.ipynb", sound)
    result = call("export")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        str(sound.with_suffix(suffix)) for suffix in (".html", ".pdf")
    ]
    assert result.stderr.startswith(f"error: {damaged} ")
    assert result.stderr.count(str(damaged)) == 1
    assert result.stderr.count("\n") == 1


def test_nothing_to_export_is_told(call: Call) -> None:
    command = "python -m helpers run"
    for options, again in (([], command), (["--quick"], f"{command} --quick")):
        result = call("export", *options)
        assert result.exit_code == 1
        assert result.stderr == f"error: There is no run yet: {again}\n"


def test_no_results_is_told(call: Call) -> None:
    result = call("results", "--quick")
    assert result.exit_code == 1
    assert "python -m helpers run --quick" in result.stderr


def test_results_save_keeps_or_refuses(
    call: Call, tmp_path: Path, record: RunRecord
) -> None:
    result = call("results", "save", "01_a")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        str(tmp_path / "reference/course/01_a.json"),
    )
    record.data["source"] = "synthetic"
    record.save(tmp_path / "exports/course/01_a/metrics.json")
    result = call("results", "save")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "error: course/01_a: It is no reference: Synthetic data: drawn"
    )
    kept = RunRecord.load(tmp_path / "reference/course/01_a.json")
    assert kept.data["source"] == "real"


def test_results_save_wants_a_run(call: Call, tmp_path: Path) -> None:
    record = tmp_path / "exports/course/01_a/metrics.json"
    missing = (
        f"course/01_a: There is no record of a run at {record} (No such file or "
        "directory): run its notebook."
    )
    for names, told in (
        (["course"], missing),
        ([], "There is no run yet: python -m helpers run"),
    ):
        result = call("results", "save", *names)
        assert (result.exit_code, result.stderr) == (1, f"error: {told}\n")


def test_results_and_its_commands_do_not_go_together(call: Call) -> None:
    for option in "--write", "--quick":  # which stays set
        result = call("results", option, "pack", "runs.tar.gz")
        assert result.exit_code == 2
        assert "results pack takes no option of results" in result.stderr


def test_data_commands_use_the_catalogue(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = call("data", "check")
    assert result.exit_code == 0
    assert "caltech101  absent  " in result.stdout
    assert call("data", "check", "no-such").exit_code == 1

    def fetch(name: str) -> Path:
        if name == "caltech101":
            raise DataError("none\nhere")
        return Path("folder")

    monkeypatch.setattr("helpers.data.download.fetch", fetch)
    result = call("data", "fetch", "caltech101", "mnist")
    assert (result.exit_code, result.stderr, result.stdout) == (
        1,
        "error: caltech101: none here\n",
        "mnist: folder\n",
    )


def test_data_convert_lays_out_what_was_downloaded(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "helpers.data.download.convert", lambda name, source: Path(name) / source
    )
    assert (
        call("data", "convert", "clipart", "office.zip").stdout
        == "clipart: clipart/office.zip\n"
    )


def test_gallery_is_a_page_before_any_run_too(call: Call, tmp_path: Path) -> None:
    page = tmp_path / "exports" / "quick" / "index.html"
    assert call("gallery", "--quick").stdout == f"{page}\n"
    assert page.is_file()
