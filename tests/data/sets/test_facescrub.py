from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.base.errors import ConfigError, DataError
from helpers.base.files import data_dir
from helpers.data.catalogue import data_status, load_data
from helpers.data.sets.facescrub import CLASSES


@pytest.fixture
def faces(tmp_path: Path, write_image: Callable[..., Path]) -> Path:
    """The real layout with 75 small faces of each actor, some of them grayscale."""
    rgb, gray = (
        write_image(tmp_path / f"{mode}.jpg", mode=mode, size=(12, 10)).read_bytes()
        for mode in ("RGB", "L")
    )
    folder = data_dir() / "facescrub" / "faces"
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(75):
            (folder / name / f"{name}_{number:05d}.jpg").write_bytes(
                rgb if number % 9 else gray
            )
    return folder


def test_seventy_of_each_actor_are_for_training_and_the_rest_is_halved(
    faces: Path,
) -> None:
    splits = load_data("facescrub", size=8)
    assert splits.source == "real"
    assert splits.classes == CLASSES == tuple(sorted(CLASSES))
    for split, count in ((splits.train, 70), (splits.valid, 2), (splits.test, 3)):
        assert split is not None
        assert split.labels.bincount().tolist() == [count] * 12
        assert split.images.shape[1:] == (3, 8, 8)
    ids = [i for split in splits.parts.values() for i in split.ids]
    assert len(set(ids)) == len(ids) == 900


def test_the_size_leaves_the_splits_as_they_are(faces: Path) -> None:
    small, large = load_data("facescrub", size=4), load_data("facescrub", size=16)
    assert (small.image_size, large.image_size) == (4, 16)
    for name in small.parts:
        assert small.parts[name].ids == large.parts[name].ids


def test_a_new_face_leaves_the_order_of_the_others(faces: Path) -> None:
    before = load_data("facescrub", size=4)
    (faces / "hader" / "hader_00074.jpg").rename(faces / "hader" / "hader_99999.jpg")
    after = load_data("facescrub", size=4)
    for name, split in before.parts.items():
        assert len(set(split.ids) - set(after.parts[name].ids)) <= 1


@pytest.mark.parametrize("left", [71, 1])
def test_an_actor_with_too_few_faces_is_named(faces: Path, left: int) -> None:
    for path in sorted((faces / "hader").iterdir())[left:]:
        path.unlink()
    with pytest.raises(
        DataError, match=rf"too few faces of hader \({left}\). Expected at least 72"
    ):
        load_data("facescrub", size=8)
    assert data_status("facescrub")[0] == "broken"


def test_seventy_two_are_enough(faces: Path) -> None:
    for path in sorted((faces / "hader").iterdir())[72:]:
        path.unlink()
    splits = load_data("facescrub", size=8)
    hader = CLASSES.index("hader")
    assert [int((split.labels == hader).sum()) for split in splits.parts.values()] == [
        70,
        1,
        1,
    ]


def test_a_missing_actor_is_named(faces: Path) -> None:
    (faces / "hader").rename(faces / "nobody")
    with pytest.raises(DataError, match="missing: hader; not expected: nobody"):
        load_data("facescrub")


def test_an_unreadable_picture_is_named(faces: Path) -> None:
    (faces / "hader" / "hader_00000.jpg").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"hader_00000\.jpg cannot be read as an image"):
        load_data("facescrub", size=8)


def test_without_faces_the_set_is_not_there_yet(faces: Path) -> None:
    faces.rename(faces.with_name("others"))
    with pytest.raises(
        DataError, match=r"facescrub/faces.*python -m helpers data fetch facescrub"
    ):
        load_data("facescrub", source="real")
    assert data_status("facescrub")[0] == "absent"


def test_a_size_that_is_none(faces: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be had at 0 pixels"):
        load_data("facescrub", size=0)
    with pytest.raises(ConfigError, match="caltech101 cannot be had at 28 pixels"):
        load_data("caltech101", size=28)


def test_the_stand_in_has_its_form() -> None:
    splits = load_data("facescrub", size=28)
    assert splits.source == "synthetic"
    assert splits.classes == CLASSES
    assert splits.counts() == {"train": 840, "valid": 60, "test": 60}


def test_the_real_faces(real_facescrub: Path) -> None:
    splits = load_data("facescrub", size=28)
    assert splits.source == "real"
    assert splits.counts() == {"train": 840, "valid": 354, "test": 358}
    assert splits.train.labels.bincount().tolist() == [70] * 12
