"""Clip art: drawings in numbered class folders, and Office-Home laid out likewise.

H. Venkateswara, J. Eusebio, S. Chakraborty, S. Panchanathan: Deep hashing network for
unsupervised domain adaptation (CVPR 2017), whose Office-Home data set has the 65
categories of the course in its folder Clipart.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from helpers.base.errors import DataError
from helpers.data import synthetic
from helpers.data.archives import unpacked
from helpers.data.images import (
    class_folders,
    decode,
    identified_files,
    image_files,
    load_folder_split,
)
from helpers.data.splits import Loaded, shuffle_key

IMAGE_SIZE = 128
VALID_SHARE, TEST_SHARE = 0.15, 0.15
SPLIT_SEED = 0  # with another seed results could not be compared
SPLITS = ("train", "valid")
NAMES = "classes.txt"
ANSWERS = "test_labels.txt"

_NAMES = """
    Alarm_Clock Backpack Batteries Bed Bike Bottle Bucket Calculator Calendar Candles
    Chair Clipboards Computer Couch Curtains Desk_Lamp Drill Eraser Exit_Sign Fan
    File_Cabinet Flipflops Flowers Folder Fork Glasses Hammer Helmet Kettle Keyboard
    Knives Lamp_Shade Laptop Marker Monitor Mop Mouse Mug Notebook Oven Pan Paper_Clip
    Pen Pencil Postit_Notes Printer Push_Pin Radio Refrigerator Ruler Scissors
    Screwdriver Shelf Sink Sneakers Soda Speaker Spoon TV Table Telephone ToothBrush
    Toys Trash_Can Webcam
"""
CLASSES = tuple(_NAMES.split())


def load(folder: Path, size: int = IMAGE_SIZE) -> Loaded:
    """Reads ``train/<number>/*.jpg`` and ``valid/<number>/*.jpg``, any number of them.

    The label of an image is the number of its folder. ``test/`` has no labels, so it is
    no split; but its images are read, that a broken one is known before the training
    and not on the day of the hand-in.

    Args:
        folder: holds ``train/``, ``valid/``, perhaps ``test/``, and perhaps
            ``classes.txt``, a name on each line.
        size: side in pixels to resize to (both sides, antialiased).

    Returns:
        The classes' names, or their numbers where there is no ``classes.txt``; training
        and validation images (N, 3, size, size); there is no labelled test split.

    Raises:
        DataError: the class folders are not 0, 1, 2 … or differ between training and
            validation, ``classes.txt`` does not fit them, a file is not a readable
            image, or two test images have the same identifier.
    """
    numbers = _numbers(folder / "train")
    train, valid = (
        load_folder_split(folder / name, classes=numbers, size=size) for name in SPLITS
    )
    if (test := folder / "test").is_dir():
        decode(list(identified_files(test).values()), size=size)
    return _names(folder, numbers), train, valid, None


def lay_out(source: Path, folder: Path) -> None:
    """Lays Office-Home's clip art out as the course does its own.

    Of each category 70 % are for training, 15 % for validation and 15 % for testing, by
    a hash of the names. Categories are numbered in alphabetical order; those of the
    test images go to ``test_labels.txt`` in the form of a file of predictions.

    Args:
        source: Office-Home's archive, what it unpacks to, or the folder Clipart of
            that; or the course's own set, which is taken over as it is.
        folder: an empty folder for ``train/``, ``valid/``, ``test/`` and
            ``classes.txt``.

    Raises:
        DataError: there are no class folders, a category has too few images, or a file
            in one is none.
    """
    if source.is_dir():
        _lay_out_folder(source, folder)
    elif source.is_file():
        with unpacked(source, beside=folder) as content:
            _lay_out_folder(content, folder)
    else:
        raise DataError(
            f"{source} is not there. Expected Office-Home's archive, or the folder it "
            "unpacks to."
        )


def draw(folder: Path) -> None:
    """Draws the stand-in: 65 classes, 20 + 4 images each and 2 of each to test."""
    numbers = [str(label) for label in range(len(CLASSES))]
    synthetic.draw_class_folders(
        folder,
        numbers,
        counts={"train": 20, "valid": 4, "tests": 2},
        size=64,
        layout="{split}/{name}/{number:04d}.jpg",
    )
    tests = folder / "tests"
    _number_tests({number: image_files(tests / number) for number in numbers}, folder)
    shutil.rmtree(tests)
    _write_names(folder, CLASSES)


def _numbers(folder: Path) -> tuple[str, ...]:
    """The class folders, which are to be 0, 1, 2 …, in that order."""
    found = class_folders(folder)
    expected = tuple(str(label) for label in range(len(found)))
    if found != expected:
        wrong = [name for name in found if name not in expected]
        raise DataError(
            f"The class folders of {folder} are not 0 to {len(found) - 1}: "
            f"{', '.join(wrong[:5])} does not fit. Expected a folder for each label, "
            "named by its number without leading zeros: rename them."
        )
    return found


def _names(folder: Path, numbers: Sequence[str]) -> tuple[str, ...]:
    if not (folder / NAMES).is_file():
        return tuple(numbers)
    lines = (folder / NAMES).read_text(encoding="utf-8").split("\n")
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != len(numbers) or len(set(names)) != len(names):
        raise DataError(
            f"{folder / NAMES} holds {len(set(names))} different names for "
            f"{len(numbers)} classes. Expected one on each line, in the order of the "
            "labels: complete it."
        )
    return names


def _lay_out_folder(source: Path, folder: Path) -> None:
    folders = [source, *(path for path in sorted(source.rglob("*")) if path.is_dir())]
    for path in folders:
        if all((path / name).is_dir() for name in SPLITS):
            shutil.copytree(path, folder, dirs_exist_ok=True)
            return
    categories = (path for path in folders if path.name.lower() == "clipart")
    _split_categories(next(categories, source), folder)


def _split_categories(originals: Path, folder: Path) -> None:
    def key(file: Path) -> bytes:
        return shuffle_key(SPLIT_SEED, f"{file.parent.name}/{file.name}")

    names, tests = class_folders(originals), {}
    for label, name in enumerate(names):
        files = sorted(image_files(originals / name), key=key)
        valid = max(1, round(VALID_SHARE * len(files)))
        test = max(1, round(TEST_SHARE * len(files)))
        if len(files) <= valid + test:
            raise DataError(
                f"{originals / name} holds only {len(files)} images. Expected at least "
                "3, to train, to validate and to test: is this the folder of the "
                "categories?"
            )
        parts = {"valid": files[:valid], "train": files[valid + test :]}
        for split, members in parts.items():
            target = folder / split / str(label)
            target.mkdir(parents=True)
            for file in members:
                shutil.copyfile(file, target / file.name)
        tests[str(label)] = files[valid : valid + test]
    _number_tests(tests, folder)
    _write_names(folder, names)


def _number_tests(files: Mapping[str, Sequence[Path]], folder: Path) -> None:
    """Copies files, by label, to ``test/0001.jpg`` … shuffled, and notes the labels."""
    pairs = [(label, file) for label, members in files.items() for file in members]
    pairs.sort(key=lambda pair: shuffle_key(SPLIT_SEED, f"{pair[0]}/{pair[1].name}"))
    (folder / "test").mkdir()
    rows = []
    for number, (label, file) in enumerate(pairs, start=1):
        shutil.copyfile(file, folder / "test" / f"{number:04d}{file.suffix.lower()}")
        rows.append(f"{number:04d}, {label}\n")
    (folder / ANSWERS).write_text("id,label\n" + "".join(rows), encoding="utf-8")


def _write_names(folder: Path, names: Sequence[str]) -> None:
    text = "".join(f"{name}\n" for name in names)
    (folder / NAMES).write_text(text, encoding="utf-8")
