"""What all tests share: their own data and exports folders, stand-ins, real sets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

# Before torch is imported anywhere, and inherited by every process that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"

from helpers.base.files import ROOT, data_dir
from helpers.base.record import RunRecord
from helpers.data.staging import staged

PACKED = ROOT.parent / "shared" / "datasets"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the data, exports and repositories of the person who runs
    it, uses their cluster or proxy, or knows who that is.
    """
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path / "exports"))
    monkeypatch.setenv("CNN_HAND_IN", str(tmp_path / "hand-in.toml"))
    # Nor their settings of git and IPython.
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name in ("RAY_ADDRESS", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)  # git sets its own for hooks
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder without any set: stand-ins are drawn."""
    return tmp_path_factory.mktemp("drawn")


def packed(name: str) -> Path:
    """A data folder with the real set ``name``, laid out once per machine; skips where
    it is not packed there.
    """
    if not (PACKED / f"{name}.tar").is_file():
        pytest.skip(f"needs the real {name}, packed in {PACKED}")
    tar = (PACKED / f"{name}.tar").stat()
    shared = Path(tempfile.gettempdir()) / f"cnn-course-notebooks-{os.getuid()}"
    folder = shared / f"{name}-{tar.st_size}-{tar.st_mtime_ns}"
    if not (folder / f".{name}.prepared").is_file():  # or a cleaner has been there
        shutil.rmtree(folder, ignore_errors=True)
        with staged(folder) as temporary:
            subprocess.run(
                [sys.executable, PACKED / "prepare.py", temporary, name], check=True
            )
    return folder


@pytest.fixture
def real_caltech101(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder holds the real Caltech-101; skipped where it is not packed beside
    the repository.
    """
    monkeypatch.setenv("CNN_DATA", str(packed("caltech101")))
    return data_dir() / "caltech101"


@pytest.fixture
def real_cifar10(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder holds the real CIFAR-10; skipped likewise."""
    monkeypatch.setenv("CNN_DATA", str(packed("cifar10")))
    return data_dir() / "cifar-10-batches-py"


@pytest.fixture
def real_artists(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder holds the real paintings; skipped likewise."""
    monkeypatch.setenv("CNN_DATA", str(packed("artists")))
    return data_dir() / "artists"


@pytest.fixture
def real_facescrub(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder holds the real faces of FaceScrub; skipped likewise."""
    monkeypatch.setenv("CNN_DATA", str(packed("facescrub")))
    return data_dir() / "facescrub"


@pytest.fixture
def real_clipart(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder holds the real drawings; skipped likewise."""
    monkeypatch.setenv("CNN_DATA", str(packed("clipart")))
    return data_dir() / "clipart"


@pytest.fixture
def real_mnist(own_folders: None) -> Path:
    """The data folder holds the real MNIST, still packed; skipped where it is not
    beside the repository.
    """
    if not (PACKED / "mnist").is_dir():
        pytest.skip(f"needs the real MNIST, packed in {PACKED}")
    raw = data_dir() / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (PACKED / "mnist").iterdir():
        shutil.copy(file, raw)
    return raw


@pytest.fixture
def run_elsewhere() -> Iterator[Callable[[str, Path], subprocess.Popen[str]]]:
    """Begins a run of a notebook in another process, which holds it until its end."""
    code = (
        "import sys; from pathlib import Path; from helpers.base.processes import hold;"
        "print(hold(Path(sys.argv[1])), flush=True); sys.stdin.read()"
    )
    with ExitStack() as stack:

        def write(name: str, record: Path) -> subprocess.Popen[str]:
            RunRecord(name).save(record)
            line = [sys.executable, "-c", code, str(record.parent)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            process = subprocess.Popen(line, cwd=ROOT, text=True, **pipes)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "True\n"
            return process

        yield write
