from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.base.record import RunRecord
from helpers.base.terminal import say
from helpers.runner.progress import say_remaining
from helpers.runner.run import run_notebooks

WriteNotebook = Callable[..., Path]


def ran(exports: Path, name: str, seconds: float, status: str = "complete") -> None:
    record = RunRecord(name, status=status, seconds=seconds)
    record.save(exports / name / "metrics.json")


@pytest.fixture
def three(notebooks: Path, exports: Path, write_notebook: WriteNotebook) -> None:
    """Three notebooks: two that took 100 and 300 seconds, one that never ran."""
    for name in ("01_a", "02_b", "03_c"):
        write_notebook(name)
    ran(exports, "course/01_a", 100)
    ran(exports, "course/02_b", 300)
    ran(exports, "course/03_c", 9, "failed")


def said(capsys: pytest.CaptureFixture[str], *names: str, **how: Any) -> str:
    """What is said before the first of these notebooks has run."""
    run_notebooks(names, **how)
    lines = capsys.readouterr().out.splitlines()
    return lines[0] if " left" in lines[0] else ""


@pytest.mark.usefixtures("three")
def test_what_is_left_follows_earlier_runs(capsys: pytest.CaptureFixture[str]) -> None:
    left = {"course/01_a": 100.0, "course/02_b": 300.0, "course/03_c": 0.0}
    say_remaining(left, 1)
    say_remaining(left, 2)
    say_remaining({"course/02_b": 300.0}, 2)
    say_remaining({"course/03_c": 0.0}, 1)
    assert capsys.readouterr().out.splitlines() == [
        "3 notebooks left, about 10:00",
        "3 notebooks left, about 05:00",
        "1 notebook left, about 05:00",
    ]
    assert said(capsys, "03_c") == ""


@pytest.mark.usefixtures("three")
def test_a_damaged_record_is_no_reason_not_to_run(
    exports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (exports / "course/01_a/metrics.json").write_text("{")
    assert said(capsys, "01_a", "02_b") == "2 notebooks left, about 10:00"


@pytest.mark.usefixtures("three")
def test_kept_runs_say_how_long_real_ones_take(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("helpers.runner.run.REFERENCE", tmp_path / "kept")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    kept = RunRecord("course/03_c", status="complete", seconds=1000)
    kept.save(tmp_path / "kept/course/03_c.json")
    assert said(capsys, "03_c") == "1 notebook left, about 16:40"
    monkeypatch.setenv("CNN_QUICK", "1")
    assert said(capsys, "03_c") == ""


@pytest.mark.usefixtures("three")
def test_a_run_says_what_is_left(capfd: pytest.CaptureFixture[str]) -> None:
    run_notebooks(["01_a", "02_b"])
    lines = capfd.readouterr().out.splitlines()
    left = [line for line in lines if " left" in line]
    assert left == ["2 notebooks left, about 06:40", "1 notebook left, about 05:00"]


def test_on_a_terminal_a_passing_line_is_written_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "21")
    say("an epoch, which has a long line", passing=True)
    say("complete")
    written = "\r\x1b[Kan epoch, which has \r\x1b[Kcomplete\n"
    assert capsys.readouterr().out == written
