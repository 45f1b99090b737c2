from __future__ import annotations

import torch
from torch.nn.functional import interpolate

from helpers.data.near_copies import exact_copies, group_near_copies, has_near_copy
from helpers.data.splits import Split


def noise(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 8, 8, generator=generator) * 255
    return interpolate(coarse, size=(56, 56), mode="bilinear").to(torch.uint8)


def brighter(images: torch.Tensor) -> torch.Tensor:
    """The same pictures with other light, as another site shows them."""
    return (images.float() * 0.8 + 20).to(torch.uint8)


def test_an_exact_copy_has_every_pixel_of_its_original() -> None:
    images = noise(4)
    others = images[[2, 0, 2]].clone()
    assert exact_copies(images, others) == 2
    assert exact_copies(others, images) == 3
    others[0, 0, 0, 0] += 1
    assert exact_copies(others, images) == 2


def test_other_light_and_size_make_a_near_copy() -> None:
    images = noise(4)
    small = interpolate(brighter(images[1:3]).float(), size=(40, 40)).to(torch.uint8)
    assert has_near_copy(images, small).tolist() == [False, True, True, False]
    assert not has_near_copy(noise(4), noise(4, seed=1)).any()


def test_plain_pictures_are_no_near_copies_of_other_grays() -> None:
    values = torch.tensor([255, 100, 37, 200], dtype=torch.uint8)
    for side in (28, 64, 112):
        plain = values.view(-1, 1, 1, 1).expand(-1, 3, side, side)
        assert len(group_near_copies(plain, torch.zeros(4)).unique()) == 4


def test_near_copies_of_one_class_are_in_one_group() -> None:
    images = torch.cat((noise(2), brighter(noise(2))))
    assert group_near_copies(images, torch.tensor([0, 0, 0, 0])).tolist() == [
        0,
        1,
        0,
        1,
    ]
    assert len(group_near_copies(images, torch.tensor([0, 0, 1, 1])).unique()) == 4


def test_a_group_is_dealt_to_one_part_and_counts_are_kept() -> None:
    ids = tuple(f"{i}.jpg" for i in range(12))
    split = Split(noise(12), torch.zeros(12, dtype=torch.int64), ids)
    groups = torch.tensor([0, 0, 0, 1, 2, 3, 4, 4, 5, 6, 7, 8])
    parts = split.share_out(lambda _: (6, 3), groups=groups)
    assert [len(part) for part in parts] == [6, 3, 3]
    for group in (0, 4):
        names = {ids[i] for i in (groups == group).nonzero().flatten()}
        assert sum(bool(names & set(part.ids)) for part in parts) == 1


def test_a_group_that_fits_nowhere_is_dealt_image_by_image() -> None:
    split = Split(noise(6), torch.zeros(6, dtype=torch.int64), tuple("abcdef"))
    parts = split.share_out(lambda _: (3,), groups=torch.zeros(6, dtype=torch.int64))
    assert [len(part) for part in parts] == [3, 3]
