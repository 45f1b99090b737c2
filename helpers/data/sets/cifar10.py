"""CIFAR-10: the official pickled batches, as torchvision lays them out.

A. Krizhevsky: Learning multiple layers of features from tiny images (technical report,
University of Toronto, 2009).
"""

from pathlib import Path

import torch
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity

from helpers.base.errors import DataError
from helpers.data.splits import Split, Splits
from helpers.data.staging import unpacked

_NAMES = "airplane automobile bird cat deer dog frog horse ship truck"
CLASSES = tuple(_NAMES.split())
FOLDER = CIFAR10.base_folder
VALID_SHARE = 0.1

# The files and their MD5, as torchvision knows them.
META = CIFAR10.meta["filename"]
BATCHES: dict[str, str] = dict([*CIFAR10.train_list, *CIFAR10.test_list])
MD5 = {**BATCHES, META: CIFAR10.meta["md5"]}


class _Batches(CIFAR10):  # type: ignore[misc]
    base_folder = ""  # whatever theirs is called


def load(folder: Path) -> Splits:
    """Reads the batches; a tenth of each class for training goes to validation."""
    folder = next(folder.rglob(META), folder / META).parent  # may lie one deeper
    for name, md5 in MD5.items():
        path = folder / name
        if not check_integrity(path, md5):
            raise DataError(
                f"{path} is missing, cut short or damaged: expected a file with the "
                f"official MD5, {md5}: move the folder away, and get it with "
                "`python -m helpers data fetch cifar10`."
            )
    learned, test = _read(folder, "train"), _read(folder, "test")
    train, valid = learned.share_out(lambda n: [n - round(VALID_SHARE * n)])
    return Splits("cifar10", "real", CLASSES, train, valid, test)


def convert(archive: Path, folder: Path) -> None:
    """Unpacks the official archive, which is laid out already."""
    with unpacked(archive, beside=folder) as outer:
        for name in MD5:
            (outer / FOLDER / name).rename(folder / name)


def _read(folder: Path, part: str) -> Split:
    """The images of ``part``; their id is their place in it: ``train/00042``."""
    own = _Batches(folder, train=part == "train")
    images = torch.from_numpy(own.data).movedim(-1, 1)  # (N, 3, 32, 32)
    ids = tuple(f"{part}/{n:05d}" for n in range(len(own)))
    return Split(images, torch.tensor(own.targets), ids)
