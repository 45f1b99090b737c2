from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from helpers.base.errors import DataError, ModelError
from helpers.models import create_model
from helpers.models.saved import load_model, save_model
from helpers.publish import predict
from helpers.publish.predict import write_predictions

CLASSES = ("ant", "bee", "cat")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    arguments = {"num_classes": 3, "in_channels": 3, "image_size": 16}
    path = tmp_path / "model.pt"
    save_model(
        path,
        create_model("lenet5", **arguments),
        architecture="lenet5",
        arguments=arguments,
        classes=CLASSES,
        image_size=16,
        channels=3,
        mean=[0.5] * 3,
        std=[0.1] * 3,
        trained_on="real",
    )
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for name, mode in (("10.png", "RGB"), ("9.jpg", "L"), ("0002.png", "RGBA")):
        pixels = torch.randint(0, 256, (20, 24, len(mode)), dtype=torch.uint8, generator=generator)
        Image.fromarray(pixels.squeeze(-1).numpy(), mode=mode).save(folder / name)
    return folder


def test_rows_are_sorted_by_identifier(
    model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out" / "labels.csv"
    assert write_predictions(str(model), images, output) == (3, "real")
    header, *rows = output.read_text().splitlines()
    assert header == "id,label"
    assert [row.partition(", ")[0] for row in rows] == ["0002", "9", "10"]
    labels = [int(row.partition(", ")[2]) for row in rows]

    monkeypatch.setattr(predict, "CHUNK", 2)
    write_predictions(str(model), images, output, names=True)
    assert output.read_text().splitlines()[1:] == [
        f"{stem}, {CLASSES[label]}" for stem, label in zip(("0002", "9", "10"), labels, strict=True)
    ]


def test_labels_are_the_models(model: Path, images: Path, tmp_path: Path) -> None:
    from helpers.data.images import load_image  # noqa: PLC0415

    write_predictions(str(model), images / "10.png", tmp_path / "one.csv")
    image = load_image(images / "10.png", size=16, channels=3)
    label = int(load_model(model).predict(image[None]).argmax())
    assert (tmp_path / "one.csv").read_text() == f"id,label\n10, {label}\n"


def test_bad_images_leave_an_earlier_file(model: Path, images: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    output.write_text("before")
    (images / "11.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"11\.png cannot be read as an image"):
        write_predictions(str(model), images, output)
    (images / "11.png").rename(images / "10.jpg")
    with pytest.raises(DataError, match=r"10\.jpg.*10\.png have the same identifier 10"):
        write_predictions(str(model), images, output)
    with pytest.raises(DataError, match="none is not there"):
        write_predictions(str(model), tmp_path / "none", output)
    with pytest.raises(ModelError, match="no model file"):
        write_predictions(str(tmp_path / "none.pt"), images / "10.png", output)
    assert output.read_text() == "before"
