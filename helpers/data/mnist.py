"""MNIST: the idx files of handwritten digits, as torchvision lays them out.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
recognition (Proceedings of the IEEE, 1998).
"""

from __future__ import annotations

import gzip
import shutil
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor
from torchvision.datasets.mnist import read_image_file, read_label_file

from helpers.base.errors import DataError
from helpers.base.files import write_atomic
from helpers.data import synthetic
from helpers.data.splits import Split

IMAGE_SIZE = 28
CLASSES = tuple(map(str, range(10)))
VALID_SHARE = 0.1
TEST_SHARE = 0.4  # of the official training set, for the course's own split
LEAST_OF_A_DIGIT = 20  # so that the smallest part, 6 % of all, has one of each
SPLIT_SEED = 0  # with another seed results could not be compared

OFFICIAL_FILES = (  # name, bytes, SHA-256
    (
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)

BROKEN_GZIP = (gzip.BadGzipFile, zlib.error, EOFError)
BROKEN_IDX = (
    AssertionError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
)  # what torchvision raises for one

Loaded = tuple[tuple[str, ...], Split, Split, Split]


def load_60_40(folder: Path) -> Loaded:
    """The official training set alone, split as the course asks: three fifths for
    training, two for testing.

    A tenth of the three fifths is for validation: 32,400, 3,600 and 24,000 images, each
    with the digits in proportion, fixed by a seed.

    Returns:
        The ten digits as class names, training, validation and test images (N, 1, 28,
        28).

    Raises:
        DataError: a file in ``raw/`` is missing, broken or does not go with the others.
    """
    learned, test = _divide(_read(folder, "train"), TEST_SHARE)
    return (CLASSES, *_divide(learned, VALID_SHARE), test)


def load_60k_10k(folder: Path) -> Loaded:
    """The usual split: the official 60,000 images, a tenth of them for validation, and
    the official 10,000 for testing.

    Returns:
        The ten digits as class names, training, validation and test images (N, 1, 28,
        28).

    Raises:
        DataError: a file in ``raw/`` is missing, broken or does not go with the others.
    """
    return (
        CLASSES,
        *_divide(_read(folder, "train"), VALID_SHARE),
        _read(folder, "t10k"),
    )


def convert(archive: Path, folder: Path) -> None:
    """Puts one official ``.gz`` file into ``raw/``, and what it holds beside it, as
    torchvision does.

    Raises:
        DataError: the file is broken.
    """
    (folder / "raw").mkdir(exist_ok=True)
    shutil.copy(archive, folder / "raw")
    _unpacked(folder / "raw" / archive.stem)


def draw(folder: Path) -> None:
    """Draws the stand-in: ten kinds of objects in shades of gray, 3,000 + 500 images,
    as ``.gz`` files.
    """
    (folder / "raw").mkdir()
    for label, (part, count) in enumerate((("train", 3000), ("t10k", 500))):
        rng = np.random.default_rng([label, len(CLASSES)])
        each = count // len(CLASSES)
        images = [
            synthetic.draw_images(kind, len(CLASSES), each, IMAGE_SIZE, rng)
            for kind in range(len(CLASSES))
        ]
        order = rng.permutation(count)
        gray = (
            np.concatenate(images).mean(axis=3).round().astype(np.uint8)
        )  # (N, 28, 28)
        labels = np.repeat(np.arange(len(CLASSES), dtype=np.uint8), each)
        _write_idx(folder / "raw" / f"{part}-images-idx3-ubyte.gz", gray[order])
        _write_idx(folder / "raw" / f"{part}-labels-idx1-ubyte.gz", labels[order])


def _read(folder: Path, part: str) -> Split:
    """The images of ``train`` or ``t10k``, with their place in the file as id:
    ``train/00042``.
    """
    path = folder / "raw" / f"{part}-images-idx3-ubyte"
    name = f"{part}-labels-idx1-ubyte"
    images, labels = _read_idx(path), _read_idx(path.with_name(name))
    if images.shape != (len(labels), IMAGE_SIZE, IMAGE_SIZE) or not len(labels):
        raise DataError(
            f"{path} holds images {tuple(images.shape)} for {len(labels)} labels. "
            f"Expected one image of {IMAGE_SIZE}×{IMAGE_SIZE} for each label: "
            f"{_again(path)}"
        )
    if labels.max() >= len(CLASSES):
        raise DataError(
            f"{path.with_name(name)} holds the label {labels.max()}. Expected 0 to 9: "
            f"{_again(path)}"
        )
    if (
        part == "train"
        and labels.bincount(minlength=len(CLASSES)).min() < LEAST_OF_A_DIGIT
    ):
        raise DataError(
            f"{path} holds too few images of some digit to split them: {_again(path)}"
        )
    return Split(
        images[:, None], labels, tuple(f"{part}/{n:05d}" for n in range(len(labels)))
    )


def _read_idx(path: Path) -> Tensor:
    plain = str(_unpacked(path))
    try:
        values: Tensor = (
            read_image_file(plain) if "images" in path.name else read_label_file(plain)
        )
    except BROKEN_IDX as error:
        raise DataError(
            f"{path} is not a whole idx file ({error}): {_again(path)}"
        ) from error
    return values


def _unpacked(path: Path) -> Path:
    """``path``, which torchvision's readers take; unpacked first if only its ``.gz`` is
    there.
    """
    packed = path.with_name(f"{path.name}.gz")
    if path.is_file():
        return path
    if not packed.is_file():
        raise DataError(f"{path} is not there, nor is {packed.name}: {_again(path)}")
    try:
        with (
            gzip.open(packed) as content,
            write_atomic(path) as temporary,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(content, file)
    except BROKEN_GZIP as error:
        raise DataError(
            f"{packed} is not a whole gzip file ({error}): {_again(path)}"
        ) from error
    return path


def _again(path: Path) -> str:
    return (
        f"remove {path.parents[1]}, and get it again with `python -m helpers data "
        "fetch mnist`."
    )


def _divide(split: Split, share: float) -> tuple[Split, Split]:
    """Two parts with the classes in proportion, the second with ``share`` of the
    images.
    """
    indices = train_test_split(
        np.arange(len(split)),
        test_size=round(share * len(split)),
        stratify=split.labels.numpy(),
        random_state=SPLIT_SEED,
    )
    first, second = (split.subset(torch.from_numpy(np.sort(part))) for part in indices)
    return first, second


def _write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    """Writes a gzipped idx file: the type (8: unsigned byte), the number of axes, their
    lengths, the values.
    """
    header = np.array([0x0800 + values.ndim, *values.shape], dtype=">i4")
    path.write_bytes(
        gzip.compress(header.tobytes() + values.tobytes(), compresslevel=1, mtime=0)
    )
