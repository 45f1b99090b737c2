from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from odd_images import ODD_DDS
from PIL import Image, ImageOps

from helpers.base.errors import DataError
from helpers.base.files import data_dir
from helpers.data import images
from helpers.data.images import (
    class_folders,
    image_files,
    load_folder_split,
    load_image,
)

WriteImage = Callable[..., Path]


def save(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path, **options)
    return path


@pytest.fixture
def half_black(tmp_path: Path) -> Path:
    """20 wide, 10 high: the left half black, the right half white."""
    return save(tmp_path / "half.png", np.repeat([[0] * 10 + [255] * 10], 10, axis=0))


def test_pixels_come_back_exactly(tmp_path: Path) -> None:
    pixels = np.arange(5 * 7 * 3).reshape(5, 7, 3)
    image = load_image(save(tmp_path / "image.png", pixels))
    assert image.dtype == torch.uint8
    assert image.permute(1, 2, 0).tolist() == pixels.tolist()


def test_one_channel(half_black: Path) -> None:
    image = load_image(half_black, channels=1)
    assert image.shape == (1, 10, 20)
    assert image[0, 0].tolist() == [0] * 10 + [255] * 10


def test_grayscale_becomes_three_equal_channels(half_black: Path) -> None:
    red, green, blue = load_image(half_black, channels=3)
    assert torch.equal(red, green)
    assert torch.equal(red, blue)


def test_resizing_squashes(half_black: Path) -> None:
    image = load_image(half_black, size=6)
    assert image.shape == (3, 6, 6)
    assert image[:, :, 0].max() < 10
    assert image[:, :, 5].min() > 245


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_any_mode(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.new("L", (8, 8), 255).convert(mode).save(path)
    assert load_image(path).shape == (3, 8, 8)


def test_what_is_transparent_is_white_paper(tmp_path: Path) -> None:
    pixels = np.zeros((1, 4, 4), dtype=np.uint8)
    pixels[0, :, 3] = (0, 255, 128, 0)
    Image.fromarray(pixels).save(tmp_path / "rgba.png")
    assert load_image(tmp_path / "rgba.png")[:, 0].tolist() == [[255, 0, 127, 255]] * 3
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert load_image(tmp_path / "palette.png")[:, 0].tolist() == [
        [255, 40],
        [255, 50],
        [255, 60],
    ]


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255, 0x8000, 0xFFFF]], dtype=np.uint16)).save(
        tmp_path / "deep.png"
    )
    assert load_image(tmp_path / "deep.png", channels=1)[0, 0].tolist() == [
        0,
        0,
        128,
        255,
    ]


def test_sixteen_bits_of_a_pgm_file_are_scaled(tmp_path: Path) -> None:
    deep = np.array([[0, 255, 0x8000, 0xFFFF]], dtype=">u2")
    (tmp_path / "deep.pgm").write_bytes(b"P5 4 1 65535\n" + deep.tobytes())
    assert load_image(tmp_path / "deep.pgm", channels=1).tolist() == [
        [[0, 0, 128, 255]]
    ]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_values_of_unknown_range_are_refused(tmp_path: Path, kind: type) -> None:
    Image.fromarray(np.linspace(0, 1, 32).reshape(4, 8).astype(kind)).save(
        tmp_path / "map.tif"
    )
    with pytest.raises(DataError, match=r"map\.tif .*nothing says how large white is"):
        load_image(tmp_path / "map.tif")


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise
    path = save(
        tmp_path / "photo.png",
        np.repeat([[0] * 10 + [255] * 10], 10, axis=0),
        exif=exif,
    )
    image = load_image(path)
    assert image.shape == (3, 20, 10)
    assert image[:, :10].max() == 0
    assert image[:, 10:].min() == 255


def test_photographs_with_damaged_exif_data_are_turned_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 0.5  # a rational number, which then says that it is text
    damaged = exif.tobytes().replace(b"\x01\x1a\x00\x05", b"\x01\x1a\x00\x02")
    path = save(tmp_path / "photo.jpg", np.zeros((10, 20)), exif=damaged)
    with Image.open(path) as image, pytest.raises(TypeError):
        ImageOps.exif_transpose(image)
    assert load_image(path).shape == (3, 20, 10)


def test_a_decoder_that_fails_in_its_own_way_is_an_image_that_cannot_be_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(ODD_DDS)  # Pillow goes by the content, not the name
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))} cannot be read"):
        load_image(path)


def test_an_image_too_large_to_be_true_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "bomb.png", np.zeros((60, 60)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"bomb\.png cannot be read as an image"):
        load_image(path)


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_a_broken_image_is_named(
    tmp_path: Path, write_image: WriteImage, content: bytes | None
) -> None:
    path = write_image(tmp_path / "image.jpg")
    path.write_bytes(path.read_bytes()[:700] if content is None else content)
    with pytest.raises(
        DataError, match=f"^{re.escape(str(path))} cannot be read as an image"
    ):
        load_image(path)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(str(tmp_path / "no.jpg"))):
        load_image(tmp_path / "no.jpg")


def test_numbers_sort_as_numbers(tmp_path: Path, write_image: WriteImage) -> None:
    for name in ("10", "9", "0", "2"):
        write_image(tmp_path / name / "10.png")
        write_image(tmp_path / name / "9.png")
    assert class_folders(tmp_path) == ("0", "2", "9", "10")
    assert [file.name for file in image_files(tmp_path / "0")] == ["9.png", "10.png"]
    split = load_folder_split(tmp_path, classes=class_folders(tmp_path), size=64)
    assert split.ids[:3] == ("0/9.png", "0/10.png", "2/9.png")
    assert split.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_hidden_files_are_no_images(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "a" / "1.png")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / "a" / name).touch()
    for name in (".hidden", "__MACOSX"):
        (tmp_path / name).mkdir()
    assert load_folder_split(tmp_path, classes=("a",), size=64).ids == ("a/1.png",)


def test_labels_follow_the_given_classes(
    tmp_path: Path, write_image: WriteImage
) -> None:
    for name in ("a", "b"):
        write_image(tmp_path / name / "1.png")
    split = load_folder_split(tmp_path, classes=("b", "a"), size=64)
    assert split.ids == ("b/1.png", "a/1.png")
    assert torch.equal(split.images[1], load_image(tmp_path / "a/1.png"))


def test_a_folder_without_classes_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path} holds no class folders"):
        load_folder_split(tmp_path, classes=("a",), size=64)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files decoded so far."""
    files: list[Path] = []
    original = images.load_image

    def load(path: Path, *, size: int | None) -> torch.Tensor:
        files.append(path)
        return original(path, size=size)

    monkeypatch.setattr(images, "load_image", load)
    return files


@pytest.fixture
def folder(tmp_path: Path, write_image: WriteImage) -> Path:
    for name in ("a", "b"):
        write_image(tmp_path / "set" / name / "1.png")
    return tmp_path / "set"


def test_images_are_decoded_once(folder: Path, decoded: list[Path]) -> None:
    first = load_folder_split(folder, classes=("a", "b"), size=32)
    second = load_folder_split(folder, classes=("a", "b"), size=32)
    assert len(decoded) == 2
    assert torch.equal(first.images, second.images)


def test_a_changed_file_is_decoded_again(
    folder: Path, decoded: list[Path], write_image: WriteImage
) -> None:
    load_folder_split(folder, classes=("a", "b"), size=64)
    changed = write_image(folder / "b" / "1.png", mode="L")
    split = load_folder_split(folder, classes=("a", "b"), size=64)
    assert len(decoded) == 4
    assert torch.equal(split.images[1], load_image(changed))


def test_other_sizes_are_kept_apart(folder: Path) -> None:
    assert load_folder_split(folder, classes=("a", "b"), size=32).images.shape == (
        2,
        3,
        32,
        32,
    )
    assert load_folder_split(folder, classes=("a", "b"), size=16).images.shape == (
        2,
        3,
        16,
        16,
    )


def test_a_damaged_cache_is_made_again(folder: Path, decoded: list[Path]) -> None:
    first = load_folder_split(folder, classes=("a", "b"), size=32)
    (cache,) = (data_dir() / ".cache").glob("*.pt")
    cache.write_bytes(cache.read_bytes()[:100])
    assert torch.equal(
        load_folder_split(folder, classes=("a", "b"), size=32).images, first.images
    )
    assert len(decoded) == 4
    load_folder_split(folder, classes=("a", "b"), size=32)
    assert len(decoded) == 4


def test_a_data_folder_that_cannot_be_written_costs_only_time(
    folder: Path, decoded: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "file" / "data"))
    load_folder_split(folder, classes=("a", "b"), size=32)
    load_folder_split(folder, classes=("a", "b"), size=32)
    assert len(decoded) == 4
