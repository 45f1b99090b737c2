from __future__ import annotations

import pytest
import torch
from torch import nn

from helpers.base.errors import ModelError
from helpers.models import MLP, SimpleCNN, create_model


def shapes(model: SimpleCNN, size: int = 50) -> list[tuple[int, ...]]:
    """What each convolution and pooling makes of an image."""
    x, found = torch.zeros(1, 3, size, size), []
    for layer in model.features:
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            found.append(tuple(x.shape[1:]))
    return found


def test_the_course_starts_with_two_convolutions_and_64_hidden_units() -> None:
    model = SimpleCNN(11)
    assert shapes(model) == [(16, 25, 25), (16, 13, 13)]
    by_hand = (3 * 25 + 1) * 16 + (16 * 25 + 1) * 16 + (16 * 13 * 13 + 1) * 64 + 65 * 11
    assert sum(p.numel() for p in model.parameters()) == by_hand
    assert model(torch.rand(2, 3, 50, 50)).shape == (2, 11)


def test_pooling_follows_each_convolution() -> None:
    assert shapes(SimpleCNN(11, pooling=True)) == [
        (16, 25, 25),
        (16, 13, 13),
        (16, 7, 7),
        (16, 4, 4),
    ]
    gentle = SimpleCNN(11, pooling=True, pool_size=3, pool_stride=1)
    assert shapes(gentle) == [(16, 25, 25), (16, 23, 23), (16, 12, 12), (16, 10, 10)]
    assert gentle(torch.rand(2, 3, 50, 50)).shape == (2, 11)


def test_pyramid_and_its_inverse() -> None:
    pyramid = SimpleCNN(
        11,
        depths=(8, 16, 32),
        filter_sizes=(7, 5, 3),
        strides=(1, 2, 2),
        batch_norm=True,
    )
    assert shapes(pyramid) == [(8, 50, 50), (16, 25, 25), (32, 13, 13)]
    assert [
        layer.kernel_size[0]
        for layer in pyramid.features
        if isinstance(layer, nn.Conv2d)
    ] == [7, 5, 3]
    assert shapes(SimpleCNN(11, depths=(32, 16), strides=[2, 1])) == [
        (32, 25, 25),
        (16, 25, 25),
    ]


def test_what_is_switched_on_is_in_the_network() -> None:
    model = SimpleCNN(
        11, batch_norm=True, local_response=True, dropout=0.4, hidden=10, pooling=True
    )
    assert list(dict(model.features.named_children())) == [
        f"{kind}{i}" for i in (1, 2) for kind in ("conv", "norm", "relu", "lrn", "pool")
    ]
    assert (model.dropout.p, model.fc1.out_features) == (0.4, 10)
    assert model(torch.rand(2, 3, 50, 50)).shape == (2, 11)
    assert all(module.training for module in model.modules())


def test_plans_that_make_no_network_are_refused() -> None:
    plan = {"num_classes": 11, "depths": (4, 4, 4), "filter_sizes": (5, 5)}
    with pytest.raises(ModelError, match=r"cannot be built with .*\(5, 5\).* shorter"):
        create_model("simple_cnn", **plan)
    with pytest.raises(ModelError, match="Images of 8×8 pixels are used up"):
        SimpleCNN(11, image_size=8, depths=(4,) * 4, pooling=True, pool_size=3)


def test_the_weights_of_the_mlp_are_images() -> None:
    model = MLP(12, hidden=5)
    assert sum(p.numel() for p in model.parameters()) == (3 * 28 * 28 + 1) * 5 + 6 * 12
    assert model(torch.rand(2, 3, 28, 28)).shape == (2, 12)
    pictures = model.weight_images()
    assert pictures.shape == (5, 3, 28, 28)
    # An image excites a unit by its product with the unit's picture, pixel by pixel.
    image = torch.rand(3, 28, 28)
    excited = (pictures * image).sum(dim=(1, 2, 3)) + model.fc1.bias
    torch.testing.assert_close(model.fc1(image.flatten()[None])[0], excited)


def test_the_mlp_can_look_past_light_and_contrast() -> None:
    images = torch.rand(2, 3, 28, 28)
    model = MLP(12, standardise=True)
    assert torch.allclose(model(images), model(0.3 * images + 0.5), atol=1e-3)
    plain = MLP(12)
    assert not torch.allclose(plain(images), plain(0.3 * images + 0.5), atol=1e-3)
    assert list(model.state_dict()) == list(plain.state_dict())


def test_the_mlp_takes_dropout_and_initialisation() -> None:
    model = MLP(3, in_channels=1, image_size=4, hidden=200, dropout=0.5, init="he")
    assert model.fc1.bias.abs().max() == 0
    assert model.fc1.weight.std().item() == pytest.approx((2 / 16) ** 0.5, rel=0.1)
    assert model.dropout.p == 0.5
    with pytest.raises(ModelError, match="known are xavier, he"):
        MLP(3, init="zeros")
