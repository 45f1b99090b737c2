from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from helpers.base.errors import DataError, ModelError
from helpers.base.files import data_dir, exports_dir
from helpers.base.record import RunRecord
from helpers.cli import main
from helpers.data import load_data
from helpers.models import create_model
from helpers.models.saved import load_model, save_model
from helpers.training import TrainConfig, fit
from helpers.viewer import predict
from helpers.viewer.predict import predict_images, training_of, write_labels

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
        pixels = torch.randint(
            0, 256, (20, 24, len(mode)), dtype=torch.uint8, generator=generator
        )
        Image.fromarray(pixels.squeeze(-1).numpy(), mode=mode).save(folder / name)
    return folder


def test_rows_are_sorted_by_identifier(
    model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out" / "labels.csv"
    predict_images(str(model), images).write(output)
    header, *rows = output.read_text().splitlines()
    assert header == "id,label"
    assert [row.partition(", ")[0] for row in rows] == ["0002", "9", "10"]
    labels = [int(row.partition(", ")[2]) for row in rows]

    monkeypatch.setattr(predict, "CHUNK", 2)
    predict_images(str(model), images).write(output, names=True)
    assert output.read_text().splitlines()[1:] == [
        f"{stem},{CLASSES[label]}"
        for stem, label in zip(("0002", "9", "10"), labels, strict=True)
    ]


def test_labels_are_the_models(model: Path, images: Path, tmp_path: Path) -> None:
    from helpers.data.images import load_image

    predict_images(str(model), images / "10.png").write(tmp_path / "one.csv")
    image = load_image(images / "10.png", size=16, channels=3)
    label = int(load_model(model).predict(image[None]).argmax())
    assert (tmp_path / "one.csv").read_text() == f"id,label\n10, {label}\n"


def test_what_cannot_be_labelled_is_refused(
    model: Path, images: Path, tmp_path: Path
) -> None:
    (images / "10.jpg").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"10\.jpg.*10\.png have the same identifier 10"
    ):
        predict_images(str(model), images)
    with pytest.raises(DataError, match="none is not there"):
        predict_images(str(model), tmp_path / "none")
    with pytest.raises(ModelError, match="no model file"):
        predict_images(str(tmp_path / "none.pt"), images / "10.png")


def test_names_are_quoted_where_they_must_be(
    model: Path, images: Path, tmp_path: Path
) -> None:
    saved = torch.load(model)
    saved["classes"] = names = ("a, b", 'the "c"', "d\ne")
    torch.save(saved, model)
    (images / "9.jpg").rename(images / "9, new.jpg")
    for named in (True, False):
        predict_images(str(model), images).write(tmp_path / "out.csv", names=named)
        with (tmp_path / "out.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["id"] for row in rows] == ["0002", "9, new", "10"]
        assert {row["label"] for row in rows} <= {*names, " 0", " 1", " 2"}


def test_the_output_is_none_of_the_images(
    model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(images)
    for output in (Path("labels.csv"), images / "labels.csv"):
        predict_images(str(model), images, besides=output).write(output)
        assert len(output.read_text().splitlines()) == 4
    before = (images / "10.png").read_bytes()
    for output in (images / "10.png", model, model.with_suffix(".pth")):
        result = predicted(str(model), images, "-o", output)
        assert (result.exit_code, result.output.count("would be no text")) == (1, 1)
    assert (images / "10.png").read_bytes() == before


def predicted(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


def test_without_a_file_the_likeliest_classes_are_printed(
    model: Path, images: Path
) -> None:
    result = predicted(model, images / "10.png")
    assert (result.exit_code, result.stderr) == (
        0,
        f"note: {model} was trained on real data\n",
    )
    likely = r"(\w+) (\d+\.\d) %"
    found = re.fullmatch(rf"10\.png: {likely}, {likely}, {likely}\n", result.stdout)
    assert found
    names, shares = (
        found.groups()[::2],
        [float(share) for share in found.groups()[1::2]],
    )
    assert set(names) == set(CLASSES)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.2)
    probabilities = predict_images(str(model), images / "10.png").probabilities
    assert names[0] == CLASSES[int(probabilities.argmax())]
    assert len(predicted(model, images).stdout.splitlines()) == 3


def test_a_bad_image_is_reported_and_the_others_are_labelled(
    model: Path, images: Path, tmp_path: Path
) -> None:
    (images / "1.png").write_bytes(b"")
    (images / "notes.txt").write_text("no image")
    (images / "turn.png").symlink_to(images / "turn.png")
    for written in ((), ("-o", tmp_path / "labels.csv")):
        result = predicted(model, images, *written)
        assert result.exit_code == 1
        _note, *faults = result.stderr.splitlines()
        assert [fault.partition(" cannot be read")[0] for fault in faults] == [
            f"error: {images / name}" for name in ("1.png", "notes.txt", "turn.png")
        ]
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1 + 3
    result = predicted(model, images / "1.png", "-o", tmp_path / "none.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert not (tmp_path / "none.csv").exists()


def test_the_run_of_a_model_says_what_it_was_trained_on(
    model: Path, images: Path
) -> None:
    data = {"name": "caltech101", "source": "real"}
    record = RunRecord("caltech101/01_lenet5", status="complete", data=data)
    record.parameters, record.reduced = {"epochs": 2, "seeds": 1}, ["epochs"]
    record.save(model.with_name("metrics.json"))
    assert predicted(model, images / "10.png").stderr == (
        f"note: {model} was trained on real data (caltech101). Reduced run: epochs 2\n"
    )
    saved = torch.load(model)
    torch.save(saved | {"trained_on": "synthetic"}, model)
    assert predicted(model, images / "10.png").stderr.endswith(
        ". What it says means nothing\n"
    )


EXAMPLE = """\
id,label
0001, 2
0002, 3
0003, 3
"""  # section 2 of the clip-art assignment


def test_the_file_is_the_courses_own_example_line_by_line(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.txt", ("0001", "0002", "0003"), (2, 3, 3))
    assert (tmp_path / "labels.txt").read_bytes().decode() == EXAMPLE


def test_labels_are_the_numbers_of_the_class_folders_not_their_order_as_strings(
    tmp_path: Path,
) -> None:
    colours = [
        (255 * (k % 3) // 2, 255 * (k // 3 % 2), 255 * (k // 6)) for k in range(12)
    ]
    folder = data_dir() / "clipart"
    for label, colour in enumerate(colours):
        places = (
            f"train/{label}/0001",
            f"train/{label}/0002",
            f"valid/{label}/0001",
            f"test/{label + 1:04d}",
        )
        for place in places:
            path = folder / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), colour).save(path)
    assert sorted(str(label) for label in range(12))[:3] == ["0", "1", "10"]  # the trap

    splits = load_data("clipart", size=8)
    arguments = {"num_classes": 12, "image_size": 8}
    torch.manual_seed(0)
    network = create_model("mlp", **arguments)
    config = TrainConfig(epochs=40, batch_size=12, optimizer="adam", lr=0.01)
    fit(network, splits, config, folder=tmp_path / "work")
    pixels = torch.stack([*splits.unlabelled.values()])
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in splits.channel_stats())
    labels = network((pixels / 255 - mean) / std).argmax(1).tolist()
    write_labels(tmp_path / "out.txt", splits.unlabelled, labels)
    assert (tmp_path / "out.txt").read_text().splitlines()[1:] == [
        f"{k + 1:04d}, {k}" for k in range(12)
    ]


def test_without_a_full_run_the_best_there_is_will_do_and_is_named(
    model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "lines/01_foundations"
    folder = exports_dir() / "quick" / name
    folder.mkdir(parents=True)
    data = {"weights": "random"}
    record = RunRecord(name, data=data, parameters={}, environment={})
    record.status = "complete"
    record.save(folder / "metrics.json")
    shutil.copy(model, folder / "model.pt")
    for _ in range(2):
        found = predict_images(name, images)
        said = training_of(found.path, found.saved)
        assert said.startswith(f"{folder}/model.pt was")
        assert "Random weights in place" in said
        monkeypatch.setenv("CNN_QUICK", "1")
