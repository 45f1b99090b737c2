from __future__ import annotations

import errno
from pathlib import Path

import pytest

from helpers.base.errors import DataError
from helpers.data.staging import fill_once, staged


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
        pytest.raises(DataError, match=r"set could not be written \(.*No space left"),
        staged(tmp_path / "set"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_the_data_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(DataError, match="could not be written"),
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


def test_filled_once_for_each_version(tmp_path: Path) -> None:
    folder = tmp_path / "set"

    def fill(place: Path) -> None:
        (place / f"image_{len(filled)}").touch()
        filled.append(place)

    filled: list[Path] = []
    for version in ("version 1", "version 1", "version 2"):
        fill_once(folder, fill, marker="about.txt", text=version)
    assert sorted(path.name for path in folder.iterdir()) == ["about.txt", "image_1"]
    assert (folder / "about.txt").read_text() == "version 2"


def test_a_folder_without_marker_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").touch()
    with pytest.raises(
        DataError, match="set is to be generated but holds something else"
    ):
        fill_once(tmp_path / "set", lambda _: None, marker="about.txt", text="")
    assert (tmp_path / "set" / "mine").exists()
