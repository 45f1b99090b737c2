"""MNIST: the idx files of handwritten digits, as torchvision lays them out.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
recognition (Proceedings of the IEEE, 1998).
"""

import gzip
import shutil
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor
from torchvision.datasets.mnist import read_image_file, read_label_file

from helpers.base.errors import DataError, explained
from helpers.base.files import write_whole
from helpers.data.splits import Split, Splits

IMAGE_SIZE = 28
CLASSES = tuple(map(str, range(10)))
VALID_SHARE = 0.1
TEST_SHARE = 0.4  # of the official training set, for the course's own split

AGAIN = "Move the folder away, and get it with `python -m helpers data fetch mnist`."


def load_60_40(folder: Path) -> Splits:
    """The official training set alone, 60 : 40 as the course asks."""
    learned, test = _divide(_read(folder, "train"), TEST_SHARE)
    train, valid = _divide(learned, VALID_SHARE)
    return Splits("mnist", "real", CLASSES, train, valid, test)


def load_60k_10k(folder: Path) -> Splits:
    """The official training and test sets; a tenth of the first for validation."""
    train, valid = _divide(_read(folder, "train"), VALID_SHARE)
    return Splits("mnist_60k", "real", CLASSES, train, valid, _read(folder, "t10k"))


def convert(archive: Path, folder: Path) -> None:
    """Puts one official ``.gz`` file into ``raw/``."""
    (folder / "raw").mkdir(exist_ok=True)
    shutil.copy(archive, folder / "raw")


def _read(folder: Path, part: str) -> Split:
    """The images of ``train`` or ``t10k``; their id is their place: ``train/00042``."""
    images = _read_idx(folder, f"{part}-images-idx3-ubyte")
    labels = _read_idx(folder, f"{part}-labels-idx1-ubyte")
    if images.shape != (len(labels), IMAGE_SIZE, IMAGE_SIZE) or labels.max() > 9:
        raise DataError(
            f"{folder} holds images {tuple(images.shape)} for {len(labels)} labels up "
            f"to {labels.max()} in {part}. Expected one of 28×28 for each label, 0 to "
            f"9. {AGAIN}"
        )
    ids = tuple(f"{part}/{n:05d}" for n in range(len(labels)))
    return Split(images[:, None], labels, ids)


def _read_idx(folder: Path, name: str) -> Tensor:
    """What torchvision reads; unpacked first if only the ``.gz`` file is there."""
    read = read_image_file if "images" in name else read_label_file
    # 7-Zip names it train-images.idx3-ubyte, in a folder of its own.
    unpacked = sorted(folder.rglob(name.replace("-idx", "?idx")))
    path = next(filter(Path.is_file, unpacked), folder / "raw" / name)
    with explained(
        DataError, f"{path} cannot be read, or unpacked from its .gz", AGAIN
    ):
        if not path.is_file():
            with gzip.open(f"{path}.gz") as packed:
                write_whole(path, packed.read())
        values: Tensor = read(str(path))
        return values


def _divide(split: Split, share: float) -> tuple[Split, Split]:
    """Two stratified parts, the second with ``share`` of the images."""
    indices = train_test_split(
        np.arange(len(split)),
        test_size=round(share * len(split)),
        stratify=split.labels.numpy(),
        random_state=0,
    )
    first, second = (split.subset(torch.from_numpy(np.sort(part))) for part in indices)
    return first, second
