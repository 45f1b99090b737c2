from __future__ import annotations

import errno
from pathlib import Path

import pytest

from helpers.base.errors import WriteError
from helpers.data.staging import staged


def test_the_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "set"
    with staged(target) as folder:
        (folder / "file").write_text("content")
        assert not target.exists()
    assert (target / "file").read_text() == "content"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("failure", [ValueError("a bug"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    def half_make() -> None:
        with staged(tmp_path / "set") as folder:
            (folder / "file").touch()
            raise failure

    with pytest.raises(type(failure)):
        half_make()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_explained_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(WriteError, match=r"set cannot be written \(.*No space left"),
        staged(tmp_path / "set"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_the_data_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(WriteError, match="cannot be written"),
        staged(tmp_path / "file" / "set"),
    ):
        pass


def test_of_two_processes_the_first_wins(tmp_path: Path) -> None:
    target = tmp_path / "set"
    with staged(target) as slower:
        (slower / "file").write_text("slower")
        with staged(target) as faster:
            (faster / "file").write_text("faster")
    assert (target / "file").read_text() == "faster"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_of_clutter_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/.DS_Store").touch()
    with (
        pytest.raises(WriteError, match="See what is in the way"),
        staged(tmp_path / "set") as folder,
    ):
        (folder / "file").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["set", ".DS_Store"]
