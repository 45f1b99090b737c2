from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from helpers.base.errors import DataError
from helpers.base.files import ROOT, data_dir
from helpers.data import catalogue
from helpers.data.catalogue import CATALOGUE, data_status, load_data


def test_entries_are_complete() -> None:
    for name, data_set in CATALOGUE.items():
        assert data_set.name == name
        assert data_set.archives or data_set.collect or data_set.how_to_get


def test_the_readme_of_the_data_folder_names_every_set_and_hash() -> None:
    readme = (ROOT / "data" / "README.md").read_text()
    for name, data_set in CATALOGUE.items():
        assert f"| `{name}` | `{data_set.folder}/" in readme
        for url, sha256 in data_set.archives.items():
            assert re.search(rf"{re.escape(url)}.* \| `{sha256}`", readme)


def test_real_folders_are_loaded(small_caltech101: Path) -> None:
    splits = load_data("caltech101", source="real")
    assert splits.source == "real"
    assert splits.counts() == {"train": 101, "valid": 101}
    assert splits.train.images.shape == (101, 3, 64, 64)
    assert splits.train.ids[:2] == ("Faces/image_0001.jpg", "Faces_easy/image_0001.jpg")
    assert splits.train.labels.tolist() == list(range(101))
    gray = splits.valid.images
    assert torch.equal(gray[:, 0], gray[:, 2])  # grayscale files mix with the others
    assert not torch.equal(splits.train.images[:, 0], splits.train.images[:, 2])


def test_auto_takes_the_real_set_if_it_is_there(small_caltech101: Path) -> None:
    assert load_data("caltech101").source == "real"


def test_auto_takes_the_stand_in_otherwise() -> None:
    splits = load_data("caltech101")
    assert splits.source == "synthetic"
    assert splits.counts() == {"train": 2020, "valid": 303}
    assert len(splits.classes) == 101


def test_a_missing_set_says_where_and_what_to_do() -> None:
    with pytest.raises(DataError) as caught:
        load_data("caltech101", source="real")
    for part in (
        str(data_dir() / "caltech101"),
        "python -m helpers data fetch caltech101",
        'source="synthetic"',
    ):
        assert part in str(caught.value)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(
        DataError, match="no data set 'caltech256': known are caltech101"
    ):
        load_data("caltech256")


def test_unknown_source_lists_the_known() -> None:
    with pytest.raises(
        DataError, match="no data source 'fake': known are auto, real, synthetic"
    ):
        load_data("caltech101", source="fake")


def truncate(folder: Path) -> Path:
    image = folder / "train/bass/image_0001.jpg"
    image.write_bytes(image.read_bytes()[:700])
    return image


def make_empty(folder: Path) -> Path:
    image = folder / "valid/bass/image_0002.jpg"
    image.write_bytes(b"")
    return image


def put_text_under_an_image_name(folder: Path) -> Path:
    image = folder / "train/bass/image_0003.jpg"
    image.write_text("not an image")
    return image


def put_another_file(folder: Path) -> Path:
    file = folder / "train/bass/notes.txt"
    file.write_text("not an image")
    return file


def empty_a_class(folder: Path) -> Path:
    (folder / "train/bass/image_0001.jpg").unlink()
    return folder / "train/bass"


def only_in_train(folder: Path) -> str:
    shutil.rmtree(folder / "valid/bass")
    return r"valid .*missing: bass"


def only_in_valid(folder: Path) -> str:
    shutil.rmtree(folder / "train/bass")
    return r"train .*missing: bass"


def unknown_class_in_valid(folder: Path) -> str:
    shutil.copytree(folder / "valid/bass", folder / "valid/basso")
    return r"valid .*not expected: basso"


def no_valid_at_all(folder: Path) -> Path:
    shutil.rmtree(folder / "valid")
    return folder / "valid"


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        make_empty,
        put_text_under_an_image_name,
        put_another_file,
        empty_a_class,
        only_in_train,
        only_in_valid,
        unknown_class_in_valid,
        no_valid_at_all,
    ],
)
def test_damage_is_named_and_never_replaced_by_the_stand_in(
    small_caltech101: Path, damage: Callable[[Path], Path | str]
) -> None:
    load_data("caltech101")  # a decoded copy must not hide the damage
    named = damage(small_caltech101)
    pattern = named if isinstance(named, str) else f"{re.escape(str(named))} "
    with pytest.raises(DataError, match=pattern):
        load_data("caltech101", source="auto")
    state, detail = data_status("caltech101")
    assert state == "broken"
    assert re.search(pattern, detail)


def test_a_folder_that_cannot_be_read_is_broken(
    small_caltech101: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small_caltech101.is_dir()

    def refuse(*_: object, **_options: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(catalogue, "load_data", refuse)
    assert data_status("caltech101") == ("broken", "not yours")


def test_status_of_what_is_there(small_caltech101: Path) -> None:
    state, detail = data_status("caltech101")
    assert state == "present"
    assert "101 train, 101 valid images in 101 classes" in detail


def test_a_hidden_file_is_no_data_set() -> None:
    folder = data_dir() / "caltech101"
    folder.mkdir(parents=True)
    (folder / ".DS_Store").touch()
    assert load_data("caltech101").source == "synthetic"
    assert data_status("caltech101")[0] == "absent"


def test_status_of_what_is_not() -> None:
    state, detail = data_status("caltech101")
    assert state == "absent"
    assert "python -m helpers data fetch caltech101" in detail


def test_the_real_caltech101(real_caltech101: Path) -> None:
    splits = load_data("caltech101")
    assert splits.source == "real"
    assert splits.counts() == {"train": 7425, "valid": 820}
    assert splits.train.labels.unique().tolist() == list(range(101))
    assert set(splits.train.ids).isdisjoint(splits.valid.ids)
    gray = (
        (splits.train.images[:, 0] == splits.train.images[:, 1])
        .flatten(1)
        .all(dim=1)
        .sum()
    )
    assert gray >= 319  # as many files are grayscale


@pytest.mark.parametrize("name", ["caltech101", "mnist", "cifar10", "clipart"])
def test_an_empty_folder_holds_no_data_set(name: str) -> None:
    CATALOGUE[name].path.mkdir(parents=True)
    assert data_status(name)[0] == "absent"
    assert load_data(name).source == "synthetic"
