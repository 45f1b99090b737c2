from __future__ import annotations

import pytest
import torch
from torch import nn

from helpers.base.errors import ModelError
from helpers.insight.activations import activations, capture, conv_layers
from helpers.models.lenet5 import LeNet5


def hook_count(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


@pytest.fixture
def in_place() -> nn.Sequential:
    """A network that rectifies in place, with a batch normalisation that is frozen
    while the rest trains.
    """
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.LazyLinear(5),
    )
    model.train()
    model(torch.randn(2, 3, 8, 8))
    model[1].eval()
    return model


def test_maps_of_lenet5_after_relu() -> None:
    maps = activations(
        LeNet5(num_classes=101), torch.randn(2, 3, 64, 64), ["relu1", "relu2"]
    )
    assert {name: tuple(m.shape) for name, m in maps.items()} == {
        "relu1": (2, 32, 64, 64),
        "relu2": (2, 64, 16, 16),
    }
    assert all(m.min() == 0 and m.max() > 0 for m in maps.values())


def test_output_before_an_in_place_relu_keeps_its_negative_values(
    in_place: nn.Sequential,
) -> None:
    images = torch.randn(2, 3, 8, 8)
    maps = activations(in_place, images, ["1", "2"])
    assert maps["1"].min() < 0
    assert torch.equal(maps["1"].clamp(min=0), maps["2"])


def test_captured_maps_are_those_of_evaluation_mode_and_move_no_statistics(
    in_place: nn.Sequential,
) -> None:
    in_place[1].train()
    before = in_place[1].running_mean.clone()
    activations(in_place, torch.randn(2, 3, 8, 8), ["0"])
    assert torch.equal(in_place[1].running_mean, before)


def test_no_hook_and_no_mode_is_left_behind(in_place: nn.Sequential) -> None:
    modes = [module.training for module in in_place.modules()]
    with capture(in_place, ["0", "2"]):
        assert hook_count(in_place) == 2
        assert not in_place.training
    assert hook_count(in_place) == 0
    assert [module.training for module in in_place.modules()] == modes


def test_no_hook_and_no_mode_is_left_behind_by_a_failure(
    in_place: nn.Sequential,
) -> None:
    modes = [module.training for module in in_place.modules()]
    with pytest.raises(RuntimeError):
        activations(in_place, torch.randn(2, 7, 8, 8), ["0"])
    assert hook_count(in_place) == 0
    assert [module.training for module in in_place.modules()] == modes


def test_unknown_layer_names_the_known_ones() -> None:
    model = LeNet5(num_classes=3)
    with pytest.raises(
        ModelError, match=r"no layer 'conv9': known are .*conv1, norm1, relu1"
    ):
        activations(model, torch.randn(1, 3, 64, 64), ["conv1", "conv9"])
    assert hook_count(model) == 0


def test_layer_that_is_not_used_or_puts_out_no_tensor() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.spare = nn.LSTM(3, 4), nn.Linear(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.lstm(x)[0]
            return out

    with pytest.raises(
        ModelError, match="lstm, or the layer's output is not one tensor"
    ):
        activations(Recurrent(), torch.randn(1, 2, 3), ["lstm"])
    with pytest.raises(ModelError, match="does not use layer spare"):
        activations(Recurrent(), torch.randn(1, 2, 3), ["spare"])


def test_names_of_layers() -> None:
    model = LeNet5(num_classes=3)
    assert conv_layers(model) == ["conv1", "conv2"]
