from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.base.errors import ModelError
from helpers.models import ImprovedCNN, LeNet5, ResNet18, create_model, model_names


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_lenet5_is_the_listed_network() -> None:
    model = LeNet5(101)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size, c.out_channels, c.stride) for c in convs] == [
        ((5, 5), 32, (1, 1)),
        ((5, 5), 64, (1, 1)),
    ]
    assert (model.pool.kernel_size, model.pool.stride) == (4, 4)
    assert [
        (m.in_features, m.out_features)
        for m in model.modules()
        if isinstance(m, nn.Linear)
    ] == [
        (1024, 1021),
        (1021, 84),
        (84, 101),
    ]
    # By hand: weights and biases of each layer.
    by_hand = (
        (3 * 25 + 1) * 32 + (32 * 25 + 1) * 64 + 1025 * 1021 + 1022 * 84 + 85 * 101
    )
    assert count(model) == by_hand
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 101)


def test_lenet5_returns_logits_not_probabilities() -> None:
    logits = LeNet5(10)(torch.randn(4, 3, 64, 64))
    assert not torch.allclose(logits.sum(1), torch.ones(4))


def test_lenet5_improvements_leave_the_listed_layers_in_place() -> None:
    model = LeNet5(10, batch_norm=True, dropout=0.5, init="xavier")
    assert (
        sum(isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d)) for m in model.modules())
        == 4
    )
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 10)
    with pytest.raises(ModelError, match="known are xavier, he"):
        LeNet5(10, init="zeros")


def test_resnet18_has_torchvisions_parameters_and_outputs() -> None:
    ours, theirs = ResNet18(1000).eval(), torchvision.models.resnet18().eval()
    assert count(ours) == count(theirs) == 11_689_512
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), atol=1e-6)


def test_resnet18_enlarges_its_images_itself() -> None:
    plain, larger = ResNet18(5).eval(), ResNet18(5, enlarge=2).eval()
    larger.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 32, 32)
    twice = nn.Upsample(scale_factor=2, mode="bilinear")(images)
    with torch.no_grad():
        assert torch.allclose(larger(images), plain(twice), atol=1e-6)


def test_the_improved_network_takes_any_size() -> None:
    model = ImprovedCNN(7)
    for size in (32, 40, 64):
        assert model(torch.rand(2, 3, size, size)).shape == (2, 7)


# What some networks need besides the number of classes and channels.
SPECIAL: dict[str, dict[str, object]] = {
    "conv_net": {"image_size": 64},
    "feature_classifier": {"image_size": 64},
    "multi_head_cnn": {
        "heads": {"size": ("small", "large"), "hue": ("red", "green", "blue")}
    },
    "mlp": {"image_size": 64},
    "one_conv": {"image_size": 64},
    "simple_cnn": {"image_size": 64},
    "transfer_net": {"backbone": "squeezenet1_1", "layer": "features.7"},
}


class NoWaits(TorchDispatchMode):
    """Within the block nothing happens for which the host would wait for a GPU: it
    reads no value there, and sends none, as an index by a list does.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        aten = torch.ops.aten
        waits = (aten._local_scalar_dense.default, aten.nonzero.default)
        assert func not in (*waits, aten.index.Tensor), f"the host waits for {func}"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", model_names())
def test_every_network_is_built_by_name_and_can_learn(name: str) -> None:
    model = create_model(name, num_classes=6, in_channels=1, **SPECIAL.get(name, {}))
    with NoWaits():
        model(torch.rand(4, 1, 64, 64)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_unknown_names_and_arguments_are_refused() -> None:
    with pytest.raises(ModelError, match=r"no model 'lenet6': known are .*lenet5"):
        create_model("lenet6", num_classes=2)
    with pytest.raises(ModelError, match="depth"):
        create_model("lenet5", num_classes=2, depth=3)
    with pytest.raises(ModelError, match="no pooling 'avg': known are max, average"):
        create_model("stroke_net", num_classes=2, pooling="avg")
    with pytest.raises(ModelError, match="no downsampling 'pad': known are pool, str"):
        create_model("one_conv", num_classes=2, image_size=64, downsampling="pad")
