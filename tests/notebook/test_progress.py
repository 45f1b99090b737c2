from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import psutil
import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import KernelManager
from sockets import own_sockets

from helpers.base.errors import ConfigError
from helpers.base.runs import GIVEN
from helpers.notebook import progress as shown
from helpers.notebook.progress import Live, Stopped, live
from helpers.training.history import History


def history(epochs: int, seconds: float = 10.0) -> History:
    figures = dict.fromkeys(
        ("lr", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"), 0.5
    )
    return History(
        [{"epoch": i, "seconds": seconds, **figures} for i in range(1, epochs + 1)]
    )


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is shown, as text."""
    found: list[str] = []
    monkeypatch.setattr(shown, "SHARE", float("inf"))
    monkeypatch.setattr(shown, "say", lambda text, **_: found.append(text))
    return found


def test_time_left_follows_the_epochs_so_far(texts: list[str]) -> None:
    with Live(2, 8, 1) as report:
        report("a seed 0", history(1), 4)
        report("a seed 0", history(2), 4)
        report("a seed 0", history(3), 3)  # it has run out of patience
        report("a seed 1", history(4), 4)
    assert texts[0].startswith("a seed 0: epoch 1/4  loss 0.500")
    assert [text.split(" | ", 3)[-1] for text in texts[:-1]] == [
        "10.0 s | 0 of 2 trained | about 01:10 left",
        "10.0 s | 0 of 2 trained | about 01:00 left",
        "10.0 s | 1 of 2 trained | about 00:40 left",
        "10.0 s | 2 of 2 trained | about 00:00 left",
    ]
    assert texts[-1] == "2 of 2 trained, 01:10 of training"


def test_what_goes_wrong_before_there_is_a_point_is_said(texts: list[str]) -> None:
    with pytest.raises(ConfigError, match="seeds is 0"), Live(0, 0, 0):
        raise ConfigError("seeds is 0: expected at least 1.")


def test_side_by_side_the_rest_takes_half_as_long(texts: list[str]) -> None:
    with Live(3, 12, 2) as report:
        report("a", history(4), 4)
    assert texts[0].endswith("1 of 3 trained | about 00:40 left")


@pytest.mark.parametrize(
    ("epochs", "sentence"),
    [
        (0, "stopped with 0 of 2 trained"),
        (3, "a: stopped after epoch 3 of 6"),
        (6, "stopped with 1 of 2 trained"),
    ],
)
def test_stop_says_where_it_was(texts: list[str], epochs: int, sentence: str) -> None:
    live, trained = Live(2, 12, 1), history(epochs)
    if epochs:
        live("a", trained, 6)
        trained.rows.append(trained.rows[-1])  # of this epoch nobody has heard
    with pytest.raises(Stopped) as raised, live:
        raise KeyboardInterrupt
    said = f"{sentence}; run this cell again to go on"
    assert raised.value._render_traceback_() == [said]


def test_another_failure_is_not_changed(texts: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), Live(1, 1, 1):
        raise ZeroDivisionError


def test_a_process_beside_this_one_shows_nothing(texts: list[str]) -> None:
    report = pickle.loads(pickle.dumps(Live(1, 1, 1)))  # noqa: S301
    assert report("a", history(1), 1) is None
    assert texts == []


def test_a_log_has_a_line_for_each_epoch() -> None:
    with live(1, 1, 1) as report:
        assert report is None  # then ``fit`` prints


def test_a_terminal_keeps_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    with live(1, 2, 1) as report:
        assert report
        report("a", history(1), 2)
    passing, last = capsys.readouterr().out.split("\r\x1b[K")[1:]
    assert passing.startswith("a: epoch 1/2")
    assert last == "0 of 1 trained, 00:10 of training\n"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """IPython as JupyterLab's kernel has it."""
    shell = InteractiveShell.instance()
    shell.kernel = None
    monkeypatch.setattr(shown, "get_ipython", lambda: shell)
    monkeypatch.delenv(GIVEN, raising=False)
    yield shell
    InteractiveShell.clear_instance()


def test_jupyterlab_shows_bar_and_curves_in_one_output(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[dict[str, Any]] = []
    publish = lambda **what: published.append(what)  # noqa: E731
    monkeypatch.setattr(shell.display_pub, "publish", publish)
    opened = plt.get_fignums()
    with live(1, 2, 1) as report:
        assert report
        report("<a>", history(1), 2)
    first, *updates = published
    assert {p["transient"]["display_id"] for p in updates} == {
        first["transient"]["display_id"]
    }
    assert all(p["update"] for p in updates)
    html = updates[0]["data"]["text/html"]
    assert '<progress value="0.5"' in html
    assert "&lt;a&gt;: epoch 1/2" in html
    assert 'src="data:image/png;base64,' in html
    assert updates[-1]["data"] == {"text/plain": "0 of 1 trained, 00:10 of training"}
    assert updates[-1]["metadata"] == {"progress": True}
    assert plt.get_fignums() == opened


def test_explained_errors_are_short_and_others_are_not(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shown.shorten_errors()
    shell.user_ns["ConfigError"] = ConfigError
    assert not shell.run_cell("raise ConfigError('say so')").success
    [hint, _, error] = capsys.readouterr().out.rstrip().splitlines()
    assert hint.endswith("use %tb to see the full traceback.")
    assert error.endswith("say so")
    assert not shell.run_cell("raise KeyboardInterrupt").success
    assert capsys.readouterr().out == "stopped; run this cell again\n"
    assert not shell.run_cell("1 / 0").success
    assert "Traceback" in capsys.readouterr().out


TRAIN = """\
from helpers.data import load_data
from helpers.notebook import start_run
from helpers.training import Experiment, TrainConfig
jobs = 2
run = start_run("caltech101/02_improved_cnn")
splits = load_data("caltech101", "synthetic").limit(train=32, valid=16)
rows = {
    "short": Experiment("lenet5", TrainConfig(epochs=1, batch_size=32)),
    "long": Experiment("lenet5", TrainConfig(epochs=100_000, batch_size=32)),
}
run.compare("rows", rows, splits, seeds=1)"""


@pytest.fixture
def kernel(own_folders: None) -> Iterator[tuple[KernelManager, Any]]:
    manager = KernelManager(kernel_name="python3", **own_sockets())
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def is_worker(process: psutil.Process) -> bool:
    command = " ".join(process.cmdline())
    return "loky" in command and "resource_tracker" not in command


def test_stop_ends_trainings_side_by_side(kernel: tuple[KernelManager, Any]) -> None:
    manager, client = kernel
    process = psutil.Process(manager.provisioner.pid)
    streams: list[str] = []
    errors: list[list[str]] = []
    workers: list[psutil.Process] = []

    def watch(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            streams.append(content["text"])
        if message["msg_type"] == "error":
            errors.append(content["traceback"])
        text = content.get("data", {}).get("text/plain", "")
        if "1 of 2 trained" in text and not workers:
            workers.extend(p for p in process.children() if is_worker(p))
            manager.interrupt_kernel()

    client.execute_interactive(TRAIN, output_hook=watch, timeout=300)
    assert errors == [["stopped with 1 of 2 trained; run this cell again to go on"]]
    assert [text for text in streams if "device" not in text] == []
    assert workers
    assert psutil.wait_procs(workers, timeout=60)[1] == []
