from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from helpers.data.augment import Augment
from helpers.data.batches import Batches
from helpers.data.splits import Split

CPU = torch.device("cpu")
MEAN, STD = (0.5, 0.25, 0.0), (0.5, 0.25, 1.0)


@pytest.fixture
def split() -> Split:
    images = torch.randint(
        0,
        256,
        (10, 3, 8, 8),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0),
    )
    return Split(images, torch.arange(10), tuple(map(str, range(10))))


def epoch(batches: Batches, number: int) -> tuple[Tensor, Tensor]:
    """All images and labels of an epoch."""
    images, labels = zip(*map(batches.take, batches.order(number)), strict=True)
    return torch.cat(images), torch.cat(labels)


def test_normalised_in_the_splits_order(split: Split) -> None:
    images, labels = epoch(Batches(split, 4, device=CPU, mean=MEAN, std=STD), 0)
    assert labels.tolist() == list(range(10))
    pixels = split.images.double() / 255
    expected = torch.stack([(pixels[:, c] - MEAN[c]) / STD[c] for c in range(3)], dim=1)
    torch.testing.assert_close(images.double(), expected, atol=1e-5, rtol=1e-5)


def test_batch_sizes(split: Split) -> None:
    whole = Batches(split, 4, device=CPU, mean=MEAN, std=STD)
    assert list(map(len, whole.order(0))) == [4, 4, 2]
    assert len(whole) == 3
    full = Batches(split, 4, device=CPU, mean=MEAN, std=STD, shuffle=True)
    assert list(map(len, full.order(0))) == [4, 4]
    assert len(full) == 2
    only = Batches(split, 20, device=CPU, mean=MEAN, std=STD, shuffle=True)
    assert list(map(len, only.order(0))) == [10]


def test_channels_last(split: Split) -> None:
    images, _ = Batches(split, 4, device=CPU, mean=MEAN, std=STD).take(torch.arange(4))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_every_epoch_has_its_own_order_of_all_images(split: Split) -> None:
    batches = Batches(split, 5, device=CPU, mean=MEAN, std=STD, shuffle=True)
    orders = [epoch(batches, number)[1].tolist() for number in range(5)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert all(one != other for one, other in pairwise(orders))


def test_images_stay_with_their_labels(split: Split) -> None:
    images, labels = epoch(
        Batches(split, 5, device=CPU, mean=MEAN, std=STD, shuffle=True), 1
    )
    straight, _ = epoch(Batches(split, 10, device=CPU, mean=MEAN, std=STD), 0)
    assert torch.equal(images, straight[labels])


def test_an_epoch_can_be_taken_up_again(split: Split) -> None:
    unbroken, resumed = (
        Batches(
            split,
            4,
            device=CPU,
            mean=MEAN,
            std=STD,
            seed=3,
            shuffle=True,
            augment=Augment(flip=0.5, erase=1),
        )
        for _ in range(2)
    )
    for number in range(3):
        images, labels = epoch(unbroken, number)
    images_again, labels_again = epoch(resumed, 2)
    assert torch.equal(images, images_again)
    assert torch.equal(labels, labels_again)


def test_another_seed_is_another_order(split: Split) -> None:
    one, other = (
        Batches(split, 4, device=CPU, mean=MEAN, std=STD, seed=seed, shuffle=True)
        for seed in (0, 1)
    )
    assert epoch(one, 0)[1].tolist() != epoch(other, 0)[1].tolist()


def test_augmentation_gives_the_size(split: Split) -> None:
    batches = Batches(
        split, 4, device=CPU, mean=MEAN, std=STD, augment=Augment(flip=0.5)
    )
    images, _ = batches.take(torch.arange(4), size=4)
    assert images.shape == (4, 3, 4, 4)


def test_the_split_is_left_alone(split: Split) -> None:
    before = split.images.clone()
    flipped = Augment(flip=1)
    epoch(Batches(split, 4, device=CPU, mean=MEAN, std=STD, augment=flipped), 0)
    assert torch.equal(split.images, before)


def test_floats_are_not_scaled() -> None:
    maps = torch.randn(5, 2, 3, 3)
    split = Split(maps, torch.arange(5), tuple("abcde"))
    images, _ = epoch(Batches(split, 2, device=CPU, mean=(0.0, 0.0), std=(1.0, 1.0)), 0)
    assert torch.equal(images, maps)
    images, _ = epoch(Batches(split, 2, device=CPU, mean=(1.0, 0.0), std=(1.0, 2.0)), 0)
    torch.testing.assert_close(images[:, 1], maps[:, 1] / 2)
