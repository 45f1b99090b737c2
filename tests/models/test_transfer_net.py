from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.models import (
    FeatureClassifier,
    TransferNet,
    create_model,
    load_model,
    save_model,
    transfer_net,
)
from helpers.models.pretrained import IMAGENET
from helpers.models.transfer_net import FeatureNet

SMALL = {"backbone": "squeezenet1_1", "layer": "features.4", "pool": 3}


@pytest.fixture
def folded_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A MobileNetV2 that stands for the one with folded batch normalisation."""
    path = tmp_path / "folded.pth"
    torch.save(torchvision.models.mobilenet_v2().state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(transfer_net, "FOLDED", digest[:8])
    return path


def norm_modes(model: nn.Module) -> set[bool]:
    return {
        module.training
        for module in model.modules()
        if isinstance(module, nn.BatchNorm2d)
    }


def changed(model: nn.Module, images: Tensor) -> list[str]:
    """Which entries of the state one step of training changes."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.1
    )
    model(images).square().sum().backward()
    optimizer.step()
    return [
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    ]


def test_features_and_head_are_one_network() -> None:
    model = TransferNet(5, **SMALL, hidden=(16, 8), batch_norm=True, dropout=0.5).eval()
    images = torch.randn(2, 3, 48, 48)
    maps = model.features(images)
    assert maps.shape == (2, 128, 3, 3)
    assert torch.equal(model(images), model.head(maps))
    assert [
        (m.in_features, m.out_features)
        for m in model.head.modules()
        if isinstance(m, nn.Linear)
    ] == [
        (128 * 9, 16),
        (16, 8),
        (8, 5),
    ]
    # A head that was trained apart fits into the whole.
    apart = FeatureClassifier(5, 128, 3, hidden=(16, 8), batch_norm=True, dropout=0.5)
    model.head.load_state_dict(apart.state_dict())
    assert torch.equal(model(images), apart.eval()(maps))


def test_a_classifier_standardises_its_maps_if_asked() -> None:
    torch.manual_seed(0)
    plain, standard = (
        FeatureClassifier(3, 8, 2, standardise=value) for value in (False, True)
    )
    standard.layers.load_state_dict(plain.layers.state_dict())
    maps = torch.randn(64, 8, 2, 2)
    torch.testing.assert_close(
        standard(200 * maps + 50), standard(maps), atol=1e-4, rtol=1e-4
    )
    centred = (maps - maps.mean((0, 2, 3), keepdim=True)) / maps.std(
        (0, 2, 3), keepdim=True, correction=0
    )
    torch.testing.assert_close(standard(maps), plain(centred), atol=1e-4, rtol=1e-4)


def test_images_are_resized_and_gray_ones_seen_by_all_channels() -> None:
    net = FeatureNet("squeezenet1_1", "features.4", size=64, pool=3).eval()
    images = torch.rand(2, 1, 32, 32)
    resized = torch.nn.functional.interpolate(
        images, (64, 64), mode="bilinear", antialias=True
    )
    torch.testing.assert_close(net(images), net(resized.repeat(1, 3, 1, 1)))
    with pytest.raises(ModelError, match="3 channels, or gray ones with 1, not 4"):
        TransferNet(2, in_channels=4, **SMALL)


def test_frozen_features_do_not_change_and_stay_in_evaluation_mode() -> None:
    model = TransferNet(
        3, backbone="mobilenet_v2", layer="features.3", pool=1, frozen=True
    )
    touched = changed(model, torch.randn(4, 3, 32, 32))
    assert touched
    assert all(name.startswith("head.") for name in touched)
    assert norm_modes(model.features) == {False}
    assert model.head.training


def test_fine_tuning_changes_features_and_the_statistics_of_normalisation() -> None:
    model = TransferNet(3, backbone="mobilenet_v2", layer="features.3", pool=1)
    touched = changed(model, torch.randn(4, 3, 32, 32))
    assert norm_modes(model) == {True}
    assert (model.features.mean, model.features.std) == IMAGENET
    assert any("running_mean" in name for name in touched)
    assert any(name.startswith("features.layers.0") for name in touched)


def test_folded_normalisation_stays_as_it_is_while_the_rest_is_fine_tuned(
    folded_weights: Path,
) -> None:
    arguments = {
        "backbone": "mobilenet_v2",
        "layer": "features.3",
        "pool": 1,
        "num_classes": 3,
    }
    model = TransferNet(**arguments, weights=str(folded_weights))
    touched = changed(model, torch.randn(4, 3, 32, 32))
    assert (model.features.mean, model.features.std) == ((0.5,) * 3, (0.5,) * 3)
    assert any(name.startswith("features.layers.0") for name in touched)
    assert not any("running" in name for name in touched)
    again = TransferNet(**arguments)
    again.load_state_dict(model.state_dict())
    assert norm_modes(again.train()) == {False}


def test_a_saved_network_is_built_again_without_its_pretrained_weights(
    tmp_path: Path, folded_weights: Path
) -> None:
    arguments = {
        "backbone": "mobilenet_v2",
        "layer": "features.3",
        "pool": 2,
        "num_classes": 2,
    }
    arguments["weights"] = str(folded_weights)
    model = create_model("transfer_net", **arguments).eval()
    save_model(
        tmp_path / "model.pt",
        model,
        architecture="transfer_net",
        arguments=arguments,
        classes=("a", "b"),
        image_size=32,
        channels=3,
        mean=model.features.mean,
        std=model.features.std,
        trained_on="synthetic",
    )
    folded_weights.unlink()
    loaded = load_model(tmp_path / "model.pt")
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(loaded.model(images), model(images))
    assert loaded.arguments["weights"] == str(folded_weights)


def test_resnet50_to_its_last_layer_and_averaged_is_resnet50_itself() -> None:
    model = TransferNet(
        65, backbone="resnet50", layer="layer4", weights=None, pool=1
    ).eval()
    whole = torchvision.models.resnet50(num_classes=65).eval()
    assert (
        sum(p.numel() for p in model.parameters())
        == sum(p.numel() for p in whole.parameters())
        == 23_641_217
    )
    last = {
        f"fc.{name}": value
        for name, value in model.head.layers[-1].state_dict().items()
    }
    whole.load_state_dict(model.features.layers.state_dict() | last)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(model(images), whole(images), atol=1e-5)
    assert all(
        norm.training
        for norm in model.train().modules()
        if isinstance(norm, nn.BatchNorm2d)
    )
