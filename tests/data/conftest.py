"""Small image files, and small forms of Caltech-101, for the tests of data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from website import Website, serve

from helpers.base.files import data_dir
from helpers.data.sets import facescrub_fetch
from helpers.data.sets.caltech101 import CLASSES

WriteImage = Callable[..., Path]


@pytest.fixture
def write_image() -> WriteImage:
    """Writes one image of noise, different for each path."""

    def write(
        path: Path, *, mode: str = "RGB", size: tuple[int, int] = (64, 64)
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(list(str(path).encode()))
        shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def small_caltech101(write_image: WriteImage) -> Path:
    """The real layout with two images per class, one of them for validation."""
    folder = data_dir() / "caltech101"
    for name in CLASSES:
        write_image(folder / "train" / name / "image_0001.jpg")
        write_image(folder / "valid" / name / "image_0002.jpg", mode="L")
    return folder


@pytest.fixture
def website(monkeypatch: pytest.MonkeyPatch) -> Iterator[Website]:
    """A website on this machine, asked directly, which passes for one elsewhere."""
    monkeypatch.setattr(facescrub_fetch, "_is_private", lambda _: False)
    monkeypatch.setattr(facescrub_fetch, "PAUSES", (0, 0))
    with serve() as site:
        yield site
