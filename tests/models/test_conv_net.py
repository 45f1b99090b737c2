from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from helpers.base.errors import ModelError
from helpers.models import ConvNet
from helpers.models.conv_net import Dropout


def kinds(model: ConvNet) -> list[str]:
    return [type(module).__name__ for module in model.features]


def test_it_has_the_parameters_of_the_listed_network_layer_by_layer() -> None:
    model = ConvNet(10)
    counts = {
        name: sum(p.numel() for p in module.parameters())
        for name, module in [*model.features.named_children(), ("fc", model.fc)]
        if list(module.parameters())
    }
    # By hand: weights and a bias for each map.
    assert counts == {
        "conv1": (3 * 9 + 1) * 128,
        "conv2": (128 * 9 + 1) * 512,
        "conv3": (512 * 9 + 1) * 512,
        "conv4": (512 * 9 + 1) * 512,
        "conv5": (512 * 9 + 1) * 512,
        "fc": (512 + 1) * 10,
    }
    assert sum(counts.values()) == 7_678_474


def test_a_block_is_convolution_pooling_and_relu_in_this_order() -> None:
    assert kinds(ConvNet(10)) == ["Conv2d", "MaxPool2d", "ReLU"] * 5
    assert (
        kinds(ConvNet(10, batch_norm=True))
        == ["Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU"] * 5
    )


def test_each_block_halves_the_maps_down_to_one_value() -> None:
    x, sides = torch.rand(2, 3, 32, 32), []
    for module in ConvNet(10, hidden_sizes=(4, 8, 8, 8, 8)).features:
        before, x = x.shape[-1], module(x)
        if isinstance(module, nn.Conv2d):
            assert x.shape[-1] == before
        elif isinstance(module, nn.MaxPool2d):
            sides.append(x.shape[-1])
    assert sides == [16, 8, 4, 2, 1]


def test_normalisation_adds_nothing_but_its_own_parameters() -> None:
    plain, normalised = ConvNet(10), ConvNet(10, batch_norm=True)
    added = set(dict(normalised.named_parameters())) - set(
        dict(plain.named_parameters())
    )
    assert {name.rpartition(".")[0] for name in added} == {
        f"features.norm{i}" for i in range(1, 6)
    }
    for name, parameter in plain.named_parameters():
        assert normalised.get_parameter(name).shape == parameter.shape


def test_dropout_lies_between_the_blocks() -> None:
    model = ConvNet(10, hidden_sizes=(4, 8, 8, 8, 8), dropout=0.3)
    assert kinds(model) == (["Conv2d", "MaxPool2d", "ReLU", "Dropout"] * 5)[:-1]
    assert {
        module.p for module in model.modules() if isinstance(module, nn.Dropout)
    } == {0.3}
    names = list(dict(model.features.named_children()))
    assert all(
        after.startswith("conv")
        for name, after in pairwise(names)
        if name.startswith("dropout")
    )


def test_images_that_are_used_up_are_refused() -> None:
    with pytest.raises(ModelError, match="Images of 16×16 pixels are used up"):
        ConvNet(10, image_size=16)
    assert ConvNet(10, image_size=16, hidden_sizes=(4, 4))(
        torch.rand(2, 3, 16, 16)
    ).shape == (2, 10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_leaves_the_mean_as_it_is_and_evaluation_alone(
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(0)
    layer, maps = Dropout(0.3), torch.ones(8, 16, 20, 20, dtype=dtype)
    dropped = layer(maps)
    assert dropped.dtype == dtype
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert dropped.max().item() == pytest.approx(1 / 0.7, rel=1e-2)
    assert torch.equal(layer.eval()(maps), maps)
    assert not Dropout(1.0)(maps).any()


def test_all_probabilities_of_dropout_are_one_compilation() -> None:
    torch._dynamo.reset()  # whatever was compiled before
    compiled: list[object] = []

    def backend(graph: torch.fx.GraphModule, _inputs: object) -> object:
        compiled.append(graph)
        return graph.forward

    for p in (0.2, 0.5, 0.9):
        network = ConvNet(10, hidden_sizes=(4, 4, 4, 4, 4), dropout=p)
        torch.compile(network, backend=backend)(torch.rand(2, 3, 32, 32))
    assert len(compiled) == 1
