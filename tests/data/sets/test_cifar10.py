from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from official import write_cifar10

from helpers.base.errors import DataError
from helpers.base.files import data_dir
from helpers.data.catalogue import data_status, load_data
from helpers.data.sets import cifar10
from helpers.data.splits import Splits


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Batches of 100 images in place of the real ones."""
    return write_cifar10(data_dir() / cifar10.FOLDER, monkeypatch)


def assert_one_place_each(splits: Splits) -> None:
    ids = [name for split in splits.parts.values() for name in split.ids]
    assert len(set(ids)) == len(ids)


@pytest.mark.usefixtures("small")
def test_a_tenth_of_each_class_is_for_validation() -> None:
    splits = load_data("cifar10")
    assert splits.source == "real"
    assert splits.counts() == {"train": 450, "valid": 50, "test": 100}
    assert (splits.channels, splits.image_size, splits.classes[3]) == (3, 32, "cat")
    assert splits.train.labels.bincount().tolist() == [45] * 10
    assert splits.valid.labels.bincount().tolist() == [5] * 10
    assert {name.partition("/")[0] for name in splits.parts["test"].ids} == {"test"}
    assert_one_place_each(splits)


def test_the_folder_in_the_archive_may_lie_in_another_of_its_name(small: Path) -> None:
    expected = load_data("cifar10")
    outer = small.rename(small.with_name("outer"))
    small.mkdir()
    outer.rename(small / small.name)
    assert load_data("cifar10").fingerprint() == expected.fingerprint()


def test_images_stay_with_their_labels_and_places(small: Path) -> None:
    files = [small / name for name in cifar10.BATCHES]
    batches = [pickle.loads(file.read_bytes()) for file in files]  # noqa: S301
    splits = load_data("cifar10")
    for split in (splits.train, splits.valid):
        for image, label, place in zip(
            split.images, split.labels, split.ids, strict=True
        ):
            batch, row = divmod(int(place.removeprefix("train/")), 100)
            assert (
                bytes(image.flatten().tolist()) == batches[batch]["data"][row].tobytes()
            )
            assert label == batches[batch]["labels"][row]


@pytest.mark.usefixtures("small")
def test_the_split_is_always_the_same() -> None:
    assert load_data("cifar10").fingerprint() == load_data("cifar10").fingerprint()


@pytest.mark.parametrize("name", ["data_batch_2", "test_batch", "batches.meta"])
@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_file_that_is_cut_short_is_named(small: Path, name: str, keep: int) -> None:
    content = (small / name).read_bytes()
    (small / name).write_bytes(content[:keep])
    with pytest.raises(
        DataError,
        match=rf"{name} is missing, cut short or damaged: .* MD5, .*data fetch cifar10",
    ):
        load_data("cifar10", source="auto")
    assert data_status("cifar10")[0] == "broken"


def test_another_file_is_never_unpickled(small: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "run",)

    (small / "data_batch_5").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(
        DataError, match="data_batch_5 is missing, cut short or damaged"
    ):
        load_data("cifar10")
    assert not (tmp_path / "run").exists()


def test_a_missing_file_is_named(small: Path) -> None:
    (small / "data_batch_4").unlink()
    with pytest.raises(DataError, match=r"data_batch_4 is missing, .* get it with"):
        load_data("cifar10")


def test_the_stand_in_is_neither_hopeless_nor_trivial() -> None:
    """The nearest class mean in small images is a weak classifier: well above 10 %, far
    below 100 %.
    """
    splits = load_data("cifar10")
    assert splits.source == "synthetic"
    assert splits.counts() == {"train": 2700, "valid": 300, "test": 600}
    train, test = (
        split.images.float().unfold(2, 8, 8).unfold(3, 8, 8).mean((4, 5)).flatten(1)
        for split in (splits.train, splits.parts["test"])
    )
    means = torch.stack(
        [train[splits.train.labels == label].mean(0) for label in range(10)]
    )
    distances = (test[:, None] - means).square().sum(2)  # (600, 10)
    accuracy = (
        (distances.argmin(1) == splits.parts["test"].labels).double().mean().item()
    )
    assert 0.15 < accuracy < 0.8


@pytest.mark.usefixtures("real_cifar10")
def test_the_real_cifar10() -> None:
    splits = load_data("cifar10")
    assert splits.source == "real"
    assert splits.counts() == {"train": 45_000, "valid": 5_000, "test": 10_000}
    assert splits.valid.labels.bincount().tolist() == [500] * 10
    assert_one_place_each(splits)
    # Dealt by a hash, so that no machine deals otherwise.
    assert splits.valid.ids[:3] == ("train/00021", "train/00022", "train/00033")
    test = splits.parts["test"]
    assert [splits.classes[label] for label in test.labels[:5]] == [
        "cat",
        "ship",
        "ship",
        "airplane",
        "frog",
    ]
    mean, std = splits.channel_stats()
    assert mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=2e-3)
    assert std == pytest.approx((0.2470, 0.2435, 0.2616), abs=2e-3)
