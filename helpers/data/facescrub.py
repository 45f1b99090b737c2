"""FaceScrub, the course's part of it: faces of twelve actors, cut out of pictures from
all over the web.

H.-W. Ng, S. Winkler: A data-driven approach to cleaning large face datasets (IEEE
International Conference on Image Processing, 2014). ``helpers/data/collect.py`` gathers
them.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from helpers.base.errors import DataError
from helpers.data import synthetic
from helpers.data.face_lists import ACTORS, Face, write_manifest
from helpers.data.images import class_folders, image_files, load_folder_split
from helpers.data.splits import Split

IMAGE_SIZE = 112
TRAIN_COUNT = 70  # faces of each actor for training, as the course asks
LEAST_COUNT = TRAIN_COUNT + 2  # one more for validation, one for testing
SPLIT_SEED = 0  # with another seed results could not be compared
CLASSES = tuple(ACTORS.values())


def load(
    folder: Path, size: int = IMAGE_SIZE
) -> tuple[tuple[str, ...], Split, Split, Split]:
    """Reads ``faces/<actor>/*.jpg``: 70 faces of each actor for training, the rest
    halved.

    Args:
        folder: holds ``faces/``.
        size: side in pixels to resize to (antialiased): 28 for the course's multilayer
            perceptron, 224 for networks trained on ImageNet.

    Returns:
        The actors' folder names, training, validation and test images (N, 3, size,
        size).

    Raises:
        DataError: an actor is missing, unknown or has fewer than 72 faces, or a file is
            not a readable image.
    """
    faces = folder / "faces"
    for name in sorted(set(class_folders(faces)) & set(CLASSES)):
        if (count := len(image_files(faces / name))) < LEAST_COUNT:
            raise DataError(
                f"{faces / name} holds only {count} faces. Expected at least "
                f"{LEAST_COUNT} of each actor, "
                f"{TRAIN_COUNT} for training and one each for validation and testing: "
                "add some."
            )
    whole = load_folder_split(faces, classes=CLASSES, size=size)
    train, valid, test = whole.share_out(_counts, seed=SPLIT_SEED)
    return CLASSES, train, valid, test


def draw(folder: Path) -> None:
    """Draws the stand-in: the same actors' names and layout, 80 images each, drawn
    objects instead of faces.
    """
    layout = "faces/{name}/{name}_{number:05d}.jpg"
    synthetic.draw_class_folders(
        folder, CLASSES, counts={"all": 80}, size=IMAGE_SIZE, layout=layout
    )
    box = f"0,0,{IMAGE_SIZE},{IMAGE_SIZE}"
    faces = (
        Face(actor, number, number, box, sha256="", url="")
        for actor in ACTORS
        for number in range(1, 81)
    )
    write_manifest(
        folder, (replace(face, sha256=_sha256(folder / face.file)) for face in faces)
    )


def _counts(total: int) -> tuple[int, int, int]:
    rest = total - TRAIN_COUNT
    return TRAIN_COUNT, rest // 2, rest - rest // 2


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
