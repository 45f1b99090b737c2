from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.insight.attribution import (
    Target,
    explained_classes,
    guided_backprop,
    heatmaps,
    saliency,
)
from helpers.models.heads import Heads
from helpers.models.lenet5 import LeNet5
from helpers.models.resnet18 import ResNet18


class Spots(nn.Module):
    """Tells by its two channels whether an image is blue or red, and which of three
    tints it has.
    """

    def __init__(self, *, heads: bool = True) -> None:
        super().__init__()
        if heads:
            self.heads = Heads(
                {"color": ("blue", "red"), "tint": ("violet", "red", "blue")}
            )
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(6)
        self.fc = nn.Linear(72, 4)
        self.conv.weight.data = torch.eye(2).view(2, 2, 1, 1).repeat(1, 1, 3, 3) / 9
        self.conv.bias.data.zero_()
        weights = torch.tensor(
            [[1.0, -1.0], [0.5, 0.5], [1.0, -1.0], [-1.0, 1.0]]
        )  # by channel: red, blue
        self.fc.weight.data, self.fc.bias.data = (
            weights.repeat_interleave(36, dim=1),
            torch.zeros(4),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.pool(self.relu(self.conv(images))).flatten(1))
        return logits


@pytest.fixture
def image() -> Tensor:
    """A red spot at the top left, a smaller blue one at the bottom right."""
    image = torch.zeros(1, 2, 12, 12)
    image[:, 0, 1:5, 1:5] = 1
    image[:, 1, 8:10, 8:10] = 1
    return image


def corners(heat: Tensor) -> tuple[float, float]:
    """The most at the top left and at the bottom right."""
    return heat[0, :6, :6].max().item(), heat[0, 6:, 6:].max().item()


def test_classes_are_those_that_are_predicted_or_named(image: Tensor) -> None:
    model = Spots()
    targets: list[Target] = [None, 5, "color", "tint", ("tint", 0)]
    targets += [torch.tensor(5), np.int64(5)]  # type: ignore[list-item]  # as labels are
    assert [
        explained_classes(model, image, target)[0].item() for target in targets
    ] == [4, 5, 1, 1, 0, 5, 5]
    red = explained_classes(model, image, ("color", 1))[1]
    assert red.item() == pytest.approx(model(image)[:, 0].sigmoid().item(), abs=1e-6)
    assert sum(
        explained_classes(model, image, index)[1].item() for index in range(6)
    ) == pytest.approx(1)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (("color", 1), (1, 0)),
        (("color", 0), (0, 1)),
        ("color", (1, 0)),
        (("tint", 2), (0, 1)),
        (None, (1, 0)),
    ],
)
def test_heatmaps_point_at_what_speaks_for_the_class(
    image: Tensor, target: Target, expected: tuple[int, int]
) -> None:
    for layer in ("conv", "relu", "pool"):
        heat = heatmaps(Spots(), image, layer, target=target)
        assert heat.shape == (1, 12, 12)
        assert corners(heat) == pytest.approx(expected, abs=0.1)


def test_each_image_is_explained_by_its_own_class(image: Tensor) -> None:
    model, images = Spots(), torch.cat([image, image.flip(1)])
    assert explained_classes(model, images, "color")[0].tolist() == [1, 0]
    for heat in heatmaps(model, images, "relu", target="color"):
        assert corners(heat[None]) == (1, 0)


def test_grad_cam_is_the_one_of_the_paper(image: Tensor) -> None:
    torch.manual_seed(0)
    model, images = (
        LeNet5(num_classes=3, image_size=16).eval(),
        torch.randn(4, 3, 16, 16),
    )
    maps = model.relu2(
        model.conv2(model.pool(model.relu1(model.conv1(images))))
    )  # (B, 64, 4, 4)
    maps.retain_grad()
    rest = model.pool(maps).flatten(1)
    model.fc3(model.relu(model.fc2(model.relu(model.fc1(rest)))))[:, 1].sum().backward()
    expected = (
        (maps.grad.mean(dim=(2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()
    )
    expected = F.interpolate(expected, (16, 16), mode="bilinear")[:, 0]
    expected = expected / expected.amax(dim=(1, 2), keepdim=True).clamp(min=1e-30)
    assert torch.allclose(
        heatmaps(model, images, "relu2", target=1), expected.detach(), atol=1e-5
    )


def test_an_image_with_nothing_for_the_class_has_no_heat(image: Tensor) -> None:
    heat = heatmaps(Spots(), torch.zeros_like(image), "conv", target=("color", 1))
    assert torch.equal(heat, torch.zeros(1, 12, 12))


def test_saliency_is_the_absolute_gradient_of_the_strongest_channel() -> None:
    torch.manual_seed(0)
    model, images = ResNet18(num_classes=4).eval(), torch.randn(2, 3, 32, 32)
    inputs = images.clone().requires_grad_()
    model(inputs)[:, 2].sum().backward()
    assert torch.allclose(
        saliency(model, images, target=2), inputs.grad.abs().amax(dim=1), atol=1e-6
    )


def test_guided_backprop_lets_only_positive_gradients_through_any_relu() -> None:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 4, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(inplace=True),
        nn.Flatten(),
    ]
    model, images = nn.Sequential(*layers, nn.Linear(64, 3)), torch.randn(2, 1, 8, 8)
    found = guided_backprop(model, images, target=1)
    hidden = [images.clone().requires_grad_()]
    for layer in model:
        hidden.append(layer(hidden[-1].clone()))
    grad = torch.autograd.grad(hidden[6][:, 1].sum(), hidden[4])[0].clamp(min=0) * (
        hidden[4] > 0
    )
    first = F.conv2d(images, model[0].weight, model[0].bias)
    grad = F.conv_transpose2d(grad, model[2].weight).clamp(min=0) * (first > 0)
    assert torch.allclose(found, F.conv_transpose2d(grad, model[0].weight), atol=1e-6)
    assert model[1].inplace


def test_guided_backprop_takes_relus_that_end_at_6_for_what_they_are() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()),
        nn.Flatten(),
    )
    model.append(nn.Linear(64, 3))
    images = torch.randn(2, 1, 8, 8)
    expected = guided_backprop(model, images)
    model[1] = model[2][1] = cap = nn.ReLU6(inplace=True)
    assert torch.equal(
        guided_backprop(model, images), expected
    )  # nothing in it reaches 6
    assert model[1] is model[2][1] is cap
    assert (
        guided_backprop(model, torch.full((1, 1, 8, 8), 1e4), target=0).count_nonzero()
        == 0
    )


def test_guided_backprop_wants_relu_modules() -> None:
    with pytest.raises(ModelError, match=r"no nn\.ReLU module"):
        guided_backprop(
            nn.Sequential(nn.Flatten(), nn.SiLU(), nn.Linear(4, 2)),
            torch.zeros(1, 1, 2, 2),
        )


@pytest.mark.parametrize(
    "method", [saliency, guided_backprop, lambda *a, **k: heatmaps(*a, "conv", **k)]
)
def test_the_model_is_left_as_it_was(method: object, image: Tensor) -> None:
    model = Spots().train()
    model.conv.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        method(model, image, target="tint")
    with pytest.raises(ModelError):
        method(model, image, target="width")
    assert model.training
    assert model.relu.training
    assert model.relu.inplace
    assert all(
        torch.equal(value, before[name]) for name, value in model.state_dict().items()
    )
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.conv.weight.requires_grad
    assert not image.requires_grad
    assert not any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks
        for m in model.modules()
    )


def test_layers_without_places_are_refused_with_those_that_have_them(
    image: Tensor,
) -> None:
    with pytest.raises(
        ModelError, match=r"'fc' has no map of .*choose conv, relu, pool"
    ):
        heatmaps(Spots(), image, "fc")
    with pytest.raises(
        ModelError, match=r"'avgpool' has no map of .*choose conv1, bn1"
    ):
        heatmaps(ResNet18(num_classes=2), torch.zeros(1, 3, 64, 64), "avgpool")
    with pytest.raises(ModelError, match="no layer 'conv9': known are conv"):
        heatmaps(Spots(), image, "conv9")
    assert heatmaps(
        ResNet18(num_classes=2), torch.zeros(1, 3, 64, 64), "layer3"
    ).shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("heads", "target", "message"),
    [
        (True, "width", "no head 'width': known are color, tint"),
        (True, ("tint", 3), "no class 3: there are 3"),
        (True, 6, "no class 6: there are 6"),
        (False, 4, "no class 4: there are 4"),
        (False, -1, "no class -1"),
        (False, "color", "no head 'color': known are none"),
    ],
)
def test_unknown_targets_are_refused(
    image: Tensor, *, heads: bool, target: Target, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        saliency(Spots(heads=heads), image, target=target)
