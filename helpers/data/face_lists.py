"""FaceScrub's lists: what faces there are and where, read; which of them we have and
have not, written.

The lists come with the data set: tab-separated lines of name, numbers, address, box and
hash. Beside the faces lie ``manifest.csv`` (those that are there) and ``lost.csv``
(those that are not, and why).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from helpers.base.errors import DataError
from helpers.base.files import write_atomic
from helpers.data.web import Cause, LostError

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
LISTS = ("facescrub_actors.txt", "facescrub_actresses.txt")
COLUMNS = ("name", "image_id", "face_id", "url", "bbox", "sha256")
MANIFEST = "manifest.csv"  # written last: with it, the set is whole
LOST = "lost.csv"


@dataclass(frozen=True)
class Face:
    """One face of the lists.

    Attributes:
        actor: the name in the lists.
        image_id: number of the picture.
        face_id: number of the face; a picture may show several.
        bbox: the face in it, ``x1,y1,x2,y2`` in pixels; the lower right corner is no
            longer part of it.
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


@dataclass(frozen=True)
class Loss:
    """A face that is not to be had: a row of ``lost.csv``, its fields as the lists have
    them.
    """

    actor: str
    face_id: str
    cause: Cause
    detail: str
    url: str


def read_lists(folder: Path) -> tuple[list[Face], list[Loss]]:
    """Reads the lists of actors and actresses, with a header or without.

    Returns:
        The twelve actors' faces, and the lines that are malformed as losses. Other
        people's lines are left out.

    Raises:
        DataError: a list is missing.
    """
    faces: dict[str, Face] = {}  # by file, so that a line given twice counts once
    losses = []
    for path in (folder / name for name in LISTS):
        if not path.is_file():
            raise DataError(
                f"{path} is not there. Expected FaceScrub's lists of addresses, "
                f"{' and '.join(LISTS)}, "
                "which the course links to: put both there and fetch again."
            )
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            values = [value.strip() for value in line.split("\t")]
            try:
                if face := _face(values):
                    faces[face.file] = face
            except LostError as lost:
                losses.append(
                    _malformed(
                        values, lost.cause, f"{path.name}, line {number}: {lost.detail}"
                    )
                )
    return list(faces.values()), losses


def parse_box(bbox: str) -> tuple[int, int, int, int]:
    """The corners x1, y1, x2, y2 of a box, in pixels.

    Raises:
        LostError: these are not four whole numbers that enclose something.
    """
    if re.fullmatch(r"-?\d+(,-?\d+){3}", bbox):
        x1, y1, x2, y2 = map(int, bbox.split(","))
        if x1 < x2 and y1 < y2:
            return x1, y1, x2, y2
    raise LostError(
        Cause.BAD_BOX,
        f"the box {bbox!r} is not of the form x1,y1,x2,y2 with x1 < x2 and y1 < y2",
    )


def write_manifest(folder: Path, faces: Iterable[Face]) -> None:
    """Writes which faces are there, in order of their files."""
    rows = sorted(
        ({"file": face.file} | asdict(face) for face in faces),
        key=lambda row: row["file"],
    )
    _write_csv(
        folder / MANIFEST, ["file", *(field.name for field in fields(Face))], rows
    )


def write_losses(folder: Path, losses: Iterable[Loss]) -> None:
    """Writes which faces are not there, and why."""
    _write_csv(
        folder / LOST, [field.name for field in fields(Loss)], map(asdict, losses)
    )


def read_losses(folder: Path) -> list[Loss]:
    """Reads what ``write_losses`` wrote; rows that it would not have written are left
    out.
    """
    if not (folder / LOST).is_file():
        return []
    causes = {cause.value: cause for cause in Cause}
    names = {field.name for field in fields(Loss)}
    with (folder / LOST).open(newline="", encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if names <= set(row) and row["cause"] in causes
        ]
    return [
        Loss(
            row["actor"],
            row["face_id"],
            causes[row["cause"]],
            row["detail"],
            row["url"],
        )
        for row in rows
    ]


def _face(values: Sequence[str]) -> Face | None:
    """The face of one line; None where the line is empty, the header, or about somebody
    else.
    """
    if values == [""] or tuple(values) == COLUMNS:
        return None
    if len(values) != len(COLUMNS):
        raise LostError(
            Cause.MALFORMED, f"{len(values)} fields instead of {len(COLUMNS)}"
        )
    name, image_id, face_id, url, bbox, sha256 = values
    if name not in ACTORS:
        return None
    if not (image_id.isdecimal() and face_id.isdecimal()):
        raise LostError(
            Cause.MALFORMED,
            f"picture {image_id!r} and face {face_id!r} are not numbers",
        )
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise LostError(Cause.MALFORMED, f"{sha256!r} is no SHA-256")
    parse_box(bbox)
    return Face(name, int(image_id), int(face_id), bbox, sha256.lower(), url)


def _malformed(values: Sequence[str], cause: Cause, detail: str) -> Loss:
    line = dict(zip(COLUMNS, values, strict=False))
    return Loss(
        line["name"], line.get("face_id", ""), cause, detail, line.get("url", "")
    )


def _write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]
) -> None:
    with (
        write_atomic(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
