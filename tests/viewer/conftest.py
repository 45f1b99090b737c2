"""Small untrained networks of every kind that notebooks save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.models import SavedModel, create_model, load_model, save_model

FACTORS = {"row": ("top", "bottom"), "column": ("left", "middle", "right")}
SIX = tuple(f"{row} {column}" for row in FACTORS["row"] for column in FACTORS["column"])

NETWORKS: dict[str, dict[str, Any]] = {
    "lenet5": {"image_size": 32},
    "improved_cnn": {"widths": (4, 8)},
    "resnet18": {},
    "one_conv": {"filters": 4, "image_size": 32, "hidden": 16},
    "multi_head_cnn": {"heads": FACTORS, "widths": (4, 8), "hidden": 8},
    "simple_cnn": {"image_size": 32},
}
WITHOUT_MAPS: dict[str, dict[str, Any]] = {"mlp": {"image_size": 32, "hidden": 16}}


def save_untrained(path: Path, name: str, channels: int) -> Path:
    torch.manual_seed(0)
    arguments = {
        "num_classes": 6,
        "in_channels": channels,
        **(NETWORKS | WITHOUT_MAPS)[name],
    }
    model = create_model(name, **arguments)
    about: dict[str, Any] = {
        "architecture": name,
        "arguments": arguments,
        "classes": SIX,
        "image_size": 32,
    }
    about |= {
        "channels": channels,
        "mean": [0.5] * channels,
        "std": [0.2] * channels,
        "trained_on": "real",
    }
    save_model(path, model, **about)
    return path


@pytest.fixture(
    params=[(name, channels) for name in NETWORKS for channels in (1, 3)],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def any_network(request: pytest.FixtureRequest, tmp_path: Path) -> SavedModel:
    """Every architecture, for gray and for colour images."""
    return load_model(save_untrained(tmp_path / "model.pt", *request.param))


@pytest.fixture
def lenet(tmp_path: Path) -> SavedModel:
    return load_model(save_untrained(tmp_path / "lenet.pt", "lenet5", 3))


@pytest.fixture
def multi_head(tmp_path: Path) -> SavedModel:
    return load_model(save_untrained(tmp_path / "heads.pt", "multi_head_cnn", 1))


@pytest.fixture
def perceptron(tmp_path: Path) -> SavedModel:
    return load_model(save_untrained(tmp_path / "mlp.pt", "mlp", 1))
