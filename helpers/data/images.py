"""Image files in class folders, decoded once into one ``uint8`` tensor kept on disk."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from helpers.base.errors import DataError, explained
from helpers.base.tensors import cached
from helpers.data.splits import Split, shuffle_key
from helpers.data.staging import is_clutter

_SUFFIXES = ".jpg .jpeg .png .bmp .gif .webp .ppm .pgm .tif .tiff"
SUFFIXES = frozenset(_SUFFIXES.split())
CACHE_VERSION = 3  # raise it when decoding itself changes
MODES = {1: "L", 3: "RGB"}


def open_image(file: Path | IO[bytes], *, upright: bool = True) -> Image.Image:
    """The whole image in a file, of mode ``L`` or ``RGB``: on white paper where it is
    transparent, turned as its EXIF data say if ``upright``; a DataError says why not.
    """
    advice = (
        "Expected a whole JPEG, PNG or similar file: replace it, or move it out of the "
        "folder."
    )
    with (
        explained(DataError, f"{file} cannot be read as an image", advice),
        Image.open(file) as image,
    ):
        image.load()
        with suppress(Exception):  # of damaged EXIF data, which matter no further
            if upright:
                ImageOps.exif_transpose(image, in_place=True)
        return _plain(image)


def load_image(path: Path, *, size: int | None = None, channels: int = 3) -> Tensor:
    """Decodes what ``open_image`` opens: ``uint8`` (C, H, W), 0–255; both sides resized
    to ``size`` pixels, antialiased, if given; of 1 channel (gray) or 3.
    """
    image = open_image(path).convert(MODES[channels])
    if size is not None:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    pixels: Tensor = pil_to_tensor(image)
    return pixels.contiguous()


def _plain(image: Image.Image) -> Image.Image:
    """In mode ``L`` or ``RGB``, which ``convert`` does not do well by itself."""
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format in {"PNG", "PPM"}):
        # 16 bits: it would cut off what is above 255.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if mode in {"I", "F"}:
        raise ValueError(
            "nothing says how large white is in 32 bits; save it with 8 or 16"
        )
    if image.has_transparency_data:  # it would show the colour hidden there
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return image.convert("L" if image.mode in {"1", "L"} else "RGB")


def numeric_order(name: str) -> tuple[list[str | int], str]:
    """A sort key by which ``2`` comes before ``10`` and ``b`` after ``a``."""
    parts = re.split(r"(\d+)", name)  # text and numbers by turns
    return [int(part) if part.isdecimal() else part for part in parts], name


def listed(folder: Path) -> list[Path]:
    """What a folder holds but clutter; a DataError says that a name is no text."""
    files = sorted(folder.iterdir() if folder.is_dir() else ())
    for file in files:
        if any("\ud800" <= letter <= "\udfff" for letter in file.name):
            raise DataError(
                f"{folder} holds {file.name!a}, whose name is not UTF-8: rename it."
            )
    return [file for file in files if not is_clutter(file.name)]


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the class folders in ``folder``; numbers sort as numbers."""
    names = [file.name for file in listed(folder) if file.is_dir()]
    if not names:
        raise DataError(
            f"{folder} holds no class folders, or is not there. Expected one folder of "
            "images per class."
        )
    return tuple(sorted(names, key=numeric_order))


def image_files(folder: Path) -> list[Path]:
    """The image files of one folder in natural order; a DataError names any other."""
    files = listed(folder)
    for file in files:
        if file.suffix.lower() not in SUFFIXES or not file.is_file():
            raise DataError(f"{file} is not an image file: move it elsewhere.")
    if not files:
        raise DataError(
            f"{folder} is empty: add an image, or move the folder elsewhere."
        )
    return sorted(files, key=lambda file: numeric_order(file.name))


def shuffled(files: Iterable[Path]) -> list[Path]:
    """Files in an order that follows from their folders' and own names alone."""
    return sorted(files, key=lambda f: shuffle_key(f"{f.parent.name}/{f.name}"))


def identified(images: Iterable[Path]) -> dict[str, Path]:
    """Files by identifier, the name without its suffix, in natural order; a DataError
    says that two have the same.
    """
    files: dict[str, Path] = {}
    for file in sorted(images, key=lambda file: (numeric_order(file.stem), file.name)):
        other = files.setdefault(file.stem, file)
        if other != file:
            raise DataError(
                f"{other} and {file.name} have the same identifier {file.stem}: rename "
                "one of them."
            )
    return files


def load_folder_split(folder: Path, *, classes: Sequence[str], size: int) -> Split:
    """Loads one folder of class folders, images (N, 3, size, size) in their order; a
    DataError names what is missing, unexpected or broken.
    """
    found = set(class_folders(folder))
    wrong = {"missing": {*classes} - found, "not expected": found - {*classes}}
    if parts := [f"{a}: {', '.join(sorted(b))}" for a, b in wrong.items() if b]:
        raise DataError(
            f"The class folders of {folder} are not the expected ones "
            f"({'; '.join(parts)}). Expected the same {len(classes)} in every split."
        )
    members = [image_files(folder / name) for name in classes]
    files = list(chain(*members))
    return Split(
        images=decode(files, size=size),
        labels=torch.tensor([n for n, own in enumerate(members) for _ in own]),
        ids=tuple(file.relative_to(folder).as_posix() for file in files),
    )


def decode(files: Sequence[Path], *, size: int) -> Tensor:
    """Decodes ``files`` to ``uint8`` (N, 3, size, size), or reads what is cached."""

    def read() -> Tensor:
        # Decoders release the interpreter lock, so threads are enough.
        with ThreadPoolExecutor() as pool:
            return torch.stack(list(pool.map(partial(load_image, size=size), files)))

    key = hashlib.sha256(f"{CACHE_VERSION} {size} 3\n".encode())
    for file in files:
        stat = file.stat()
        key.update(f"{file} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return cached(key.hexdigest()[:24], read)
