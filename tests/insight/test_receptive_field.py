from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.insight.activations import output_shapes
from helpers.insight.receptive_field import (
    ReceptiveField,
    footprint_box,
    gradient_footprint,
    receptive_field,
)
from helpers.models import LeNet5, ResNet18, create_model, model_names
from helpers.models.resnet18 import BasicBlock

# What some networks need besides the number of classes, and the images they are made
# for; 64 for the others.
SPECIAL: dict[str, dict[str, object]] = {
    "feature_classifier": {"in_channels": 3, "image_size": 64},
    # The colour of the paper is a median: of all the rim it could come from, a gradient
    # finds one pixel.
    "stroke_net": {"paper": False},
    "multi_head_cnn": {
        "heads": {"size": ("small", "large"), "hue": ("red", "green", "blue")}
    },
    "transfer_net": {"backbone": "squeezenet1_1", "layer": "features.7"},
}
SIZES = {
    "conv_net": 32,
    "simple_cnn": 50,
    "mlp": 28,
    "one_conv": 28,
    "multi_head_cnn": 28,
}


def measures(field: ReceptiveField) -> tuple[int, int, int]:
    """Size, stride and start."""
    return field.size, field.stride, field.start


class Branches(nn.Module):
    """Two paths of different reach that meet, the second gated by a mean over the whole
    map if wanted.
    """

    def __init__(self, meet: str) -> None:
        super().__init__()
        self.near = nn.Conv2d(3, 4, 3, padding=1)
        self.far = nn.Sequential(
            nn.Conv2d(3, 4, 5, padding=4, dilation=2), nn.ReLU(inplace=True)
        )
        self.meet, self.end = meet, nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        near, far = self.near(images), self.far(images)
        if self.meet == "cat":
            met = torch.cat((near, far), dim=1)
        elif self.meet == "gate":
            met = near * near.mean(dim=(2, 3), keepdim=True).sigmoid()
        else:
            met = near + far
        out: Tensor = self.end(met)
        return out


def test_the_courses_stack_sees_seven_by_seven() -> None:
    for channels in (3, 1):
        stack = nn.Sequential(nn.Conv2d(channels, 1, 5), nn.Conv2d(1, 1, 3))
        field = receptive_field(stack, "1", image_size=32)
        assert measures(field) == (7, 1, 0)
        assert field.box() == (13, 13, 20, 20)
        footprint = gradient_footprint(stack, "1", image_size=32)
        assert footprint_box(footprint) == (13, 13, 20, 20)
        assert int((footprint > 0).sum()) == 49


def test_resnet18_has_the_published_fields() -> None:
    names = ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4")
    # torchvision's own, with other modules and ReLU in place, is the same network.
    for model in (ResNet18(10), torchvision.models.resnet18()):
        fields = [receptive_field(model, name, image_size=224) for name in names]
        assert [field.size for field in fields] == [7, 11, 43, 99, 211, 435]
        assert [field.stride for field in fields] == [2, 4, 4, 8, 16, 32]


def test_alexnet_has_the_published_field() -> None:
    # Araujo et al.: AlexNet's last convolution and pooling see 195 pixels.
    features = torchvision.models.alexnet().features
    assert receptive_field(features, "12", image_size=224).size == 195


@pytest.mark.parametrize("name", model_names())
def test_derived_field_is_the_footprint_in_every_network(name: str) -> None:
    size = SIZES.get(name, 64)
    model = create_model(name, num_classes=6, **SPECIAL.get(name, {}))
    layers = list(output_shapes(model, torch.zeros(1, 3, size, size)))
    for layer in (layers[0], layers[len(layers) // 3], layers[-1]):
        assert receptive_field(model, layer, size).box() == footprint_box(
            gradient_footprint(model, layer, size)
        ), layer


def test_derived_field_is_the_footprint_at_every_layer_of_a_small_resnet() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=2, padding=3),
        nn.MaxPool2d(3, stride=2, padding=1),
        BasicBlock(4, 4, stride=1),
        BasicBlock(4, 6, stride=2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(150, 2),
    )
    for layer in [name for name, _ in model.named_modules() if name]:
        field = receptive_field(model, layer, 80)
        top, left, bottom, right = footprint_box(gradient_footprint(model, layer, 80))
        assert (top, left, bottom, right) == field.box(), layer
        if (
            layer[0] in "0123"
        ):  # no unit in the middle of these reaches the edge: the whole field is seen
            assert bottom - top == right - left == field.size, layer


@pytest.mark.parametrize(("meet", "size"), [("add", 9), ("cat", 9), ("gate", 34)])
def test_where_branches_meet_a_unit_sees_what_any_of_them_sees(
    meet: str, size: int
) -> None:
    model = Branches(meet)
    field = receptive_field(model, "end", image_size=32)
    assert field.size == size
    assert receptive_field(model, "near", image_size=32).size == 3
    assert field.box() == footprint_box(gradient_footprint(model, "end", image_size=32))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(3, 4, 5, stride=2, padding=2), (5, 2, -2)),
        (nn.Conv2d(3, 3, 3, dilation=4, padding="same", groups=3), (9, 1, -4)),
        (nn.MaxPool2d(3, 2, padding=1, ceil_mode=True), (3, 2, -1)),
        (nn.AvgPool2d(4), (4, 4, 0)),
        (nn.LocalResponseNorm(3), (1, 1, 0)),
        (nn.Hardswish(), (1, 1, 0)),
        # Whatever these do, they are taken to see all.
        (nn.AdaptiveAvgPool2d(1), (32, 0, 0)),
        (nn.AdaptiveAvgPool2d(5), (32, 0, 0)),
        (nn.ZeroPad2d((3, 0, 1, 0)), (32, 0, 0)),
        (nn.ConvTranspose2d(3, 3, 2, stride=2), (32, 0, 0)),
        (nn.ConvTranspose2d(3, 3, 3, padding=1), (32, 0, 0)),
        (nn.Conv2d(3, 4, (3, 5), padding=(1, 2)), (32, 0, 0)),
        (nn.Conv2d(3, 4, (3, 5)), (32, 0, 0)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_single_layers(layer: nn.Module, expected: tuple[int, int, int]) -> None:
    field = receptive_field(nn.Sequential(layer), "0", image_size=32)
    assert measures(field) == expected


def test_pixels_that_a_stride_leaves_out_are_not_seen() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Flatten(),
        nn.Linear(900, 1),
    )
    assert receptive_field(model, "1", 32).seen == (0, 31)
    assert (
        receptive_field(model, "3", 32).box()
        == footprint_box(gradient_footprint(model, "3", 32))
        == (0, 0, 31, 31)
    )


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), BasicBlock(4, 4, stride=1)).train()
    model[1].bn1.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    receptive_field(model, "1", 32)
    gradient_footprint(model, "1", 32)
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()
    )
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_unknown_and_unused_layers() -> None:
    model = LeNet5(3)
    model.spare = nn.Identity()
    for find in (receptive_field, gradient_footprint):
        with pytest.raises(ModelError, match=r"no layer 'conv9': known are .*conv1"):
            find(model, "conv9", 64)
        with pytest.raises(ModelError, match="does not use layer spare"):
            find(model, "spare", 64)


def test_pooling_written_as_a_function_is_followed_too() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, images: Tensor) -> Tensor:
            x = F.max_pool2d(F.relu(images), 3, 2, 1)
            out: Tensor = self.end(F.avg_pool2d(F.avg_pool2d(x, 2), (2, 2)))
            return out

    field = receptive_field(Functional(), "end", image_size=32)
    assert measures(field) == (9, 8, -1)


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 4), nn.LayerNorm([4, 9, 9])])
def test_a_footprint_passes_any_normalisation(norm: nn.Module) -> None:
    conv = nn.Conv2d(3, 4, 3, padding=1)
    model = nn.Sequential(conv, norm, nn.Conv2d(4, 4, 3, padding=1))
    footprint = gradient_footprint(model, "2", 9)
    assert footprint_box(footprint) == (2, 2, 7, 7)


def test_a_footprint_passes_the_median_that_is_taken_for_paper() -> None:
    model = create_model("stroke_net", num_classes=4).eval()
    top, left, *_ = footprint_box(
        gradient_footprint(model, "features.steps.0.near", 96)
    )
    assert (top, left) == (44, 44)


def test_a_number_that_is_read_from_a_map_has_no_field() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start, self.end = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))

        def forward(self, images: Tensor) -> Tensor:
            maps = self.start(images)
            out: Tensor = self.end(maps / (maps.abs().max().item() + 1))
            return out

    assert measures(receptive_field(Scaled(), "end", image_size=28)) == (5, 1, -2)
