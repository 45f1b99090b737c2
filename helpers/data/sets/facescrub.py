"""FaceScrub, the course's part of it: faces of twelve actors, cut out of web pictures.

H.-W. Ng, S. Winkler: A data-driven approach to cleaning large face datasets (ICIP
2014). It comes as lists of addresses; ``facescrub_fetch.py`` gathers the faces.
"""

import re
from pathlib import Path
from typing import NamedTuple

from helpers.base.errors import DataError
from helpers.data.images import class_folders, listed, load_folder_split
from helpers.data.near_copies import SIDE, group_near_copies
from helpers.data.splits import Splits

IMAGE_SIZE = 112
TRAIN_COUNT = 70  # faces of each actor for training, as the course asks
LEAST_COUNT = TRAIN_COUNT + 2  # one more for validation, one for testing

_NAMES = """
    Alec Baldwin, Lorraine Bracco, Gerard Butler, Steve Carell, Kristin Chenoweth,
    Fran Drescher, America Ferrera, Peri Gilpin, Bill Hader, Angie Harmon,
    Daniel Radcliffe, Michael Vartan
"""
# The names in FaceScrub's lists, and those of the folders here.
ACTORS = {name: name.split()[-1].lower() for name in map(str.strip, _NAMES.split(","))}
CLASSES = tuple(ACTORS.values())
LISTS = ("facescrub_actors.txt", "facescrub_actresses.txt")
LINE = re.compile(
    r"[^\t]+\t\d+\t\d+\t[^\t]+\t-?\d+(,-?\d+){3}\t[0-9a-fA-F]{64}", re.ASCII
)


class Face(NamedTuple):
    """One line of the lists: a face at ``bbox``, ``x1,y1,x2,y2``, in a picture."""

    actor: str
    image_id: str
    face_id: str
    url: str
    bbox: str
    sha256: str  # of the picture's file

    @property
    def file(self) -> str:
        """Where the cut-out face lies below ``faces/``."""
        name = ACTORS[self.actor]
        return f"{name}/{name}_{int(self.face_id):05d}.jpg"


def load(faces: Path, size: int = IMAGE_SIZE) -> Splits:
    """Reads ``<actor>/*.jpg``: 70 of each for training, the rest halved.

    A photograph is on the web in several sizes: its near copies are in one split.
    """
    if {*class_folders(faces)} <= {*CLASSES}:
        check_counts(faces)
    whole = load_folder_split(faces, classes=CLASSES, size=size)
    small = load_folder_split(faces, classes=CLASSES, size=SIDE)
    groups = group_near_copies(small.images, small.labels)
    train, valid, test = whole.share_out(
        lambda total: [TRAIN_COUNT, (total - TRAIN_COUNT) // 2], groups=groups
    )
    return Splits("facescrub", "real", CLASSES, train, valid, test)


def check_counts(faces: Path) -> None:
    """Raises a DataError unless there are 72 faces of every actor."""
    counts = {name: len(listed(faces / name)) for name in CLASSES}
    if short := [f"{name} ({n})" for name, n in counts.items() if n < LEAST_COUNT]:
        raise DataError(
            f"{faces} holds too few faces of {', '.join(short)}. Expected at "
            f"least {LEAST_COUNT} of each actor, {TRAIN_COUNT} for training: `python "
            "-m helpers data fetch facescrub` asks again for the others; or add some "
            'by other means, or take the drawn stand-in with source="synthetic".'
        )


def read_lists(folder: Path) -> tuple[list[Face], list[str]]:
    """Reads the lists of actors and actresses, with a header or without.

    Returns:
        The twelve actors' faces, and malformed lines after their file and number.
    """
    faces: dict[str, Face] = {}  # by file: a line given twice counts once
    malformed = []
    for path in (folder / name for name in LISTS):
        if not path.is_file():
            raise DataError(
                f"{path} is not there. Expected FaceScrub's lists of addresses, which "
                "the course links to: put both there and fetch again."
            )
        content, before = path.read_bytes(), len(faces)
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = content.decode("utf-16" if wide else "utf-8-sig", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            values = [value.strip(' "') for value in line.split("\t")]
            is_other = len(values) == len(Face._fields) and values[0] not in ACTORS
            if not line.strip() or is_other:
                continue  # the header, or about somebody else
            if LINE.fullmatch("\t".join(values)):
                face = Face(*values)
                faces[face.file] = face
            else:
                malformed.append(f"{path.name}, line {number}: {line}")
        if text.strip() and len(faces) == before:
            raise DataError(
                f"{path} has no face of any of the twelve actors. Expected FaceScrub's "
                "own list, in UTF-8 and with tabs: get it again."
            )
    return list(faces.values()), malformed
