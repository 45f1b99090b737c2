from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.base.errors import DataError
from helpers.data.catalogue import load_data
from helpers.data.images import load_folder_split
from helpers.data.sets.caltech101 import CLASSES
from helpers.data.synthetic import MARKER, draw_files, draw_images, draw_once

SMALL = {"train/{name}/{number}.jpg": 3, "valid/{name}/{number}.jpg": 1}


def draw_small(folder: Path) -> None:
    draw_files(folder, ("b", "a", "c"), SMALL, size=64)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_two_drawings_have_the_same_bytes(tmp_path: Path) -> None:
    draw_small(tmp_path / "one")
    draw_small(tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert len(content(tmp_path / "one")) == 12


def test_every_image_is_another(tmp_path: Path) -> None:
    draw_small(tmp_path)
    assert len(set(content(tmp_path).values())) == 12


@pytest.mark.parametrize(
    ("num_classes", "size"), [(2, 28), (10, 32), (101, 64), (400, 64)]
)
def test_any_number_of_classes_and_size(num_classes: int, size: int) -> None:
    images = draw_images(
        num_classes - 1, num_classes, 2, size, np.random.default_rng(0)
    )
    assert images.shape == (2, size, size, 3)
    assert images.dtype == np.uint8
    assert images.std() > 10


def test_drawn_once_and_marked(tmp_path: Path) -> None:
    drawn = []

    def draw(folder: Path) -> None:
        drawn.append(folder)
        draw_small(folder)

    folder = tmp_path / "synthetic" / "set"
    draw_once(folder, draw)
    draw_once(folder, draw)
    assert len(drawn) == 1
    assert "only stand in for the real ones" in (folder / MARKER).read_text()
    train = load_folder_split(folder / "train", classes=("a", "b", "c"), size=64)
    assert len(train) == 9


def test_an_older_version_is_drawn_again(tmp_path: Path) -> None:
    old = tmp_path / "set" / "train" / "a" / "old.jpg"
    old.parent.mkdir(parents=True)
    old.touch()
    (tmp_path / "set" / MARKER).write_text("version 0\n")
    draw_once(tmp_path / "set", draw_small)
    assert not old.exists()
    assert len(content(tmp_path / "set")) == 13


def test_an_interrupted_drawing_leaves_nothing(tmp_path: Path) -> None:
    def draw(folder: Path) -> None:
        draw_small(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left"):
        draw_once(tmp_path / "set", draw)
    assert list(tmp_path.iterdir()) == []


def test_the_stand_in_of_caltech101_has_its_form(synthetic_caltech101: Path) -> None:
    assert sorted(
        path.name for path in (synthetic_caltech101 / "train").iterdir()
    ) == list(CLASSES)
    modes = []
    for path in sorted(synthetic_caltech101.rglob("*.jpg")):
        with Image.open(path) as image:
            assert image.size == (64, 64)
            assert image.format == "JPEG"
            modes.append(image.mode)
    assert 0.02 < modes.count("L") / len(modes) < 0.1
    assert set(modes) == {"L", "RGB"}
    for image_of_the_course in ("accordion/image_0001.jpg", "camera/image_0001.jpg"):
        assert (synthetic_caltech101 / "train" / image_of_the_course).is_file()


def test_the_stand_in_is_neither_hopeless_nor_trivial(
    synthetic_caltech101: Path,
) -> None:
    """The nearest class mean in small images is a weak classifier: well above 1 %, far
    below 100 %.
    """
    splits = load_data("caltech101", source="synthetic")
    train, valid = (
        split.images.float().unfold(2, 8, 8).unfold(3, 8, 8).mean((4, 5))
        for split in (splits.train, splits.valid)
    )
    means = train.view(101, 20, -1).mean(1)
    distances = (valid.flatten(1)[:, None] - means).square().sum(2)  # (303, 101)
    accuracy = (distances.argmin(1) == splits.valid.labels).double().mean().item()
    assert 0.05 < accuracy < 0.6
