from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from helpers.base.errors import ConfigError, DataError
from helpers.data.splits import Split, Splits

SIZES = (40, 20, 4)  # images per class


@pytest.fixture
def split() -> Split:
    generator = torch.Generator().manual_seed(0)
    labels = torch.cat(
        [torch.full((count,), label) for label, count in enumerate(SIZES)]
    )
    images = torch.randint(
        0, 256, (len(labels), 3, 8, 8), dtype=torch.uint8, generator=generator
    )
    return Split(
        images,
        labels,
        tuple(f"{label}/{number}" for number, label in enumerate(labels.tolist())),
    )


@pytest.fixture
def splits(split: Split) -> Splits:
    return Splits(
        "set", "real", ("a", "b", "c"), split, split.subset(torch.arange(0, 64, 4))
    )


def per_class(split: Split) -> list[int]:
    return split.labels.bincount(minlength=len(SIZES)).tolist()


def test_parts_must_match(split: Split) -> None:
    with pytest.raises(ValueError, match="64 images, 63 labels and 64 ids"):
        Split(split.images, split.labels[1:], split.ids)


def test_subset_keeps_the_given_order(split: Split) -> None:
    part = split.subset(torch.tensor([50, 3]))
    assert part.ids == ("1/50", "0/3")
    assert part.labels.tolist() == [1, 0]
    assert torch.equal(part.images[0], split.images[50])


@pytest.mark.parametrize(
    ("count", "expected"), [(64, [40, 20, 4]), (32, [20, 10, 2]), (16, [10, 5, 1])]
)
def test_take_keeps_the_proportions(
    split: Split, count: int, expected: list[int]
) -> None:
    assert per_class(split.take(count)) == expected


def test_a_smaller_take_is_part_of_a_larger_one(split: Split) -> None:
    taken = [set(split.take(count, seed=1).ids) for count in (1, 5, 20, 63)]
    assert all(smaller < larger for smaller, larger in pairwise(taken))


def test_take_follows_from_the_seed(split: Split) -> None:
    assert split.take(20, seed=1).ids == split.take(20, seed=1).ids
    assert split.take(20, seed=1).ids != split.take(20, seed=2).ids


@pytest.mark.parametrize("count", [0, -1, 65])
def test_take_what_is_not_there(split: Split, count: int) -> None:
    with pytest.raises(
        ConfigError, match=rf"{count} images does not fit a split of 64"
    ):
        split.take(count)


def test_share_out_deals_every_class_out(split: Split) -> None:
    parts = split.share_out(lambda total: (total // 4, total - total // 4 - 1))
    assert [per_class(part) for part in parts] == [[10, 5, 1], [29, 14, 2], [1, 1, 1]]
    assert sorted(i for part in parts for i in part.ids) == sorted(split.ids)
    for part in parts:
        assert list(part.ids) == [
            i for i in split.ids if i in part.ids
        ]  # in the split's own order


def test_share_out_goes_by_ids_alone(split: Split) -> None:
    def first(split: Split) -> set[str]:
        return set(split.share_out(lambda _: (2,))[0].ids)

    assert first(split) == {
        "0/8",
        "0/24",
        "1/48",
        "1/54",
        "2/60",
        "2/62",
    }  # on every machine, for ever
    assert first(split.subset(torch.randperm(64))) == first(split)


def test_share_out_may_leave_a_part_empty(split: Split) -> None:
    nothing, everything = split.share_out(lambda _: (0,))
    assert len(nothing) == 0
    assert everything.ids == split.ids


def test_counts_and_shape(splits: Splits) -> None:
    assert splits.counts() == {"train": 64, "valid": 16}
    assert replace(splits, test=splits.valid).counts() == {
        "train": 64,
        "valid": 16,
        "test": 16,
    }
    assert (splits.channels, splits.image_size) == (3, 8)


def test_limit(splits: Splits) -> None:
    assert splits.limit(train=32).counts() == {"train": 32, "valid": 16}
    assert splits.limit(train=32, valid=4).counts() == {"train": 32, "valid": 4}
    assert splits.limit() == splits


def test_find_an_image_by_its_id(splits: Splits) -> None:
    named = replace(
        splits,
        train=replace(
            splits.train, ids=tuple(f"{name}.jpg" for name in splits.train.ids)
        ),
    )
    assert torch.equal(named.find("1/50.jpg"), splits.train.images[50])
    assert torch.equal(named.find("1/50"), splits.train.images[50])
    with pytest.raises(
        DataError, match=r"set has no image '1/3': expected an id such as '0/0\.jpg'"
    ):
        named.find("1/3")


def test_channel_stats_are_those_of_training(splits: Splits) -> None:
    mean, std = splits.channel_stats()
    pixels = (
        splits.train.images.double().div(255).movedim(1, 0).flatten(1)
    )  # (3, N·H·W)
    assert mean == pytest.approx(pixels.mean(1).tolist())
    assert std == pytest.approx(pixels.std(1, correction=0).tolist())
    assert not math.isclose(mean[0], mean[1], rel_tol=1e-9)


def test_fingerprint_sees_every_pixel_and_label(splits: Splits) -> None:
    same = replace(splits, train=splits.train.subset(torch.arange(64)))
    assert same.fingerprint() == splits.fingerprint()
    images, labels = splits.train.images.clone(), splits.train.labels.clone()
    images[63, 2, 7, 7] ^= 1
    labels[0] = 1
    for changed in (
        replace(splits.train, images=images),
        replace(splits.train, labels=labels),
    ):
        assert replace(splits, train=changed).fingerprint() != splits.fingerprint()


def test_a_channel_that_never_changes_is_not_divided_by_zero() -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[0, 0] = 255
    split = Split(images, torch.tensor([0, 1]), ("a", "b"))
    mean, std = Splits("toy", "real", ("a", "b"), split, split).channel_stats()
    assert mean[1:] == (0.0, 0.0)
    assert std == (0.5, 1.0, 1.0)


def test_normalisation_of_another_network(splits: Splits) -> None:
    other = splits.normalised_with([0.5] * 3, [1.0] * 3)
    assert other.channel_stats() == ((0.5,) * 3, (1.0,) * 3)
    assert other.limit(train=8).channel_stats() == other.channel_stats()
    assert other.fingerprint() != splits.fingerprint()


def test_floats_are_taken_as_they_are(splits: Splits) -> None:
    maps = replace(splits, train=replace(splits.train, images=torch.randn(64, 5, 2, 2)))
    assert maps.channel_stats() == ((0.0,) * 5, (1.0,) * 5)
    assert maps.fingerprint() != splits.fingerprint()
