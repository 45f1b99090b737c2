from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from helpers.base.errors import ExportError
from helpers.base.files import write_whole
from helpers.base.record import RunRecord, summarize
from helpers.export.pages import export_notebook
from helpers.runner.execute import Outcome, execute
from helpers.runner.plan import make_plan
from helpers.runner.run import report, run_notebooks

WriteNotebook = Callable[..., Path]
EPOCHS = "epochs: int = 60  # passes"
# A kernel sends what it prints from a thread of its own, which needs a moment before
# the end.
KILL = """\
import os, signal, time
print('before the end', flush=True)
time.sleep(0.5)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_complete_run_leaves_notebook_record_and_log(
    notebooks: Path,
    exports: Path,
    write_notebook: WriteNotebook,
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = (
        "import pathlib\nprint('epoch', '1/2  loss 3')\nprint('epochs', epochs, "
        "pathlib.Path.cwd().name)"
    )
    write_notebook("01_a", code, parameters=EPOCHS)
    [outcome] = run_notebooks(["01_a"], parameters={"epochs": "2"})
    folder = exports / "course/01_a"
    assert outcome.ok
    assert (outcome.status, outcome.folder) == ("complete", folder)
    assert (folder / "run.log").read_text() == "epoch 1/2  loss 3\nepochs 2 course\n"
    record = RunRecord.load(folder / "metrics.json")
    assert (record.status, record.parameters) == ("complete", {"epochs": 2})
    assert (
        nbformat.read(folder / "notebook.ipynb", as_version=4).cells[-1].execution_count
        == 4
    )
    terminal = capfd.readouterr()
    lines = terminal.out.splitlines()
    assert lines[:2] == ["course/01_a  running", "course/01_a  epoch 1/2  loss 3"]
    assert lines[2].startswith("course/01_a  complete in ")
    assert (len(lines), terminal.err) == (3, "")


def test_a_line_of_a_worker_process_is_shown_once(
    notebooks: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it, ipykernel leaves them alone
    line = "epoch 1/2  loss 3"
    write_notebook("01_a", f"import subprocess; subprocess.run(['echo', '{line}'])")
    [outcome] = run_notebooks()
    assert outcome.ok
    shown = [text for text in capfd.readouterr().out.splitlines() if line in text]
    assert shown == [f"course/01_a  {line}"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's names of sockets")
def test_no_other_program_can_take_a_port_of_the_kernel(
    notebooks: Path, write_notebook: WriteNotebook
) -> None:
    code = """\
import psutil
names = {c.laddr for c in psutil.Process().net_connections("unix") if c.laddr}
print(sorted(name[-2:] for name in names if name.startswith("@")))"""
    write_notebook("01_a", code)
    [outcome] = run_notebooks()
    assert (outcome.folder / "run.log").read_text() == str(
        ["-1", "-2", "-3", "-4", "-5"]
    ) + "\n"


def test_another_kernel_called_python3_runs_nothing(
    notebooks: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    kernel = tmp_path / "jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    spec = {"argv": ["false"], "display_name": "Python 3", "language": "python"}
    kernel.write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    write_notebook("01_a", "import sys; print(sys.executable)")
    [outcome] = run_notebooks()
    assert outcome.ok
    assert sys.executable in (outcome.folder / "run.log").read_text()


def test_quick_runs_never_touch_real_results(
    notebooks: Path,
    exports: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_notebook("01_a", parameters=EPOCHS)
    (notebooks / "quick.yaml").write_text("course/01_a: {epochs: 1}")
    real = exports / "course/01_a/metrics.json"
    RunRecord("course/01_a", status="complete", seconds=9).save(real)
    before = real.read_bytes()
    monkeypatch.setenv("CNN_QUICK", "1")
    [outcome] = run_notebooks()
    assert outcome.folder == exports / "quick/course/01_a"
    assert RunRecord.load(outcome.folder / "metrics.json").parameters == {"epochs": 1}
    assert real.read_bytes() == before
    assert [file.name for file in real.parent.iterdir()] == ["metrics.json"]
    assert os.environ["CNN_EXPORTS"] == str(exports)


def test_a_raising_cell_is_one_short_message(
    notebooks: Path, exports: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a", "x = 0", "1 / x", parameters=EPOCHS)
    [outcome] = run_notebooks(parameters={"epochs": 1})
    assert (outcome.status, outcome.ok) == ("failed", False)
    assert (
        outcome.reason == "cell 4 (In [4]) raised ZeroDivisionError: division by zero"
    )
    record = RunRecord.load(outcome.folder / "metrics.json")
    assert (record.status, record.error) == ("failed", outcome.reason)
    assert "ZeroDivisionError" in (outcome.folder / "run.log").read_text()
    summary = report([outcome])
    assert str(outcome.folder / "notebook.ipynb") in summary
    assert "hint:" in summary
    assert len(summary.splitlines()) == 5


def test_a_killed_kernel_keeps_what_was_done(
    notebooks: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a", "print('done')", KILL, "print('never')")
    [outcome] = run_notebooks()
    assert (outcome.status, outcome.reason) == (
        "killed",
        "its kernel was killed in cell 4",
    )
    assert RunRecord.load(outcome.folder / "metrics.json").status == "killed"
    done, killed, never = nbformat.read(
        outcome.folder / "notebook.ipynb", as_version=4
    ).cells[2:5]
    assert done.outputs[0].text == "done\n"
    assert killed.outputs[0].text == "before the end\n"
    assert killed.outputs[-1].evalue == "its kernel was killed"
    assert never.outputs == []


def test_the_time_out_holds_for_the_whole_notebook(
    notebooks: Path, write_notebook: WriteNotebook
) -> None:
    nap = "import time; time.sleep(0.7)"
    write_notebook("01_a", nap, nap, nap, nap)
    [job] = make_plan()
    outcome = execute(job, timeout=1.5)
    assert outcome.status == "timeout"
    assert outcome.reason.startswith("it took longer than 1.5 s in cell ")
    assert RunRecord.load(outcome.folder / "metrics.json").status == "timeout"
    assert outcome.seconds > 1.0


def test_a_notebook_that_does_not_finish_its_record_has_failed(
    notebooks: Path, exports: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a", finish=False)
    RunRecord("course/01_a", status="complete").save(
        exports / "course/01_a/metrics.json"
    )  # of an earlier run
    [outcome] = run_notebooks()
    assert (outcome.status, outcome.reason) == (
        "failed",
        "it ended without `run.finish()`",
    )


def test_a_failure_stops_only_what_needs_it(
    notebooks: Path, exports: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a", "raise SystemExit(1)")
    write_notebook("02_b", needs=["course/01_a"])
    write_notebook("03_c", needs=["course/02_b"])
    write_notebook("04_d")
    write_whole(exports / ".unfinished/course/02_b/notebook.ipynb", b"of yesterday")
    outcomes = {outcome.name: outcome for outcome in run_notebooks()}
    statuses = {name: outcome.status for name, outcome in outcomes.items()}
    assert "02_b/notebook" not in report([outcomes["course/02_b"]])
    assert statuses == {
        "course/01_a": "failed",
        "course/04_d": "complete",
        "course/02_b": "skipped",
        "course/03_c": "skipped",
    }
    assert outcomes["course/02_b"].hint == "then run it again"
    assert not (exports / "course/02_b").exists()
    assert report(list(outcomes.values())).endswith("3 of 4 notebooks failed")


def test_notebooks_are_ordered_by_what_they_need(
    write_notebook: WriteNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook("01_a", needs=["course/03_c"])
    write_notebook("02_b")
    write_notebook("03_c", needs=["course/02_b"])
    write_notebook("04_d")
    monkeypatch.setattr(
        "helpers.runner.run.execute", lambda job, **_: Outcome(job.name, job.folder)
    )
    order = [outcome.name for outcome in run_notebooks()]
    assert order == ["course/02_b", "course/04_d", "course/03_c", "course/01_a"]


def test_notebooks_run_side_by_side(
    notebooks: Path, exports: Path, write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    # Each waits for the other's sign, which only comes if both run at once.
    wait = "import pathlib, time\nsigns = pathlib.Path({!r})\n(signs / {!r}).touch()\n"
    loop = """
end = time.monotonic() + 300  # of a machine that is busy otherwise
while not (signs / {!r}).exists():
    assert time.monotonic() < end
    time.sleep(0.05)"""
    write_notebook("01_a", (wait + loop).format(str(tmp_path), "a", "b"))
    write_notebook("02_b", (wait + loop).format(str(tmp_path), "b", "a"))
    write_notebook("03_c", needs=["course/01_a", "course/02_b"])
    outcomes = run_notebooks(jobs=2)
    assert [outcome.status for outcome in outcomes] == ["complete"] * 3
    assert outcomes[2].name == "course/03_c"


def test_exports_follow_a_complete_run(
    notebooks: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a")
    [outcome] = run_notebooks(export=export_notebook)
    page = outcome.folder / "notebook.html"
    assert outcome.files == [page, page.with_suffix(".pdf")]
    assert "01_a</h1>" in page.read_text()
    assert str(page) in report([outcome])

    for error in (ExportError("no paper"), OSError(28, "no room in /tmp")):

        def refuse(path: Path, error: Exception = error) -> list[Path]:
            raise error

        [outcome] = run_notebooks(export=refuse)
        assert (outcome.ok, outcome.status, outcome.reason) == (
            False,
            "complete",
            f"not exported: {error}",
        )
        assert not page.exists()  # the earlier run's does not pass for this one's


def test_a_complete_run_is_safe_when_its_export_is_broken_off(
    notebooks: Path, exports: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a")

    def stop(path: Path) -> list[Path]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_notebooks(export=stop)
    record = RunRecord.load(exports / "course/01_a/metrics.json")
    assert record.status == "complete"


def test_an_interrupted_runner_leaves_a_true_record(
    notebooks: Path, exports: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook(
        "01_a",
        "import os; print(os.getpid(), flush=True)",
        "import time; time.sleep(60)",
    )
    log = exports / ".unfinished/course/01_a/run.log"
    # A suite that was started in the background hands on that Ctrl-C is ignored.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    place = "p.notebooks_dir = d.notebooks_dir = lambda: pathlib.Path(sys.argv[1])"
    run = (
        "import sys, pathlib; import helpers.base.declared as d, helpers.runner.plan "
        f"as p; {place}; from helpers.runner.run import run_notebooks as r; r()"
    )
    code = f"{listen}; {run}"
    runner = subprocess.Popen(
        [sys.executable, "-c", code, str(notebooks)], stderr=subprocess.DEVNULL
    )
    try:
        while not (log.exists() and log.read_text().strip()):
            assert runner.poll() is None
            time.sleep(0.1)
        kernel = int(log.read_text())
        runner.send_signal(signal.SIGINT)
        assert runner.wait(60) != 0
    finally:
        runner.kill()
    record = RunRecord.load(log.parent / "metrics.json")
    assert record.status == "unfinished"
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)


def test_needs_in_a_circle_run_nothing(
    notebooks: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a", needs=["course/02_b"])
    write_notebook("02_b", needs=["course/01_a"])
    one, other = run_notebooks()
    assert one.reason == "it needs what course/02_b makes, which did not complete"
    assert (one.status, other.status) == ("skipped", "skipped")


@pytest.fixture
def within(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Runs for some minutes; the notebooks that ended, in this order."""
    monkeypatch.setattr("helpers.runner.run.REFERENCE", tmp_path / "kept")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    def within(minutes: float, *kept: RunRecord) -> list[str]:
        for record in kept:
            record.save(tmp_path / f"kept/{record.notebook}.json")
        ended = run_notebooks(minutes=minutes)
        assert all(outcome.ok for outcome in ended)
        return [outcome.name for outcome in ended]

    return within


def kept_run(name: str, seconds: float = 1.0, *reduced: str) -> RunRecord:
    data = {"name": "shapes", "source": "real"}
    values = dict.fromkeys(reduced, 1)
    return RunRecord(
        name, "complete", data, values, {}, [], {}, seconds, None, [*reduced]
    )


def test_what_has_no_whole_run_comes_first_and_what_is_done_last(
    exports: Path, write_notebook: WriteNotebook, within: Callable[..., list[str]]
) -> None:
    for name in ("01_a", "02_b", "03_c", "04_d"):
        write_notebook(name)
    kept_run("course/01_a").save(exports / "course/01_a/metrics.json")
    kept = [kept_run("course/02_b"), kept_run("course/03_c", 1.0, "epochs")]
    order = ["course/03_c", "course/04_d", "course/02_b", "course/01_a"]
    assert within(5, *kept) == order


def test_what_takes_longer_is_not_started_nor_what_needs_it(
    exports: Path,
    write_notebook: WriteNotebook,
    within: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_notebook("01_a")
    write_notebook("02_b", needs=["course/01_a"])
    write_notebook("03_c", needs=["course/04_d"])
    write_notebook("04_d")
    assert within(5, kept_run("course/01_a", 1500)) == ["course/04_d", "course/03_c"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "left out for want of time, or of a need: course/02_b (0 min), course/01_a "
        "(25 min)"
    )
    trained = kept_run("course/01_a", 1)
    trained.results = {"cnn": {"train_seconds": summarize([900, 600])}}
    trained.save(exports / "course/01_a/metrics.json")
    assert "course/01_a" not in within(5)


def test_how_long_another_kind_of_machine_took_keeps_nothing_from_starting(
    write_notebook: WriteNotebook, within: Callable[..., list[str]]
) -> None:
    write_notebook("01_a")
    elsewhere = kept_run("course/01_a", 1500)
    elsewhere.environment["device"] = "Stand-in GPU"
    assert within(5, elsewhere) == ["course/01_a"]


def test_what_the_end_interrupts_is_left_out_and_no_failure(
    write_notebook: WriteNotebook, within: Callable[..., list[str]], exports: Path
) -> None:
    write_notebook("01_a", "import time; time.sleep(60)")
    assert within(0.05) == []
    record = RunRecord.load(exports / ".unfinished/course/01_a/metrics.json")
    assert record.status == "timeout"


def test_a_full_disk_is_one_message_and_every_file_whole(
    notebooks: Path,
    exports: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_notebook("01_a", "1", "2", "3")
    synced = os.fsync

    def full(descriptor: int) -> None:
        names = [path.name for path in exports.rglob("notebook.ipynb")]
        if names:  # the first of several times that it is written
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    [outcome] = run_notebooks()
    assert outcome.reason.startswith(f"{exports / '.unfinished/course/01_a'}")
    assert "(No space left on device). Free some space, or" in outcome.reason
    assert outcome.hint == "then run it again"
    assert nbformat.read(outcome.folder / "notebook.ipynb", as_version=4).cells
    assert not list(exports.rglob("*.part"))
    monkeypatch.undo()


def test_a_place_that_cannot_hold_runs_is_one_message(
    notebooks: Path, exports: Path, write_notebook: WriteNotebook
) -> None:
    write_notebook("01_a")
    exports.touch()
    [outcome] = run_notebooks()
    assert outcome.status == "failed"
    assert outcome.reason.startswith(f"{exports} cannot be written (")


def test_a_damaged_record_stops_the_run_that_would_replace_it(
    exports: Path, write_notebook: WriteNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook("01_a", "print()")
    record = exports / "course/01_a/metrics.json"
    record.parent.mkdir(parents=True)
    record.write_text("{")
    [outcome] = run_notebooks()
    assert outcome.status == "failed"
    assert "Move it away, and run" in outcome.reason
    assert record.read_text() == "{"
    monkeypatch.setenv("CNN_QUICK", "1")
    [outcome] = run_notebooks()
    assert outcome.ok


def test_a_damaged_notebook_is_named_and_the_others_run(
    notebooks: Path, write_notebook: WriteNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook("01_a").write_text("")
    write_notebook("02_b")
    write_notebook("03_c", needs=["course/01_a"])
    (notebooks / "quick.yaml").write_text("course/01_a: {epochs: 1}")
    monkeypatch.setenv("CNN_QUICK", "1")
    found = run_notebooks()
    outcomes = {outcome.name: outcome for outcome in found}
    assert [outcomes[f"course/{name}"].status for name in ("01_a", "02_b", "03_c")] == [
        "skipped",
        "complete",
        "skipped",
    ]
    assert "01_a.ipynb is not a notebook" in outcomes["course/01_a"].reason


def test_a_notebook_that_another_process_runs_is_left_alone(
    notebooks: Path,
    exports: Path,
    write_notebook: WriteNotebook,
    run_elsewhere: Callable[[str, Path], subprocess.Popen[str]],
) -> None:
    write_notebook("01_a")
    record = exports / ".unfinished/course/01_a/metrics.json"
    other = run_elsewhere("course/01_a", record)
    [outcome] = run_notebooks()
    assert (outcome.status, outcome.ok) == ("skipped", False)
    assert outcome.reason == "another kernel or command is at it"
    assert record.is_file()
    other.kill()  # wherever it was: nothing has to be moved away
    other.wait()
    [outcome] = run_notebooks()
    assert outcome.ok
