"""Small files of the official sets' form."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from torchvision.datasets import CIFAR10

from helpers.data.sets import cifar10
from helpers.data.sets.caltech101 import CLASSES

COUNTS = {"accordion": 23, "bass": 12, "other": 2}


def official_archive(path: Path) -> Path:
    """Writes a zip that holds a tar of class folders, the background class and a stray
    file in it.
    """
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz", compresslevel=1) as tar:
        _add(tar, "BACKGROUND_Google/tmp", b"stray")
        _add(tar, "BACKGROUND_Google/image_0001.jpg", _image("RGB"))
        for name in CLASSES:
            for number in range(1, COUNTS.get(name, COUNTS["other"]) + 1):
                content = _image("L" if number % 3 == 0 else "RGB")
                _add(tar, f"{name}/image_{number:04d}.jpg", content)
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr(
            "__MACOSX/caltech-101/._101_ObjectCategories.tar.gz", b"resource fork"
        )
        outer.writestr("caltech-101/101_ObjectCategories.tar.gz", inner.getvalue())
        outer.writestr("caltech-101/show_annotation.m", b"% code")
    return path


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(f"101_ObjectCategories/{name}")
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


@cache
def _image(mode: str) -> bytes:
    pixels = np.zeros((50, 100), dtype=np.uint8)
    pixels[:, 50:] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG")
    return buffer.getvalue()


def write_mnist(raw: Path, train: int, t10k: int) -> Path:
    """Writes files of MNIST's form into ``raw``: noise, its labels 0 to 9 by turns."""
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", t10k)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte.gz", images)
        labels = (np.arange(count) % 10).astype(np.uint8)
        write_idx(raw / f"{part}-labels-idx1-ubyte.gz", labels)
    return raw


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    """Gzipped: the type (8: unsigned byte), number and lengths of axes, values."""
    header = np.array([0x0800 + values.ndim, *values.shape], dtype=">i4")
    path.write_bytes(gzip.compress(header.tobytes() + values.tobytes(), 1))


def write_cifar10(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Writes batches of CIFAR-10's form, 100 images of noise each, into ``folder``;
    their sums are then the official ones.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in cifar10.BATCHES:
        rows = rng.integers(0, 256, (100, 3 * 32 * 32), dtype=np.uint8)
        batch = {"labels": [n % 10 for n in range(100)], "data": rows}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / cifar10.META).write_bytes(
        pickle.dumps({"label_names": list(cifar10.CLASSES)})
    )
    sums = {
        name: hashlib.md5((folder / name).read_bytes()).hexdigest()  # noqa: S324
        for name in cifar10.MD5
    }
    monkeypatch.setattr(cifar10, "MD5", sums)
    *train, test, meta = sums.items()
    monkeypatch.setattr(CIFAR10, "train_list", train)
    monkeypatch.setattr(CIFAR10, "test_list", [test])
    monkeypatch.setitem(CIFAR10.meta, "md5", meta[1])
    return folder
