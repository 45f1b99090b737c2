from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.base.errors import DataError, WriteError, explained
from helpers.base.files import ROOT, data_dir, exports_dir, write_atomic, write_whole


def test_a_relative_folder_starts_at_the_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # as a kernel works in the folder of its notebook
    monkeypatch.setenv("CNN_DATA", "elsewhere/data")
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path))
    assert data_dir() == ROOT / "elsewhere/data"
    assert exports_dir() == tmp_path


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space, or name another place"),
        (errno.EACCES, "Allow yourself to write there"),
        (errno.EROFS, "Allow yourself to write there"),
    ],
)
def test_what_cannot_be_written_says_why_and_leaves_what_was_there(
    tmp_path: Path, number: int, advice: str
) -> None:
    path = tmp_path / "results.csv"
    path.write_text("old")
    why = os.strerror(number)

    def write() -> None:
        with write_atomic(path) as temporary:
            temporary.write_text("half")
            raise OSError(number, why)

    with pytest.raises(WriteError, match=rf"results\.csv .*\({why}\)\. {advice}"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with (
        pytest.raises(WriteError, match="See what is in the way"),
        write_atomic(tmp_path / "runs/a/b.json"),
    ):
        pass


@pytest.mark.parametrize("name", ["pipe", "folder", "."])
def test_what_is_no_file_is_not_written_over(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(WriteError, match=r"it is no file.*See what is in the way"),
        write_atomic(tmp_path / name),
    ):
        pass
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "labels.txt")
    for content in (b"a", b"b"):
        write_whole(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "far" / "labels.txt").read_bytes() == content


def test_trouble_with_another_file_is_not_mistaken_for_it(tmp_path: Path) -> None:
    elsewhere = PermissionError(errno.EACCES, "denied", "/elsewhere/source")
    with pytest.raises(PermissionError) as caught, write_atomic(tmp_path / "a"):
        raise elsewhere
    assert caught.value is elsewhere


def test_what_a_killed_process_left_half_written_goes_and_no_more(
    tmp_path: Path,
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = platform.node()
    others = {
        f".a.{here}.{os.getpid()}.0.part",
        f".a.another-machine.{dead.pid}.0.part",
        f".b.{here}.{dead.pid}.0.part",
    }
    for name in {*others, f".a.{here}.{dead.pid}.0.part"}:
        (tmp_path / name).touch()
    with write_atomic(tmp_path / "a") as temporary:
        temporary.touch()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a", *others}


def test_a_full_disk_is_not_taken_for_a_damaged_file() -> None:
    with (
        pytest.raises(WriteError, match="is full"),
        explained(DataError, "a.gz cannot be read", "Move it away."),
    ):
        raise WriteError("The disk is full.")
