from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers.base.errors import ModelError
from helpers.models import LeNet5, load_model, save_model


@pytest.fixture
def saved_path(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    save_model(
        path,
        LeNet5(3, in_channels=1, image_size=16),
        architecture="lenet5",
        arguments={"num_classes": 3, "in_channels": 1, "image_size": 16},
        classes=("a", "b", "c"),
        image_size=16,
        channels=1,
        mean=(0.4,),
        std=(0.2,),
        trained_on="synthetic",
    )
    return path


def test_a_saved_model_holds_all_that_prediction_needs(saved_path: Path) -> None:
    saved = load_model(saved_path)
    assert (saved.classes, saved.image_size, saved.channels) == (("a", "b", "c"), 16, 1)
    assert not saved.model.training
    assert load_model(saved_path, trained_on="synthetic").trained_on == "synthetic"
    with pytest.raises(ModelError, match="was trained on synthetic data"):
        load_model(saved_path, trained_on="real")
    images = torch.randint(0, 256, (5, 1, 16, 16), dtype=torch.uint8)
    probabilities = saved.predict(images, batch_size=2)
    assert probabilities.shape == (5, 3)
    assert torch.allclose(probabilities.sum(1), torch.ones(5), atol=1e-6)
    by_hand = saved.model((images.float() / 255 - 0.4) / 0.2).softmax(1)
    assert torch.allclose(probabilities, by_hand, atol=1e-6)


def test_a_missing_model_names_the_command_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ModelError, match=r"python -m helpers run caltech101/01_lenet5$"
    ):
        load_model("caltech101/01_lenet5")
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path / "exports" / "quick"))
    with pytest.raises(
        ModelError, match=r"python -m helpers run caltech101/01_lenet5 --quick$"
    ):
        load_model("caltech101/01_lenet5")
    with pytest.raises(ModelError, match="no model file"):
        load_model(tmp_path / "absent.pt")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, saved_path: Path) -> None:
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"text")
    with pytest.raises(ModelError, match=r"broken\.pt cannot be read \("):
        load_model(broken)
    torch.save([1, 2], broken)
    with pytest.raises(ModelError, match="holds no model of format 1"):
        load_model(broken)
    content = torch.load(saved_path, weights_only=True)
    content["arguments"]["num_classes"] = 4
    torch.save(content, broken)
    with pytest.raises(ModelError, match="do not fit LeNet5"):
        load_model(broken)
    saved_path.write_bytes(saved_path.read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(saved_path)
