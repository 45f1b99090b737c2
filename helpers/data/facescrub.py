"""FaceScrub, the course's part of it: faces of twelve actors, cut out of pictures from all over the web.

H.-W. Ng, S. Winkler: A data-driven approach to cleaning large face datasets (IEEE International
Conference on Image Processing, 2014). ``helpers/data/collect.py`` fetches them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from helpers.base.errors import DataError
from helpers.base.files import write_atomic
from helpers.data import synthetic
from helpers.data.images import class_folders, image_files, load_folder_split
from helpers.data.splits import Split

IMAGE_SIZE = 112
TRAIN_COUNT = 70  # faces of each actor for training, as the course asks
LEAST_COUNT = TRAIN_COUNT + 2  # one more for validation, one for testing
SPLIT_SEED = 0  # with another seed results could not be compared

# The names in FaceScrub's lists, and those of the folders here.
ACTORS = {
    "Alec Baldwin": "baldwin",
    "Lorraine Bracco": "bracco",
    "Gerard Butler": "butler",
    "Steve Carell": "carell",
    "Kristin Chenoweth": "chenoweth",
    "Fran Drescher": "drescher",
    "America Ferrera": "ferrera",
    "Peri Gilpin": "gilpin",
    "Bill Hader": "hader",
    "Angie Harmon": "harmon",
    "Daniel Radcliffe": "radcliffe",
    "Michael Vartan": "vartan",
}
CLASSES = tuple(ACTORS.values())
MANIFEST = "manifest.csv"  # written last: with it, the set is whole


@dataclass(frozen=True)
class Face:
    """One face of FaceScrub's lists.

    Attributes:
        actor: the name in the lists.
        image_id: number of the picture.
        face_id: number of the face; a picture may show several.
        bbox: the face in it, ``x1,y1,x2,y2`` in pixels; the lower right corner is no longer part of it.
        sha256: hash of the picture's file.
        url: where the picture is.
    """

    actor: str
    image_id: int
    face_id: int
    bbox: str
    sha256: str
    url: str

    @property
    def file(self) -> str:
        """Where the cut-out face lies below the set's own folder."""
        name = ACTORS[self.actor]
        return f"faces/{name}/{name}_{self.face_id:05d}.jpg"


def load(folder: Path, size: int = IMAGE_SIZE) -> tuple[tuple[str, ...], Split, Split, Split]:
    """Reads ``faces/<actor>/*.jpg``: 70 faces of each actor for training, the rest halved.

    Args:
        folder: holds ``faces/``.
        size: side in pixels to resize to (antialiased): 28 for the course's multilayer perceptron, 224
            for networks trained on ImageNet.

    Returns:
        The actors' folder names, training, validation and test images (N, 3, size, size).

    Raises:
        DataError: an actor is missing, unknown or has fewer than 72 faces, or a file is not a readable
            image.
    """
    faces = folder / "faces"
    for name in set(class_folders(faces)) & set(CLASSES):
        if (count := len(image_files(faces / name))) < LEAST_COUNT:
            raise DataError(
                f"{faces / name} holds only {count} faces. Expected at least {LEAST_COUNT} of each actor, "
                f"{TRAIN_COUNT} for training and one each for validation and testing: add some."
            )
    whole = load_folder_split(faces, classes=CLASSES, size=size)
    train, valid, test = whole.share_out(_counts, seed=SPLIT_SEED)
    return CLASSES, train, valid, test


def draw(folder: Path) -> None:
    """Draws the stand-in: the same actors' names and layout, 80 images each, drawn objects instead of faces."""
    layout = "faces/{name}/{name}_{number:05d}.jpg"
    synthetic.draw_class_folders(folder, CLASSES, counts={"all": 80}, size=IMAGE_SIZE, layout=layout)
    box = f"0,0,{IMAGE_SIZE},{IMAGE_SIZE}"
    faces = (Face(actor, number, number, box, sha256="", url="") for actor in ACTORS for number in range(1, 81))
    write_manifest(folder, (replace(face, sha256=_sha256(folder / face.file)) for face in faces))


def write_manifest(folder: Path, faces: Iterable[Face]) -> None:
    """Writes the list of the faces that are there, in order of their files."""
    rows = sorted(({"file": face.file} | asdict(face) for face in faces), key=lambda row: row["file"])
    columns = ["file", *(field.name for field in fields(Face))]
    with write_atomic(folder / MANIFEST) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _counts(total: int) -> tuple[int, int, int]:
    rest = total - TRAIN_COUNT
    return TRAIN_COUNT, rest // 2, rest - rest // 2
