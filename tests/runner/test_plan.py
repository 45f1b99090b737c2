from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.base.errors import ConfigError, NotebookError
from helpers.base.record import RunRecord
from helpers.runner.plan import Job, make_plan, read_quick_settings

WriteNotebook = Callable[..., Path]
EPOCHS = "epochs: int = 60  # passes"


def names(plan: list[Job]) -> list[str]:
    return [job.name for job in plan]


def test_a_notebook_named_twice_runs_once(
    notebooks: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a")
    assert names(make_plan(["course", "01_a"])) == ["course/01_a"]


def test_a_plan_keeps_the_order_of_names_or_of_the_quick_settings(
    notebooks: Path, write_notebook: WriteNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("01_a", "02_b", "03_c"):
        write_notebook(name)
    (notebooks / "quick.yaml").write_text("course/03_c: {}\ncourse/02_b: {}")
    planned = {"01 02 03": make_plan(), "02 01": make_plan(["02_b", "01_a"])}
    monkeypatch.setenv("CNN_QUICK", "1")
    planned["03 02 01"] = make_plan()
    for order, plan in planned.items():
        assert " ".join(job.notebook.path.stem[:2] for job in plan) == order


def test_the_first_page_of_a_quick_run_is_of_data_that_are_real_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CNN_QUICK", "1")
    first, *_ = make_plan()
    assert first.name == "lines/01_foundations"


def test_a_missing_model_names_the_command(
    notebooks: Path,
    exports: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_notebook("01_a")
    write_notebook("02_b", needs=["course/01_a"])
    with pytest.raises(
        NotebookError,
        match=r"needs what course/01_a makes.*python -m helpers run course/01_a$",
    ):
        make_plan(["02_b"])
    record = exports / "course/01_a/metrics.json"
    RunRecord("course/01_a", status="complete").save(record)
    assert names(make_plan(["02_b"])) == ["course/02_b"]
    monkeypatch.setenv("CNN_QUICK", "1")
    with pytest.raises(NotebookError, match=r"run course/01_a --quick$"):
        make_plan(["02_b"])


def test_a_report_names_all_that_has_not_been_run(
    notebooks: Path, exports: Path, write_notebook: WriteNotebook
) -> None:
    for name in ("01_a", "02_b", "03_c"):
        write_notebook(name)
    write_notebook("04_report", needs=["course/01_a", "course/02_b", "course/03_c"])
    RunRecord("course/01_a", status="complete").save(
        exports / "course/01_a/metrics.json"
    )
    RunRecord("course/02_b", status="failed").save(exports / "course/02_b/metrics.json")
    with pytest.raises(
        NotebookError,
        match=r"needs what course/02_b, course/03_c makes.*run course/02_b course/03_c",
    ):
        make_plan(["04_report"])
    for name in ("course/02_b", "course/03_c"):
        RunRecord(name, status="complete").save(exports / name / "metrics.json")
    assert names(make_plan(["04_report"])) == ["course/04_report"]


def test_quick_settings_give_way_to_the_command_line(
    notebooks: Path,
    exports: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_notebook("01_a", parameters=f"{EPOCHS}\nlimit: int = 0  # images")
    (notebooks / "quick.yaml").write_text("course/01_a: {epochs: 1, limit: 10}")
    [job] = make_plan()
    assert job.parameters == {}
    assert job.folder == exports / ".unfinished/course/01_a"
    monkeypatch.setenv("CNN_QUICK", "1")
    [job] = make_plan(parameters={"epochs": "2"})
    assert job.parameters == {"epochs": 2, "limit": 10}
    assert job.folder == exports / "quick/.unfinished/course/01_a"


def test_a_parameter_goes_to_the_notebooks_that_declare_it(
    notebooks: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a", parameters=EPOCHS)
    write_notebook("02_b")
    plan = make_plan(parameters={"epochs": "2"})
    assert [job.parameters for job in plan] == [{"epochs": 2}, {}]
    with pytest.raises(
        ConfigError,
        match=r"None of these notebooks has a parameter 'epoch': known are epochs\.",
    ):
        make_plan(parameters={"epoch": "2"})
    with pytest.raises(
        ConfigError,
        match=r"course/01_a has no parameter epoch\. Its parameters: epochs \(int\)",
    ):
        make_plan(["01_a"], parameters={"epoch": "2"})
    with pytest.raises(
        ConfigError, match=r"epochs \(passes\) does not take 'few'\. Expected int"
    ):
        make_plan(parameters={"epochs": "few"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("course/09_z: {}", "names the unknown 'course/09_z'"),
        ("course/01_a: {rate: 1}", "has no parameter rate"),
        ("course/01_a: {epochs: fast}", "does not take 'fast'"),
        ("course/01_a: 3", "it.course/01_a must be object"),
        ("- course/01_a", "it must be object.*Expected parameters by notebook"),
        ("course/01_a: {", "quick.yaml cannot be read"),
    ],
)
def test_wrong_quick_settings_are_refused(
    notebooks: Path, write_notebook: WriteNotebook, text: str, message: str
) -> None:
    write_notebook("01_a", parameters=EPOCHS)
    (notebooks / "quick.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_quick_settings()


def test_missing_quick_settings_are_named(notebooks: Path) -> None:
    (notebooks / "quick.yaml").unlink()
    with pytest.raises(ConfigError, match=r"quick\.yaml cannot be read"):
        read_quick_settings()


def test_no_notebooks_is_an_error(notebooks: Path) -> None:
    with pytest.raises(NotebookError, match="There are no notebooks in"):
        make_plan()
