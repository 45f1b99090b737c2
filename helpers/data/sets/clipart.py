"""Clip art: drawings in numbered class folders, and Office-Home laid out likewise.

H. Venkateswara, J. Eusebio, S. Chakraborty, S. Panchanathan: Deep hashing network for
unsupervised domain adaptation (CVPR 2017): Office-Home, whose folder Clipart has the 65
categories of the course.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from helpers.base.errors import DataError, explained
from helpers.data.images import (
    class_folders,
    decode,
    identified,
    image_files,
    load_folder_split,
    shuffled,
)
from helpers.data.splits import Splits
from helpers.data.staging import is_clutter, unpacked
from helpers.data.synthetic import draw_stand_in

IMAGE_SIZE = 128
HELD_OUT_SHARE = 0.15  # for validation, and for testing
NAMES = "classes.txt"
LAYOUT = ("train", "valid", "val", "test", NAMES)


def in_place_of(drawings: Splits) -> str:
    """What stands for the course's 65 categories, if anything."""
    count = len(drawings.classes)
    kind = "PACS" if count == 14 else "other"
    other = f"{kind} drawings ({count} classes) in place of the course's 65 categories"
    return other if count != 65 else ""


def load(folder: Path, size: int = IMAGE_SIZE) -> Splits:
    """Reads ``train/<label>/*.jpg`` and ``valid/<label>/*.jpg`` (or ``val``), any
    number of them; labels may have leading zeros.

    Their names are in ``classes.txt``, if it is there. ``test/`` has no labels, so it
    is no split.
    """
    first, *others = class_folders(folder / "train")
    width = 1 if first.strip("0") else len(first)
    numbers = [f"{number:0{width}}" for number in range(1 + len(others))]
    train, valid = (
        load_folder_split(path, classes=numbers, size=size)
        for path in (folder / "train", _valid(folder))
    )
    unlabelled: dict[str, Tensor] = {}
    if (test := folder / "test").is_dir():
        files = identified(image_files(test))
        unlabelled = dict(zip(files, decode([*files.values()], size=size), strict=True))
    names = _names(folder / NAMES, len(numbers))
    return Splits("clipart", "real", names, train, valid, unlabelled=unlabelled)


def convert(source: Path, folder: Path) -> None:
    """Lays Office-Home's clip art out as the course does its own.

    ``source`` is Office-Home's archive, what it unpacks to, or its folder Clipart; or
    the course's own set, which is taken over as it is.
    """
    with unpacked(source, beside=folder) as content:
        for path in _find(content, "train"):
            if _valid(path.parent).is_dir():
                for part in filter(Path.exists, map(path.parent.joinpath, LAYOUT)):
                    copy = shutil.copytree if part.is_dir() else shutil.copyfile
                    copy(part, folder / part.name)
                return
        drawings = _find(content, "[Cc][Ll][Ii][Pp]*[Aa][Rr][Tt]")
        if not drawings and any(path.is_dir() for path in content.glob("*/*")):
            raise DataError(
                f"{source} holds no folder Clipart, and no folder train beside valid. "
                "Expected Office-Home, or the course's own set."
            )
        _split_categories([content, *drawings][-1], folder)


def draw(size: int = IMAGE_SIZE) -> Splits:
    """Draws the stand-in, whose images for validation are those without labels too."""
    drawn = draw_stand_in("clipart", [*map(str, range(65))], size, counts=(18, 4, 0))
    numbered = {f"{n:04d}": image for n, image in enumerate(drawn.valid.images, 1)}
    return replace(drawn, unlabelled=numbered)


def _find(folder: Path, pattern: str) -> list[Path]:
    found = (path.relative_to(folder) for path in folder.rglob(pattern))
    own = [folder / p for p in found if not any(map(is_clutter, p.parts))]
    return sorted(own, key=lambda path: (len(path.parts), path))  # the outermost first


def _valid(folder: Path) -> Path:
    other = folder / "val"
    return other if other.is_dir() else folder / "valid"


def _names(path: Path, count: int) -> tuple[str, ...]:
    """The classes' names in ``classes.txt``, or their numbers where it is not there."""
    if not path.is_file():
        return tuple(map(str, range(count)))
    with explained(DataError, f"{path} cannot be read", "Save it as UTF-8."):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    names = tuple(filter(None, map(str.strip, lines)))
    if not len(names) == len(set(names)) == count:
        raise DataError(
            f"{path} holds {len(set(names))} different names for {count} classes. "
            "Expected one on each line, in the order of the labels: complete it."
        )
    return names


def _split_categories(originals: Path, folder: Path) -> None:
    """70 % of each for training, 15 % to validate and to test, by a hash of names."""
    names, tests = class_folders(originals), []
    for label, name in enumerate(names):
        files = shuffled(image_files(originals / name))
        held_out = max(1, round(HELD_OUT_SHARE * len(files)))
        if len(files) <= 2 * held_out:
            raise DataError(
                f"{originals / name} holds only {len(files)} images. Expected at least "
                "3: is this the folder of the categories?"
            )
        tests += files[held_out : 2 * held_out]
        parts = {"valid": files[:held_out], "train": files[2 * held_out :]}
        for split, part in parts.items():
            place = folder / split / str(label)
            place.mkdir(parents=True)
            for file in part:
                shutil.copyfile(file, place / file.name)
    (folder / "test").mkdir()
    # Numbered in an order that tells nothing.
    for number, file in enumerate(shuffled(tests), start=1):
        shutil.copyfile(file, folder / "test" / f"{number:04d}{file.suffix.lower()}")
    (folder / NAMES).write_text("\n".join(names) + "\n", encoding="utf-8")
