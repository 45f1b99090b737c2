from __future__ import annotations

import pytest
import torch
from torch import nn

from helpers.base.errors import ModelError
from helpers.models import MultiHeadCNN, OneConvCNN, create_model

FACTORS = {
    "length": ("7", "15"),
    "width": ("1", "3"),
    "color": ("red", "blue"),
    "angle": tuple("abcdefghijkl"),
}


def test_the_listed_network_is_as_listed() -> None:
    model = OneConvCNN(96)
    kinds = [type(layer) for layer in [*model.features, *model.hidden]]
    assert kinds == [
        nn.Conv2d,
        nn.ReLU,
        nn.BatchNorm2d,
        nn.MaxPool2d,
        nn.Linear,
        nn.ReLU,
    ]
    weights = 7 * 7 * 3 * 32 + 32 + 2 * 32 + 11 * 11 * 32 * 1024 + 1024 + 1024 * 96 + 96
    assert sum(p.numel() for p in model.parameters()) == weights
    assert model(torch.zeros(2, 3, 28, 28)).shape == (2, 96)


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 3},
        {"filters": 8},
        {"downsampling": "stride"},
        {"depth": 3, "kernel_size": 3},
        {"depth": 3, "kernel_size": 3, "downsampling": "stride"},
        {"dropout": 0.5, "in_channels": 1},
    ],
)
def test_every_variation_takes_an_image(arguments: dict[str, object]) -> None:
    model = OneConvCNN(10, **arguments)  # type: ignore[arg-type]
    assert model(torch.zeros(2, arguments.get("in_channels", 3), 28, 28)).shape == (
        2,
        10,
    )  # type: ignore[call-overload]


def test_a_variation_that_cannot_be_is_refused() -> None:
    with pytest.raises(ModelError, match="pool, stride"):
        OneConvCNN(10, downsampling="average")
    with pytest.raises(ModelError, match="used up"):
        OneConvCNN(10, image_size=6)


def test_the_heads_end_as_the_course_directs() -> None:
    model = create_model("multi_head_cnn", num_classes=96, heads=FACTORS)
    assert isinstance(model, MultiHeadCNN)
    assert [head[-1].out_features for head in model.head.values()] == [1, 1, 1, 12]  # type: ignore[index, union-attr]
    assert model(torch.zeros(2, 3, 28, 28)).shape == (2, 15)


def test_all_heads_teach_the_feature_network() -> None:
    model = MultiHeadCNN(96, heads=FACTORS, widths=(4, 8))
    for column in range(15):
        model.zero_grad()
        model(torch.rand(2, 3, 28, 28))[:, column].sum().backward()
        assert model.features.stem[0].weight.grad.abs().sum() > 0  # type: ignore[union-attr, operator]


def test_heads_that_combine_to_other_classes_are_refused() -> None:
    with pytest.raises(ModelError, match="combine to 96, not 95"):
        MultiHeadCNN(95, heads=FACTORS)
