from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torchinfo import summary

from helpers.base.errors import ModelError
from helpers.models import StrokeNet
from helpers.models.stroke_net import StrokeBlock, StrokePool, remove_paper


def small(**arguments: Any) -> StrokeNet:
    torch.manual_seed(0)
    return StrokeNet(
        5, widths=(8, 8, 12), depths=(1, 2), features=16, context=4, **arguments
    )


def weights(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_weights_and_work_as_counted_by_hand() -> None:
    model = StrokeNet(65)
    plan = [(32, 48), (48, 96), (96, 96), (96, 192), (192, 192), (192, 384)]
    blocks = sum(
        before * width * 7 + 2 * width + 65 * width + 64 * (width + 1)
        for before, width in plan
    )
    pools = 3 * (48 + 96 + 192)
    by_hand = (
        (3 * 25 * 32 + 2 * 32)
        + blocks
        + pools
        + (2 * 384 + 64 + 1) * 256
        + 2 * 256
        + 257 * 65
    )
    assert weights(model) == by_hand == 1_377_057


@pytest.mark.parametrize("size", [64, 96, 224])
def test_it_works_at_most_a_quarter_as_much_as_resnet50(size: int) -> None:
    ours, theirs = (
        summary(model, (1, 3, size, size), verbose=0).total_mult_adds
        for model in (StrokeNet(65), torchvision.models.resnet50(num_classes=65))
    )
    assert ours <= theirs / 4


@pytest.mark.parametrize("size", [32, 50, 80])
def test_it_takes_images_of_any_size(size: int) -> None:
    model = StrokeNet(7).eval()
    assert model.features(torch.rand(2, 3, size, size)).shape == (2, 256)
    assert model(torch.rand(1, 3, size, size)).shape == (1, 7)


def test_paper_of_another_colour_changes_nothing() -> None:
    model = small().eval()
    drawings = torch.zeros(2, 3, 32, 32)
    drawings[:, :, 8:20, 10:14] = torch.rand(2, 3, 12, 4)
    paper = torch.tensor([0.8, -0.3, 0.1]).view(1, 3, 1, 1)
    assert torch.allclose(model(drawings), model(drawings + paper), atol=1e-5)
    without = small(paper=False).eval()
    assert not torch.allclose(without(drawings), without(drawings + paper), atol=1e-3)


def test_paper_is_what_most_of_the_rim_is() -> None:
    drawing = torch.full((1, 1, 8, 8), 0.9)
    drawing[..., 3] = 0.1  # a stroke that runs out at both ends
    assert remove_paper(drawing)[0, 0, 0].tolist() == pytest.approx(
        [0, 0, 0, -0.8, 0, 0, 0, 0]
    )


def test_a_quarter_of_the_maps_each_is_read_along_across_near_and_far() -> None:
    block = StrokeBlock(1, 4, context=0, batch_norm=False).eval()
    for conv in (block.along, block.across, block.near, block.far):
        nn.init.ones_(conv.weight)
        nn.init.zeros_(conv.bias)
    dot = torch.zeros(1, 1, 9, 9)
    dot[..., 4, 4] = 1
    maps, _ = block(dot, torch.zeros(1, 0))
    seen = [{(y - 4, x - 4) for y, x in one.nonzero().tolist()} for one in maps[0]]
    reach = range(-2, 3)
    assert seen == [
        {(0, x) for x in reach},
        {(y, 0) for y in reach},
        {(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)},
        {(y, x) for y in (-2, 0, 2) for x in (-2, 0, 2)},
    ]


def test_gates_start_open_whatever_the_context() -> None:
    block = small(init="xavier").eval().features.steps[0]
    maps = torch.rand(2, 8, 16, 16)
    open_, full = block(maps, torch.zeros(2, 4))[0], block(maps, torch.ones(2, 4))[0]
    assert torch.equal(open_, full)


def test_the_context_reaches_every_place_of_the_next_block() -> None:
    def far_corner_moves(model: StrokeNet) -> bool:
        for step in model.features.steps:
            if isinstance(step, StrokeBlock) and step.gate is not None:
                nn.init.ones_(step.gate.weight)
        first, second = (step for step in model.features.steps[:2])
        assert isinstance(second, StrokePool)
        images = torch.rand(1, 8, 64, 64, generator=torch.Generator().manual_seed(0))
        other = images.clone()
        other[..., :4, :4] += 3
        outputs = [
            model.features.steps[2](second(x), c)[0]
            for x, c in (first(i, context) for i in (images, other))
        ]
        return not torch.allclose(
            outputs[0][..., -8:, -8:], outputs[1][..., -8:, -8:], atol=1e-7
        )

    context = torch.zeros(1, 4)
    assert far_corner_moves(small().eval())
    model = StrokeNet(
        5, widths=(8, 8, 12), depths=(1, 2), features=16, context=0
    ).eval()
    context = torch.zeros(1, 0)
    assert not far_corner_moves(model)


def test_no_layer_is_bypassed_or_handed_on() -> None:
    # With a block's filters at zero nothing comes through but what its norm adds, the
    # same at every place.
    model = small().eval()
    block = model.features.steps[0]
    assert isinstance(block, StrokeBlock)
    for conv in (block.along, block.across, block.near, block.far):
        nn.init.zeros_(conv.weight)
    maps, _ = block(torch.rand(2, 8, 16, 16), torch.zeros(2, 4))
    assert maps.abs().max() == 0


def test_pooling_keeps_a_stroke_of_one_pixel_wherever_it_lies() -> None:
    pool, usual = StrokePool(1, "max", blur=True), StrokePool(1, "average", blur=False)
    found, lost = [], []
    for place in (6, 7, 8, 9):
        stroke = torch.zeros(1, 1, 16, 16)
        stroke[..., place] = 1
        found.append(pool(stroke)[0, 0, 4].max().item())
        lost.append(usual(stroke)[0, 0, 4].max().item())
    assert min(found) >= 0.7
    assert max(lost) == 0.5


def test_pooling_is_a_weighted_mean_that_learns() -> None:
    pool = StrokePool(3, "average", blur=True)
    maps = pool(torch.ones(1, 3, 12, 12))
    assert torch.allclose(maps[..., 1:-1, 1:-1], torch.ones(1, 3, 4, 4))
    pool(torch.rand(1, 3, 12, 12)).sum().backward()
    assert pool.weights is not None
    assert pool.weights.grad is not None
    assert pool.weights.grad.abs().sum() > 0


@pytest.mark.parametrize("side", [5, 6, 9, 16])
@pytest.mark.parametrize("blur", [True, False])
def test_pooling_halves_every_side(side: int, *, blur: bool) -> None:
    assert StrokePool(2, "max", blur=blur)(torch.rand(1, 2, side, side)).shape == (
        1,
        2,
        side // 2,
        side // 2,
    )


def test_each_switch_takes_its_part_out() -> None:
    whole = small()
    assert not any(
        isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d))
        for m in small(batch_norm=False).modules()
    )
    assert any(isinstance(m, nn.BatchNorm2d) for m in whole.modules())
    assert any(isinstance(m, nn.AvgPool2d) for m in small(pooling="average").modules())
    assert not any(isinstance(m, nn.AvgPool2d) for m in whole.modules())
    assert weights(whole) - weights(small(blur=False)) == 3 * 8
    assert small(dropout=0.7).dropout.p == 0.7
    assert whole.fc.bias.abs().max() == 0
    assert small(init=None).fc.bias.abs().max() > 0
    for arguments in (
        {"batch_norm": False},
        {"pooling": "average"},
        {"blur": False},
        {"paper": False},
    ):
        assert small(**arguments)(torch.rand(2, 3, 32, 32)).shape == (2, 5)


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(ModelError, match="no initialisation 'zeros'"):
        StrokeNet(5, init="zeros")
