from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from official import write_idx, write_mnist

from helpers.base.errors import DataError
from helpers.base.files import data_dir
from helpers.data.catalogue import data_status, load_data
from helpers.data.splits import Splits

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def small() -> Path:
    """Official-looking files with 300 and 20 images, in the place of the real ones."""
    return write_mnist(data_dir() / "MNIST" / "raw", train=300, t10k=20)


@pytest.mark.parametrize("place", ["{}", "{}.folder/{}", "../{}"])
def test_files_as_other_programs_unpack_them(small: Path, place: str) -> None:
    expected = load_data("mnist")
    for file in sorted(small.iterdir()):
        if file.suffix == ".gz":
            file.unlink()
            continue
        name = file.name.replace("-idx", ".idx")
        target = small / place.format(name, name)
        target.parent.mkdir(exist_ok=True)
        file.rename(target)
    assert load_data("mnist").fingerprint() == expected.fingerprint()


def assert_disjoint(splits: Splits) -> None:
    ids = [name for split in splits.parts.values() for name in split.ids]
    assert len(set(ids)) == len(ids)


def assert_in_proportion(splits: Splits) -> None:
    """The digits have the same shares in every part of the training set, to within one
    image.
    """
    parts = [
        split for split in splits.parts.values() if split.ids[0].startswith("train/")
    ]
    whole = torch.cat([split.labels for split in parts]).bincount(minlength=10)
    for split in parts:
        expected = whole * len(split) / whole.sum()
        assert (split.labels.bincount(minlength=10) - expected).abs().max() <= 1


@pytest.mark.usefixtures("small")
def test_the_training_set_is_split_three_to_two() -> None:
    splits = load_data("mnist")
    assert splits.source == "real"
    assert splits.counts() == {"train": 162, "valid": 18, "test": 120}
    assert (splits.channels, splits.image_size, splits.classes) == (
        1,
        28,
        tuple("0123456789"),
    )
    assert_disjoint(splits)
    assert_in_proportion(splits)
    assert {name.partition("/")[0] for name in splits.parts["test"].ids} == {"train"}


@pytest.mark.usefixtures("small")
def test_the_usual_split_keeps_the_official_test_set() -> None:
    splits = load_data("mnist_60k")
    assert splits.counts() == {"train": 270, "valid": 30, "test": 20}
    assert splits.parts["test"].ids == tuple(f"t10k/{n:05d}" for n in range(20))
    assert_disjoint(splits)
    assert_in_proportion(splits)


def test_images_stay_with_their_labels_and_ids(small: Path) -> None:
    pixels = np.frombuffer(
        gzip.decompress((small / f"{IMAGES}.gz").read_bytes())[16:], np.uint8
    ).reshape(-1, 28, 28)
    for name in ("mnist", "mnist_60k"):
        split = load_data(name).train
        for image, label, place in zip(
            split.images, split.labels, split.ids, strict=True
        ):
            number = int(place.removeprefix("train/"))
            assert np.array_equal(image[0].numpy(), pixels[number])
            assert label == number % 10


@pytest.mark.usefixtures("small")
def test_the_split_is_always_the_same() -> None:
    assert load_data("mnist").fingerprint() == load_data("mnist").fingerprint()


def test_packed_and_plain_files_are_read(small: Path) -> None:
    packed = load_data("mnist")
    assert (small / IMAGES).is_file()  # where torchvision would look for it too
    for file in small.glob("*.gz"):
        file.unlink()
    assert load_data("mnist").fingerprint() == packed.fingerprint()


def test_a_missing_file_is_named(small: Path) -> None:
    (small / f"{LABELS}.gz").unlink()
    with pytest.raises(DataError, match=rf"{LABELS} cannot be .*data fetch mnist"):
        load_data("mnist")
    assert data_status("mnist")[0] == "broken"


def test_a_truncated_gz_is_named_and_leaves_nothing(small: Path) -> None:
    packed = small / f"{IMAGES}.gz"
    packed.write_bytes(packed.read_bytes()[:2000])
    with pytest.raises(DataError, match=rf"{IMAGES} cannot be read, or unpacked"):
        load_data("mnist")
    assert not list(small.glob(f"*{IMAGES}"))
    assert not list(small.glob("*.part"))


def test_what_is_no_gz_is_named(small: Path) -> None:
    (small / f"{LABELS}.gz").write_text("<html>Not found</html>")
    with pytest.raises(DataError, match=rf"{LABELS} cannot be read, or unpacked"):
        load_data("mnist_60k")


@pytest.mark.parametrize("keep", [0, 3, 10, 16, 5000, -1])
@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_a_truncated_idx_is_named(small: Path, name: str, keep: int) -> None:
    content = gzip.decompress((small / f"{name}.gz").read_bytes())
    (small / name).write_bytes(content[: min(keep, len(content) - 1)])
    with pytest.raises(DataError, match=rf"{name} cannot be read"):
        load_data("mnist")


def test_one_label_too_few_is_noticed(small: Path) -> None:
    write_idx(small / f"{LABELS}.gz", np.zeros(299, dtype=np.uint8))
    with pytest.raises(DataError, match=r"holds images \(300, 28, 28\) for 299 labels"):
        load_data("mnist")


def test_a_label_that_is_no_digit_is_noticed(small: Path) -> None:
    write_idx(small / f"{LABELS}.gz", (np.arange(300) % 11).astype(np.uint8))
    with pytest.raises(DataError, match="for 300 labels up to 10 in train"):
        load_data("mnist")


def test_the_stand_in_has_its_form_and_is_neither_hopeless_nor_trivial() -> None:
    """The nearest class mean in small images is a weak classifier: well above 10 %, far
    below 100 %.
    """
    splits = load_data("mnist", source="synthetic")
    assert splits.counts() == {"train": 1620, "valid": 180, "test": 1200}
    assert load_data("mnist_60k", source="synthetic").counts() == {
        "train": 2700,
        "valid": 300,
        "test": 500,
    }
    train, test = (
        split.images.float().unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)).flatten(1)
        for split in (splits.train, splits.parts["test"])
    )
    means = torch.stack(
        [train[splits.train.labels == digit].mean(0) for digit in range(10)]
    )
    distances = (test[:, None] - means).square().sum(2)  # (1200, 10)
    accuracy = (
        (distances.argmin(1) == splits.parts["test"].labels).double().mean().item()
    )
    assert 0.12 < accuracy < 0.8


@pytest.mark.usefixtures("real_mnist")
def test_the_real_mnist() -> None:
    splits = load_data("mnist")
    assert splits.source == "real"
    assert splits.counts() == {"train": 32_400, "valid": 3_600, "test": 24_000}
    assert_disjoint(splits)
    assert_in_proportion(splits)
    usual = load_data("mnist_60k")
    assert usual.counts() == {"train": 54_000, "valid": 6_000, "test": 10_000}
    assert usual.parts["test"].labels[:5].tolist() == [7, 2, 1, 0, 4]
    mean, std = usual.channel_stats()
    assert (mean[0], std[0]) == (
        pytest.approx(0.1307, abs=5e-4),
        pytest.approx(0.3081, abs=5e-4),
    )
