"""A small archive of the official Caltech-101's form."""

from __future__ import annotations

import io
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

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
