from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from helpers.base.errors import DataError, ModelError
from helpers.insight.attribution import Target
from helpers.models import SavedModel
from helpers.viewer.inputs import parse_target, read_image


def test_no_image_is_a_blank_one(multi_head: SavedModel) -> None:
    image = read_image(multi_head, None)
    assert image.shape == (1, 32, 32)
    assert image.unique().tolist() == [128]


def test_an_image_that_fits_is_taken_as_it_is(
    lenet: SavedModel, tmp_path: Path
) -> None:
    pixels = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    Image.fromarray(pixels.movedim(0, -1).numpy()).save(tmp_path / "a.png")
    for given in (pixels, tmp_path / "a.png"):
        assert torch.equal(read_image(lenet, given), pixels)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK"])
def test_a_file_of_another_mode_and_size_is_converted(
    lenet: SavedModel, multi_head: SavedModel, tmp_path: Path, mode: str
) -> None:
    Image.new("RGB", (20, 24), (200, 200, 200)).convert(mode).save(tmp_path / "a.tif")
    for saved in (lenet, multi_head):
        image = read_image(saved, tmp_path / "a.tif")
        assert image.shape == (saved.channels, 32, 32)


@pytest.mark.parametrize(
    "given",
    [
        torch.zeros(3, 32, 32),
        torch.zeros(1, 32, 32, dtype=torch.uint8),
        torch.zeros(3, 20, 24, dtype=torch.uint8),
    ],
)
def test_what_is_no_image_is_refused(
    lenet: SavedModel, given: torch.Tensor, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"Expected uint8 \(3, 32, 32\)"):
        read_image(lenet, given)
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image"):
        read_image(lenet, tmp_path / "a.png")
    with pytest.raises(ModelError, match="takes 64 maps of another network"):
        read_image(replace(lenet, channels=64), None)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (None, None),
        ("bottom left", 3),
        ("5", 5),
        ("column", "column"),
        ("column=right", ("column", 2)),
        ("row=0", ("row", 0)),
        (4, 4),
    ],
)
def test_targets_by_name(multi_head: SavedModel, text: Target, target: Target) -> None:
    assert parse_target(multi_head, text) == target


def test_a_name_goes_before_an_index(lenet: SavedModel) -> None:
    assert (
        parse_target(replace(lenet, classes=("9", "8", "7", "1", "0", "2")), "1") == 3
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "left",
            (
                "no class 'left': the network knows top left, .* or head=class, of the "
                "heads row, column"
            ),
        ),
        ("column=up", "no class 'up': head 'column' knows left, middle, right"),
        ("column=", "no class '': head 'column' knows"),
        ("tint=red", "no class 'tint=red'"),
    ],
)
def test_unknown_targets_name_the_known_ones(
    multi_head: SavedModel, text: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        parse_target(multi_head, text)


def test_of_many_classes_the_nearest_are_named(lenet: SavedModel) -> None:
    many = replace(lenet, classes=(*(f"class {i}" for i in range(100)), "accordion"))
    with pytest.raises(
        ModelError,
        match="the network knows 101 classes, such as accordion, or their indices",
    ):
        parse_target(many, "acordeon")
