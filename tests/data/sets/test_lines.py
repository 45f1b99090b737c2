from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from helpers.base.errors import DataError
from helpers.base.files import data_dir
from helpers.data.catalogue import data_status, load_data
from helpers.data.download import fetch
from helpers.data.sets import lines
from helpers.data.sets.lines import CLASSES, COMBINATIONS, FACTORS, draw_lines
from helpers.data.splits import Splits

SIDE = lines.IMAGE_SIZE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real data set, all 96,000 images."""
    folder = tmp_path_factory.mktemp("data") / "lines"
    lines.make(folder)
    return folder


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return lines.load(folder)


@pytest.fixture(scope="module")
def images(folder: Path) -> NDArray[np.uint8]:
    """All images by class (96, 1000, 3, 28, 28)."""
    with np.load(folder / lines.FILE) as arrays:
        assert arrays["labels"].tolist() == np.repeat(np.arange(96), 1000).tolist()
        pixels: NDArray[np.uint8] = arrays["images"]
    return pixels.reshape(96, 1000, 3, SIDE, SIDE)


@pytest.mark.parametrize("shape", [(960, 3, SIDE, SIDE), (96_000, 1, 1, 1)])
def test_other_images_are_not_taken_for_these(shape: tuple[int, ...]) -> None:
    place = data_dir() / "lines"
    place.mkdir(parents=True)
    pixels = np.zeros(shape, np.uint8 if shape[1] == 3 else np.float32)
    np.savez_compressed(place / lines.FILE, images=pixels)
    with pytest.raises(DataError, match=r"images of (uint8|float32)\)\. Move"):
        load_data("lines")


def test_what_is_in_the_way_is_a_broken_set() -> None:
    data_dir().mkdir(parents=True)
    (data_dir() / "lines").touch()
    assert data_status("lines")[0] == "broken"


def test_names_factors_and_labels_agree() -> None:
    assert len(set(CLASSES)) == 96
    assert list(FACTORS) == ["length", "width", "color", "angle"]
    assert CLASSES[0] == "7×1 red 0°"
    assert CLASSES[95] == "15×3 blue 165°"
    for label, combination in enumerate(product(*FACTORS.values())):
        length, width, color, angle = combination
        assert CLASSES[label] == f"{length}×{width} {color} {angle}"
        places = [
            values.index(value)
            for values, value in zip(FACTORS.values(), combination, strict=True)
        ]
        assert (
            np.ravel_multi_index(places, [len(values) for values in FACTORS.values()])
            == label
        )


def test_a_class_has_the_right_colour_on_black(images: NDArray[np.uint8]) -> None:
    for label, (_, _, color, _) in enumerate(COMBINATIONS):
        brightest = images[label].max(axis=(0, 2, 3))
        assert (brightest > 0).tolist() == [color == "red", False, color == "blue"]


def test_no_line_is_cut_off(images: NDArray[np.uint8]) -> None:
    """The covered area is length × width in every image of every class; of a line cut
    off, some is missing.
    """
    for label, (length, width, _, angle) in enumerate(COMBINATIONS):
        area = images[label].sum(axis=(1, 2, 3)) / (255 * int(length) * int(width))
        # Along the pixels the share that is covered is exact; across them it depends on
        # the place a little.
        tolerance = (
            0.01 if int(angle.removesuffix("°")) % 90 == 0 else 0.14 / int(width)
        )
        assert np.abs(area - 1).max() < tolerance, CLASSES[label]
        assert abs(area.mean() - 1) < 0.01, CLASSES[label]
        shown = images[label].max(axis=1)
        outermost = np.stack(
            [shown[:, 0], shown[:, -1], shown[:, :, 0], shown[:, :, -1]]
        )  # (4, N, 28)
        touching = outermost.max(axis=(0, 2)) > 0
        assert 10 < touching.sum() < 990
        assert abs(area[touching].mean() - area[~touching].mean()) < 0.02, CLASSES[
            label
        ]


def test_a_line_in_the_corner_is_whole() -> None:
    corner = cast(
        "np.random.Generator",
        SimpleNamespace(uniform=lambda low, _, size: np.full(size, low)),
    )
    (flat,) = draw_lines(7, 1, 0, 1, corner)
    assert flat[0, :7].tolist() == [255] * 7
    assert flat.sum() == 7 * 255
    for angle in range(0, 180, 15):
        (line,) = draw_lines(15, 3, angle, 1, corner)
        assert line.sum() / 255 == pytest.approx(45, rel=0.04)
        assert line[:2].max() > 0
        assert line[:, :2].max() > 0


def test_lines_lie_everywhere_and_have_their_angle(images: NDArray[np.uint8]) -> None:
    axis = np.arange(SIDE)
    for label in range(0, 96, 5):
        angle = int(COMBINATIONS[label][3].removesuffix("°"))
        weights = images[label].sum(axis=1, dtype=np.float64)
        weights /= weights.sum(axis=(1, 2), keepdims=True)
        x, y = (weights.sum(axis=1) * axis).sum(1), (weights.sum(axis=2) * axis).sum(1)
        assert abs(x.mean() - (SIDE - 1) / 2) < 1
        assert abs(y.mean() - (SIDE - 1) / 2) < 1
        dx, dy = axis - x[:, None], y[:, None] - axis  # dy: upwards
        cross = (weights * dy[:, :, None] * dx[:, None, :]).sum((1, 2))
        spread = (weights.sum(1) * dx**2).sum(1) - (weights.sum(2) * dy**2).sum(1)
        measured = (
            np.rad2deg(np.arctan2(2 * cross, spread)) / 2
        )  # the long axis of the second moments
        assert np.abs((measured - angle + 90) % 180 - 90).max() < 5
    covered = images.max(axis=(0, 1, 2)) > 0
    assert covered.all()


def test_no_two_images_are_the_same(images: NDArray[np.uint8]) -> None:
    flat = np.ascontiguousarray(images).reshape(96_000, -1)
    assert len({image.tobytes() for image in flat}) == 96_000


def test_the_split_is_three_to_two_in_every_class(splits: Splits) -> None:
    assert splits.counts() == {"train": 51_840, "valid": 5_760, "test": 38_400}
    for name, each in {"train": 540, "valid": 60, "test": 400}.items():
        assert splits.parts[name].labels.bincount(minlength=96).tolist() == [each] * 96
    ids = [name for split in splits.parts.values() for name in split.ids]
    assert len(set(ids)) == 96_000
    assert splits.valid.ids[0] == "7×1 red 0°/0540"
    assert torch.equal(
        splits.find("15×3 blue 165°/0999"), splits.parts["test"].images[-1]
    )


def test_a_split_holds_the_images_that_its_ids_say(
    splits: Splits, images: NDArray[np.uint8]
) -> None:
    for split in splits.parts.values():
        for index in range(0, len(split), 997):
            number = int(split.ids[index].rpartition("/")[2])
            assert np.array_equal(
                split.images[index].numpy(), images[split.labels[index], number]
            )


def test_a_seed_always_gives_the_same_lines() -> None:
    def draw(seed: int) -> NDArray[np.uint8]:
        return draw_lines(15, 1, 30, 20, np.random.default_rng(seed))

    assert np.array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "IMAGES_PER_CLASS", 10)


@pytest.mark.usefixtures("few")
def test_it_is_made_when_it_is_first_asked_for() -> None:
    assert data_status("lines")[0] == "absent"
    assert "python -m helpers data fetch lines" in data_status("lines")[1]
    splits = load_data("lines")
    assert (splits.source, splits.factors) == ("real", FACTORS)
    assert splits.counts() == {"train": 480, "valid": 96, "test": 384}
    assert data_status("lines")[0] == "present"
    assert sorted(path.name for path in data_dir().iterdir()) == ["lines"]
    assert [path.name for path in (data_dir() / "lines").iterdir()] == [lines.FILE]


@pytest.mark.usefixtures("few")
def test_an_interrupted_make_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lines.np, "savez_compressed", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch("lines")
    assert list((data_dir() / "lines").iterdir()) == []
    assert fetch("lines") == data_dir() / "lines"


@pytest.mark.usefixtures("few")
def test_what_else_is_in_the_folder_is_left_alone() -> None:
    own = data_dir() / "lines" / "mine.png"
    own.parent.mkdir(parents=True)
    own.touch()
    load_data("lines")
    assert own.exists()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_a_broken_file_is_named(content: bytes | None) -> None:
    load_data("lines")
    file = data_dir() / "lines" / lines.FILE
    file.write_bytes(file.read_bytes()[:-500] if content is None else content)
    with pytest.raises(
        DataError, match=r"lines\.npz cannot be read .*Move .*, and it is made again"
    ):
        load_data("lines")
    assert data_status("lines")[0] == "broken"


@pytest.mark.usefixtures("few")
def test_a_wrong_shape_is_named_and_a_missing_file_made_again() -> None:
    load_data("lines")
    file = data_dir() / "lines" / lines.FILE
    np.savez_compressed(
        file, images=np.zeros((95, 3, 28, 28), np.uint8), labels=np.zeros(95, np.uint8)
    )
    with pytest.raises(DataError, match=r"lines\.npz cannot be read"):
        load_data("lines")
    file.unlink()
    assert load_data("lines").counts()["train"] == 480


def test_the_stand_in_is_small_and_other(splits: Splits) -> None:
    drawn = load_data("lines", source="synthetic")
    assert (drawn.source, drawn.classes, drawn.factors) == (
        "synthetic",
        CLASSES,
        FACTORS,
    )
    assert drawn.counts() == {"train": 27 * 96, "valid": 3 * 96, "test": 20 * 96}
    assert not torch.equal(drawn.train.images[0], splits.train.images[0])
