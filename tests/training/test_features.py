from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from helpers.base.files import data_dir
from helpers.data.splits import Splits
from helpers.models import FeatureClassifier
from helpers.training import (
    Experiment,
    TrainConfig,
    device,
    extract_features,
    run_experiments,
)
from helpers.training import features as features_module


class Frozen(nn.Module):
    """Average colours of the quarters of an image, normalised; counts how often it is
    asked.
    """

    def __init__(self, *, flat: bool = False) -> None:
        super().__init__()
        self.norm, self.pool, self.flat = (
            nn.BatchNorm2d(3),
            nn.AdaptiveAvgPool2d(2),
            flat,
        )
        self.calls: list[Tensor] = []
        self.scale = 1.0

    def forward(self, images: Tensor) -> Tensor:
        self.calls.append(images)
        maps: Tensor = self.pool(self.norm(images))  # (B, 3, 2, 2)
        return maps.flatten(1) if self.flat else maps


def use_bf16(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    monkeypatch.setattr(device, "has_fast_bf16", lambda _device: on)


def test_features_are_what_the_network_makes_of_normalised_images(
    corners: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_module, "BATCH_SIZE", 50)
    use_bf16(monkeypatch, on=False)
    model = Frozen().train()
    features = extract_features(model, corners.normalised_with((0.5,) * 3, (0.25,) * 3))
    by_hand = model.eval()((corners.valid.images.float() / 255 - 0.5) / 0.25).detach()
    torch.testing.assert_close(features.valid.images, by_hand)
    assert torch.equal(features.train.labels, corners.train.labels)
    assert features.valid.ids == corners.valid.ids
    assert features.test is None
    assert (features.channels, features.image_size) == (3, 2)
    assert features.channel_stats() == ((0.0,) * 3, (1.0,) * 3)


def test_the_model_is_left_in_its_mode(corners: Splits) -> None:
    model = Frozen().train()
    extract_features(model, corners)
    assert model.training
    assert model.norm.training
    assert model.norm.running_mean.abs().max() == 0


def test_features_are_computed_once(corners: Splits) -> None:
    model = Frozen()
    first = extract_features(model, corners)
    calls = len(model.calls)
    again = extract_features(model, corners)
    assert len(model.calls) == calls > 0
    assert torch.equal(first.train.images, again.train.images)
    for cache in (data_dir() / ".cache").iterdir():
        cache.write_bytes(b"damaged")
    assert torch.equal(
        extract_features(model, corners).train.images, first.train.images
    )
    assert len(model.calls) == 2 * calls


@pytest.mark.parametrize(
    "change", ["weights", "layers", "settings", "images", "normalisation", "precision"]
)
def test_anything_that_changes_them_makes_other_features(
    corners: Splits, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, splits = Frozen(), corners
    use_bf16(monkeypatch, on=False)
    extract_features(model, splits)
    before = len(list((data_dir() / ".cache").iterdir()))
    if change == "weights":
        nn.init.constant_(model.norm.weight, 2.0)
    elif change == "layers":
        model.pool = nn.AdaptiveAvgPool2d(4)
    elif change == "settings":
        model.scale = 2.0
    elif change == "images":
        splits = replace(corners, train=corners.train.subset(torch.arange(64)))
    elif change == "normalisation":
        splits = corners.normalised_with((0.5,) * 3, (0.5,) * 3)
    else:
        use_bf16(monkeypatch, on=True)
    model.calls.clear()
    extract_features(model, splits)
    assert model.calls
    assert len(list((data_dir() / ".cache").iterdir())) == 2 * before


def test_half_the_precision_takes_half_the_space(
    corners: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Conv2d(3, 8, 3)
    sizes: dict[Path, int] = {}
    for on in (False, True):
        use_bf16(monkeypatch, on=on)
        features = extract_features(model, corners)
        assert features.train.images.dtype == torch.float32
        for file in (data_dir() / ".cache").glob("*-train.pt"):
            sizes.setdefault(file, file.stat().st_size)
    whole, half = sizes.values()
    assert half == pytest.approx(whole / 2, rel=0.05)


def test_a_classifier_learns_from_features(corners: Splits, tmp_path: Path) -> None:
    features = extract_features(Frozen(flat=True), corners)
    assert features.train.images.shape == (128, 12, 1, 1)
    config = TrainConfig(
        epochs=8, batch_size=16, lr=0.05, weight_decay=0.0, device="cpu"
    )
    experiment = Experiment("feature_classifier", config, {"image_size": 1})
    results = run_experiments({"head": experiment}, features, seeds=1, folder=tmp_path)
    (head,) = results["head"]
    assert head.evaluate(features.valid).accuracy > 0.95
    assert isinstance(head.model, FeatureClassifier)
