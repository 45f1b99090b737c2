from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from helpers.cli import main
from helpers.models import create_model, save_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    arguments = {"num_classes": 3, "in_channels": 3, "image_size": 16}
    save_model(
        tmp_path / "model.pt",
        create_model("lenet5", **arguments),
        architecture="lenet5",
        arguments=arguments,
        classes=("ant", "bee", "cat"),
        image_size=16,
        channels=3,
        mean=[0.5] * 3,
        std=[0.1] * 3,
        trained_on="real",
    )
    return tmp_path / "model.pt"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    pixels = torch.randint(
        0, 256, (20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    Image.fromarray(pixels.numpy()).save(path)
    return path


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def visualize(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["visualize", *map(str, arguments)])


def test_a_picture_is_written_and_what_is_of_no_use_is_said(
    model: Path, photo: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.png"
    result = visualize(
        model, photo, "--kind", "saliency", "--layer", "conv1", "-o", output
    )
    assert result.exit_code == 0, result.output
    assert Image.open(output).width > 500
    trained, unused = result.output.splitlines()[:2]
    assert trained.startswith(f"note: {model} was trained on")
    assert unused.startswith("note: The layer is not used")


@pytest.mark.parametrize("suffix", ["pdf", "svg"])
def test_other_formats_go_by_the_suffix(
    model: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"out.{suffix}"
    assert (
        visualize(
            model, "--kind", "activations", "--layer", "conv1", "-o", output
        ).exit_code
        == 0
    )
    assert output.read_bytes().startswith(b"%PDF" if suffix == "pdf" else b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "conv9", "-o", "a.png"], "has no layer 'conv9': known are conv1"),
        (["--layer", "fc1", "-o", "a.png"], "choose conv1"),
        (
            ["--target", "dog", "-o", "a.png"],
            "no class 'dog': the network knows ant, bee, cat",
        ),
        (
            ["missing.png", "-o", "a.png"],
            "missing.png cannot be read as an image",
        ),
        (["model.pt", "-o", "a.png"], "cannot be read as an image"),
        (["-o", "a.gif"], "name a .png, .pdf, .svg file"),
        (["photo.png", "-o", "photo.png"], "is the image itself"),
        (["-o", "photo.png/a.png"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    in_folder: Path, model: Path, photo: Path, arguments: list[str], message: str
) -> None:
    before = sorted(in_folder.iterdir())
    result = visualize(model, "--kind", "heatmap", *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert sorted(in_folder.iterdir()) == before


def test_a_photograph_is_not_replaced_however_its_path_is_spelt(
    in_folder: Path, model: Path, photo: Path
) -> None:
    before = photo.read_bytes()
    there = in_folder / photo.name
    result = visualize(model, photo.name, "--kind", "heatmap", "-o", there)
    assert "is the image itself" in result.output
    assert photo.read_bytes() == before


def test_a_notebook_that_has_not_run_is_named(tmp_path: Path) -> None:
    result = visualize(
        "lines/01_foundations", "--kind", "filters", "-o", tmp_path / "a.png"
    )
    assert (
        "lines/01_foundations has left no model. If it saves one: python -m helpers "
        "run lines/01_foundations" in result.output
    )
