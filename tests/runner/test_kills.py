"""Whatever is killed: no process stays, the record is true, and training goes on to the
same bits. ``CNN_KILLS=20`` makes a campaign of it.
"""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import psutil
import pytest
import torch

from helpers.base.record import RunRecord

WriteNotebook = Callable[..., Path]
KILLS = int(os.environ.get("CNN_KILLS", "2"))
# What is killed, and what the record says then.
VICTIMS = {
    "worker": "failed",
    "kernel": "killed",
    "parent": "unfinished",
    "terminal": "unfinished",
    "machine": "unfinished",  # SIGTERM, as when it is shut down
}
WORK_DIR = "exports/.work/course/01_a"
WORK = """\
import os, time
from helpers.base.files import exports_dir
from helpers.base.processes import side_by_side
folder = exports_dir() / ".work/course/01_a"
folder.mkdir(parents=True)
def work(name):
    (folder / name).touch()
    time.sleep(600)
side_by_side(work, [("a",), ("b",)], jobs=2)
"""
TRAIN = f"""\
import torch
from helpers.base.files import exports_dir
from helpers.data.splits import Split, Splits
from helpers.training import Experiment, TrainConfig, run_experiments
images = torch.arange(48 * 3 * 8 * 8).reshape(48, 3, 8, 8).mul(7).to(torch.uint8)
split = Split(images, torch.arange(48) % 3, tuple(map(str, range(48))))
splits = Splits("toy", "synthetic", ("a", "b", "c"), split, split)
config = TrainConfig(epochs={20 * KILLS}, batch_size=16, device="cpu", precision="fp32")
toy = {{"toy": Experiment("improved_cnn", config, {{"widths": (4, 8)}})}}
folder = exports_dir() / ".work/course/01_a"
run_experiments(toy, splits, seeds=2, folder=folder, jobs=2)
"""
RUN = """\
import pathlib, sys
import helpers.base.declared, helpers.runner.plan
for module in (helpers.base.declared, helpers.runner.plan):
    module.notebooks_dir = lambda: pathlib.Path(sys.argv[1])
from helpers.cli import main
main(["run", "--no-export", "--jobs", sys.argv[2]])
"""


@dataclass
class Runner:
    """A run of all notebooks in a terminal of its own."""

    process: subprocess.Popen[bytes]
    terminal: int

    def runs(self) -> bool:
        with suppress(OSError):  # nothing new, or closed
            os.read(self.terminal, 1 << 16)  # a full one would block who prints
        return self.process.poll() is None

    def kill(self, victim: str) -> None:
        family = self.process.children(recursive=True)
        if victim == "terminal":
            os.close(self.terminal)
            self.terminal = -1
        elif victim == "machine":
            self.process.terminate()
        elif victim == "parent":
            self.process.kill()
        else:
            [kernel] = [p for p in family if "ipykernel_launcher" in p.cmdline()]
            workers = [p for p in kernel.children() if "popen_loky" in str(p.cmdline())]
            (kernel if victim == "kernel" else workers[0]).kill()


@contextmanager
def started(notebooks: Path, exports: Path, jobs: int = 1) -> Iterator[Runner]:
    terminal, its_end = pty.openpty()
    os.set_blocking(terminal, False)

    def open_terminal() -> None:
        fcntl.ioctl(its_end, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's tests would ignore it

    process = psutil.Popen(
        [sys.executable, "-c", RUN, str(notebooks), str(jobs)],
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env={
            **os.environ,
            "CNN_EXPORTS": str(exports),
            "JUPYTER_RUNTIME_DIR": str(exports),  # where kernels are found
        },
        start_new_session=True,
        preexec_fn=open_terminal,
    )
    os.close(its_end)
    runner = Runner(process, terminal)
    try:
        yield runner
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()
        process.wait()
        with suppress(OSError):
            os.close(runner.terminal)


def ours(exports: Path) -> list[psutil.Process]:
    """All processes that work for a run."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("CNN_EXPORTS") == str(exports):
                found.append(process)
    return found


def kill(
    victim: str,
    notebooks: Path,
    folder: Path,
    ready: Callable[[Path], bool],
    jobs: int = 1,
) -> None:
    """Kills it when ``ready`` says so of the work folder; looks at what is left."""
    exports = folder / "exports"
    with started(notebooks, exports, jobs) as runner:
        while not ready(folder / WORK_DIR):
            assert runner.runs(), "training was faster: give it more epochs"
            time.sleep(0.01)
        runner.kill(victim)
        while runner.runs():
            time.sleep(0.01)
        assert runner.process.returncode != 0
    deadline = time.monotonic() + 120
    while left := ours(exports):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    record = exports / ".unfinished/course/01_a/metrics.json"
    assert RunRecord.load(record).status == VICTIMS[victim]
    assert not list(folder.rglob("kernel*.json"))


def epochs(work: Path) -> dict[Path, float]:
    """When each training has kept its last epoch."""
    found = {}
    for path in work.glob("*/checkpoint.pt"):
        with suppress(FileNotFoundError):  # it has come to its end meanwhile
            found[path] = path.stat().st_mtime
    return found


def rows(file: Path) -> list[dict[str, float]]:
    """Its epochs, with the time that each took by the clock."""
    content = torch.load(file, weights_only=True)
    return list(content["history"]["rows"])


def weights(notebooks: Path, exports: Path) -> dict[str, torch.Tensor]:
    """Those of all trainings, when they have come to their end."""
    with started(notebooks, exports) as runner:
        while runner.runs():
            time.sleep(0.01)
        assert runner.process.returncode == 0
    points = sorted((exports / ".work/course/01_a").iterdir())
    assert [point.suffix for point in points] == [".pt"] * 2  # no lock, no part
    return {
        f"{point.name} {name}": value
        for point in points
        for name, value in torch.load(point, weights_only=True)["model"].items()
    }


@pytest.mark.parametrize(
    ("victim", "jobs"),
    [*zip(VICTIMS, cycle([1])), ("terminal", 2), ("machine", 2), ("parent", 2)],
)
def test_what_is_killed_leaves_no_process_and_a_true_record(
    notebooks: Path,
    write_notebook: WriteNotebook,
    tmp_path: Path,
    victim: str,
    jobs: int,
) -> None:
    write_notebook("01_a", WORK)
    kill(victim, notebooks, tmp_path, lambda work: len(list(work.glob("*"))) == 2, jobs)


def test_what_is_killed_goes_on_to_the_same_bits(
    notebooks: Path, write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    write_notebook("01_a", TRAIN)
    before: dict[Path, float] = {}
    done: dict[str, list[dict[str, float]]] = {}

    def has_gone_on(work: Path) -> bool:
        now = epochs(work)
        return bool(now) and now != before

    for victim in islice(cycle(VICTIMS), KILLS):
        kill(victim, notebooks, tmp_path, has_gone_on)
        before = epochs(tmp_path / WORK_DIR)
        for name, seen in done.items():  # as far as it is not at its end
            path = tmp_path / WORK_DIR / name / "checkpoint.pt"
            assert not path.is_file() or rows(path)[: len(seen)] == seen
        done |= {path.parent.name: rows(path) for path in before}
    killed = weights(notebooks, tmp_path / "exports")
    assert not list(tmp_path.rglob("*.part"))
    for name, seen in done.items():
        assert rows(tmp_path / WORK_DIR / f"{name}.pt")[: len(seen)] == seen
    unbroken = weights(notebooks, tmp_path / "unbroken")
    assert all(torch.equal(unbroken[name], value) for name, value in killed.items())
