from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.base.errors import DataError
from helpers.base.files import data_dir
from helpers.data import Batches
from helpers.data.catalogue import load_data
from helpers.data.sets.artists import CLASSES


def write_set(write_image: Callable[..., Path], *, count: int = 10) -> Path:
    """The real layout with ``count`` images of each artist."""
    for name in CLASSES:
        for number in range(count):
            write_image(
                data_dir() / "artists" / name / f"{number}.png",
                mode="L" if number == 3 else "RGB",
            )
    return data_dir() / "artists"


def test_a_fifth_of_each_artist_is_for_validation(
    write_image: Callable[..., Path],
) -> None:
    write_set(write_image)
    splits = load_data("artists")
    assert splits.source == "real"
    assert splits.classes == CLASSES == tuple(sorted(CLASSES))
    assert splits.train.labels.bincount().tolist() == [8] * 11
    assert splits.valid.labels.bincount().tolist() == [2] * 11
    assert splits.test is None
    assert splits.train.images.shape == (88, 3, 50, 50)
    assert set(splits.train.ids).isdisjoint(splits.valid.ids)


def test_the_split_depends_on_the_names_alone(write_image: Callable[..., Path]) -> None:
    folder = write_set(write_image)
    ids = load_data("artists").valid.ids
    assert load_data("artists", size=32).valid.ids == ids
    for path in folder.glob("*/*.png"):
        Image.new("RGB", (20, 20)).save(path)
    assert load_data("artists").valid.ids == ids


def test_shrinking_averages(write_image: Callable[..., Path]) -> None:
    folder = write_set(write_image)
    checks = (
        np.indices((256, 256)).sum(0) % 2 * 255
    )  # one-pixel checks: gray when shrunk with care
    Image.fromarray(checks.astype(np.uint8)).save(folder / "rembrandt" / "0.png")
    image = load_data("artists").find("rembrandt/0").int()
    assert (image - 127).abs().max() < 12


def test_the_values_of_the_course(write_image: Callable[..., Path]) -> None:
    write_set(write_image)
    splits = load_data("artists").normalised_with((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
    mean, std = splits.channel_stats()
    batches = Batches(splits.train, 88, device=torch.device("cpu"), mean=mean, std=std)
    images, _ = batches.take(*batches.order(0))
    assert torch.allclose(images, splits.train.images / 255 - 0.5, atol=1e-6)
    assert images.min() >= -0.5
    assert images.max() <= 0.5


def test_a_missing_artist_is_named(write_image: Callable[..., Path]) -> None:
    folder = write_set(write_image)
    (folder / "rembrandt").rename(folder / "rembrand")
    with pytest.raises(DataError, match="missing: rembrandt; not expected: rembrand"):
        load_data("artists")


def test_an_unreadable_picture_is_named(write_image: Callable[..., Path]) -> None:
    folder = write_set(write_image)
    (folder / "rembrandt" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"rembrandt/0\.png cannot be read as an image"):
        load_data("artists")


def test_the_stand_in_has_its_form() -> None:
    splits = load_data("artists")
    assert splits.source == "synthetic"
    assert splits.classes == CLASSES
    assert splits.counts() == {"train": 176, "valid": 44}
    assert splits.train.images.shape[1:] == (3, 50, 50)


def test_the_real_paintings(real_artists: Path) -> None:
    splits = load_data("artists")
    assert splits.counts() == {"train": 360, "valid": 91}
    counts = splits.train.labels.bincount() + splits.valid.labels.bincount()
    assert counts.tolist() == [
        20,
        54,
        63,
        70,
        40,
        40,
        37,
        36,
        28,
        40,
        23,
    ]  # table 1 of the course
