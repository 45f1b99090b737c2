from __future__ import annotations

import pytest
import torch

from helpers.base.files import data_dir
from helpers.data.catalogue import CATALOGUE, load_data
from helpers.data.sets.caltech101 import CLASSES
from helpers.data.splits import Splits
from helpers.data.synthetic import draw_images, draw_stand_in


def drawn(size: int = 32, channels: int = 3) -> Splits:
    return draw_stand_in("set", "bac", size, counts=(3, 1, 2), channels=channels)


def test_images_lie_by_class_in_the_split_that_their_ids_say() -> None:
    splits = drawn()
    train, valid, test = splits.train, splits.valid, splits.test
    assert splits.classes == ("b", "a", "c")
    assert train.ids[:4] == (
        "b/image_0001",
        "b/image_0002",
        "b/image_0003",
        "a/image_0001",
    )
    assert valid.ids == ("b/image_0004", "a/image_0004", "c/image_0004")
    assert test is not None
    assert test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    images = torch.cat([train.images, valid.images, test.images])
    assert (images.shape, images.dtype) == ((18, 3, 32, 32), torch.uint8)
    assert len(images.unique(dim=0)) == 18


def test_it_is_always_drawn_alike() -> None:
    assert drawn().fingerprint() == drawn().fingerprint()


def test_gray_and_another_size_are_other_drawings() -> None:
    assert drawn(channels=1).train.images.shape == (9, 1, 32, 32)
    assert drawn(size=16).train.images.shape == (9, 3, 16, 16)


@pytest.mark.parametrize(
    ("num_classes", "size"), [(2, 28), (10, 32), (101, 64), (400, 64)]
)
def test_any_number_of_classes_and_size(num_classes: int, size: int) -> None:
    images = draw_images(num_classes - 1, num_classes, 2, size)
    assert images.shape == (2, size, size, 3)
    assert images.std() > 10


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_stand_in_says_so_and_leaves_no_file(name: str) -> None:
    splits = load_data(name, "synthetic")
    assert (splits.name, splits.source) == (name, "synthetic")
    assert not data_dir().exists()


def test_the_stand_in_of_caltech101_is_neither_hopeless_nor_trivial() -> None:
    """The nearest class mean in small images is a weak classifier: well above 1 %, far
    below 100 %.
    """
    splits = load_data("caltech101", source="synthetic")
    assert splits.classes == CLASSES
    for image_of_the_course in ("accordion/image_0001", "camera/image_0001"):
        assert splits.find(image_of_the_course).shape == (3, 64, 64)
    train, valid = (
        split.images.float().unfold(2, 8, 8).unfold(3, 8, 8).mean((4, 5))
        for split in (splits.train, splits.valid)
    )
    means = train.view(101, 20, -1).mean(1)
    distances = (valid.flatten(1)[:, None] - means).square().sum(2)  # (303, 101)
    accuracy = (distances.argmin(1) == splits.valid.labels).double().mean().item()
    assert 0.05 < accuracy < 0.6
