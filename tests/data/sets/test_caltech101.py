from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from official import COUNTS, official_archive
from PIL import Image

from helpers.data.images import shuffled
from helpers.data.sets import caltech101
from helpers.data.sets.caltech101 import CLASSES


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.jpg")
    }


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("converted") / "set"
    folder.mkdir()
    caltech101.convert(official_archive(folder.parent / "caltech-101.zip"), folder)
    return folder


def test_every_image_is_in_one_split(converted: Path) -> None:
    for name in CLASSES:
        train, valid = (
            {f.name for f in (converted / split / name).iterdir()}
            for split in ("train", "valid")
        )
        assert train.isdisjoint(valid)
        count = COUNTS.get(name, COUNTS["other"])
        assert train | valid == {
            f"image_{number:04d}.jpg" for number in range(1, count + 1)
        }
        assert len(valid) == max(1, round(count / 10))


def test_the_background_and_strays_are_left_out(converted: Path) -> None:
    assert sorted(path.name for path in converted.iterdir()) == ["train", "valid"]
    assert sorted(path.name for path in (converted / "train").iterdir()) == list(
        CLASSES
    )
    assert not list(converted.parent.glob(".*"))


def test_the_loader_reads_it(converted: Path) -> None:
    splits = caltech101.load(converted)
    assert splits.classes == CLASSES
    assert sum(splits.counts().values()) == sum(
        COUNTS.get(name, COUNTS["other"]) for name in CLASSES
    )
    assert splits.test is None


def test_the_split_is_always_the_same(converted: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    caltech101.convert(official_archive(tmp_path / "caltech-101.zip"), again)
    assert files(again) == files(converted)
    held_out = sorted(
        path.name for path in (converted / "valid" / "accordion").iterdir()
    )
    assert held_out == ["image_0004.jpg", "image_0022.jpg"]


def test_images_are_squashed_and_keep_their_mode(converted: Path) -> None:
    modes = set()
    for path in converted.glob("*/bass/*.jpg"):
        with Image.open(path) as image:
            assert image.size == (64, 64)
            modes.add(image.mode)
            pixels = np.asarray(image.convert("L"))
        # The original is twice as wide as high: its left half black, its right half
        # white.
        assert pixels[:, :30].max() < 20
        assert pixels[:, 34:].min() > 235
    assert modes == {"L", "RGB"}


def test_the_examples_of_the_course_are_for_training() -> None:
    for name, count in (("accordion", 55), ("camera", 50)):
        files = [Path(name, f"image_{n:04d}.jpg") for n in range(1, count + 1)]
        assert files[0] not in shuffled(files)[: round(count / 10)]
