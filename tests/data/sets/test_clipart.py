from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.base.errors import DataError
from helpers.base.files import data_dir
from helpers.data.catalogue import data_status, load_data
from helpers.data.download import convert, fetch

WriteImage = Callable[..., Path]


def write_course(write_image: WriteImage, count: int = 12) -> Path:
    """The course's layout with ``count`` classes: image ``n`` of class ``k`` is as gray
    as ``k`` says.
    """
    folder = data_dir() / "clipart"
    for label in range(count):
        for split, numbers in (("train", (1, 2)), ("valid", (3,))):
            for number in numbers:
                path = write_image(
                    folder / split / str(label) / f"{number:04d}.jpg", size=(20, 16)
                )
                Image.new("L", (20, 16), 20 * label).save(path)
    for number in (1, 2, 10):
        write_image(folder / "test" / f"{number:04d}.jpg", size=(9, 30))
    return folder


@pytest.fixture
def course(write_image: WriteImage) -> Path:
    return write_course(write_image)


def test_labels_are_the_numbers_of_the_folders(course: Path) -> None:
    splits = load_data("clipart", size=16)
    assert splits.source == "real"
    assert splits.counts() == {"train": 24, "valid": 12}
    assert splits.test is None
    assert splits.classes == tuple(str(label) for label in range(12))
    for split in (splits.train, splits.valid):
        assert split.images.shape[1:] == (3, 16, 16)
        assert [
            int(name.partition("/")[0]) for name in split.ids
        ] == split.labels.tolist()
        gray = split.images.float().mean((1, 2, 3))
        assert np.allclose(gray, 20 * split.labels, atol=2)
    assert list(splits.unlabelled) == ["0001", "0002", "0010"]
    assert splits.unlabelled["0010"].shape == (3, 16, 16)


def test_names_come_from_a_file(course: Path) -> None:
    names = "".join(f"class {chr(110 - k)}\n" for k in range(12))
    (course / "classes.txt").write_text(names, encoding="utf-8-sig")  # as of Notepad
    splits = load_data("clipart", size=16)
    assert splits.classes[:2] == ("class n", "class m")
    assert splits.train.labels.tolist() == [
        label for label in range(12) for _ in range(2)
    ]


@pytest.mark.parametrize("text", ["one\ntwo\n", "same\n" * 12])
def test_names_that_do_not_fit_are_refused(course: Path, text: str) -> None:
    (course / "classes.txt").write_text(text)
    with pytest.raises(
        DataError, match=r"classes\.txt holds .* different names for 12 classes"
    ):
        load_data("clipart", size=16)


def test_names_in_another_encoding_are_refused(course: Path) -> None:
    (course / "classes.txt").write_text("Café\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"classes\.txt cannot be read .* UTF-8"):
        load_data("clipart", size=16)


@pytest.mark.parametrize("name", ["12x", "13", "05"])
def test_folders_that_are_not_the_numbers_are_named(course: Path, name: str) -> None:
    for split in ("train", "valid"):
        (course / split / "5").rename(course / split / name)
    with pytest.raises(
        DataError, match=rf"train are not .*missing: 5; not expected: {name}"
    ):
        load_data("clipart", size=16)
    assert data_status("clipart")[0] == "broken"


def test_leading_zeros_and_val_are_read_too(course: Path) -> None:
    expected = load_data("clipart", size=16)
    (course / "valid").rename(course / "val")
    for folder in [*(course / "train").iterdir(), *(course / "val").iterdir()]:
        folder.rename(folder.with_name(f"{folder.name:0>2}"))
    splits = load_data("clipart", size=16)
    assert splits.classes == expected.classes
    assert splits.fingerprint() == expected.fingerprint()


def test_a_class_of_one_split_only_is_named(course: Path) -> None:
    shutil.rmtree(course / "valid" / "7")
    with pytest.raises(
        DataError, match=r"valid are not the expected ones \(missing: 7\)"
    ):
        load_data("clipart", size=16)
    (course / "valid" / "7").mkdir()
    with pytest.raises(DataError, match=r"valid/7 is empty"):
        load_data("clipart", size=16)


def test_a_broken_test_image_is_known_before_training(course: Path) -> None:
    (course / "test" / "0002.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"test/0002\.jpg cannot be read as an image"):
        load_data("clipart", size=16)


def test_test_images_have_identifiers_of_their_own(
    course: Path, write_image: WriteImage
) -> None:
    write_image(course / "test" / "0010.png")
    with pytest.raises(DataError, match="have the same identifier 0010"):
        load_data("clipart", size=16)


def test_the_test_folder_may_come_later(course: Path) -> None:
    shutil.rmtree(course / "test")
    assert load_data("clipart", size=16).counts() == {"train": 24, "valid": 12}


@pytest.fixture
def office_home(tmp_path: Path, write_image: WriteImage) -> Path:
    """Some of Office-Home: two domains, of which the clip art has 20, 10 and 3 images
    in three categories.
    """
    folder = tmp_path / "OfficeHomeDataset"
    for name, count in (("Bed", 10), ("Alarm_Clock", 20), ("TV", 3)):
        for number in range(1, count + 1):
            write_image(folder / "Clipart" / name / f"{number:05d}.jpg", size=(12, 10))
    write_image(folder / "Art" / "Bed" / "00001.jpg")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_office_home_is_split_category_by_category(office_home: Path) -> None:
    folder = convert("clipart", office_home)
    splits = load_data("clipart", size=8)
    assert splits.classes == ("Alarm_Clock", "Bed", "TV")
    assert splits.train.labels.bincount().tolist() == [14, 6, 1]
    assert splits.valid.labels.bincount().tolist() == [3, 2, 1]
    tests = sorted(file.name for file in (folder / "test").iterdir())
    assert tests == [f"{number:04d}.jpg" for number in range(1, 7)]
    everything = [
        content for name, content in contents(folder).items() if name.endswith("jpg")
    ]
    assert len(set(everything)) == 33  # each image once


def test_archive_and_folder_give_the_same(office_home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "office.zip", "w") as archive:
        for file in office_home.rglob("*.jpg"):
            archive.write(
                file, f"OfficeHomeDataset_10072016/{file.relative_to(office_home)}"
            )
    first = contents(convert("clipart", tmp_path / "office.zip"))
    with pytest.raises(DataError, match="is there already: move it away first"):
        convert("clipart", office_home / "Clipart")
    shutil.rmtree(data_dir() / "clipart")
    assert contents(convert("clipart", office_home / "Clipart")) == first


@pytest.mark.parametrize("name", ["clipart", "Clip Art", "CLIPART"])
def test_the_folder_is_found_by_its_name(
    office_home: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "clipart").mkdir()
    moved = office_home.rename(tmp_path / "clipart" / "OfficeHome")
    (moved / "Clipart").rename(moved / name)
    convert("clipart", tmp_path / "clipart")
    assert load_data("clipart", size=8).classes == ("Alarm_Clock", "Bed", "TV")


def test_the_courses_own_archive_is_taken_as_it_is(
    course: Path, tmp_path: Path
) -> None:
    handed_out = course.rename(tmp_path / "homework")
    names = tuple(f"class {chr(110 - k)}" for k in range(12))
    (handed_out / "classes.txt").write_text("\n".join(names))
    assert contents(convert("clipart", tmp_path)) == contents(handed_out)
    assert load_data("clipart", size=16).classes == names


def pack(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as packed:
        for file in folder.rglob("*"):
            packed.write(file, file.relative_to(folder.parent))
    return archive


def test_the_courses_own_set_may_lie_around_the_data_folder(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in course.iterdir():
        part.rename(tmp_path / part.name)
    course.rmdir()
    beside = tmp_path / "data" / "another"
    for part in ("train", "valid"):  # of another set, which sorts first
        (beside / part / "cats").mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "data"))
    folder = convert("clipart", tmp_path)
    assert load_data("clipart", size=8).counts()["valid"] == 12
    assert not {"notes.txt", "data"}.intersection(p.name for p in folder.iterdir())


def test_the_courses_own_archive_may_have_val(course: Path, tmp_path: Path) -> None:
    (course / "valid").rename(course / "val")
    handed_out = course.rename(tmp_path / "homework")
    convert("clipart", pack(handed_out, tmp_path / "homework.zip"))
    assert load_data("clipart", size=16).counts() == {"train": 24, "valid": 12}


def test_what_macos_adds_to_a_folder_is_passed_over(
    office_home: Path, tmp_path: Path
) -> None:
    added = tmp_path / "__MACOSX" / office_home.name / "Clipart" / "Bed"
    added.mkdir(parents=True)
    (added / "._00001.jpg").touch()
    convert("clipart", tmp_path)
    assert load_data("clipart", size=8).classes == ("Alarm_Clock", "Bed", "TV")


def test_a_fault_in_an_archive_is_named_by_its_place_there(
    office_home: Path, tmp_path: Path
) -> None:
    (office_home / "Clipart" / "TV" / "notes.txt").touch()
    archive = pack(office_home, tmp_path / "office.zip")
    with pytest.raises(DataError) as caught:
        convert("clipart", archive)
    assert str(caught.value).startswith(
        f"{archive}/OfficeHomeDataset/Clipart/TV/notes.txt is not an image file"
    )


def test_another_data_set_is_refused(course: Path, tmp_path: Path) -> None:
    shutil.rmtree(course / "valid")
    (tmp_path / "homework").mkdir()
    course.rename(tmp_path / "homework" / "set")
    with pytest.raises(DataError, match="homework holds no folder Clipart, and no"):
        convert("clipart", tmp_path / "homework")


def test_a_name_that_is_no_text_is_refused(office_home: Path) -> None:
    bed = office_home / "Clipart" / "Bed"
    bed.rename(bed.with_name("B\udce9d"))
    with pytest.raises(DataError, match=r"holds 'B\\udce9d', whose name is not UTF-8"):
        convert("clipart", office_home)


def test_what_cannot_be_laid_out_leaves_nothing(
    office_home: Path, tmp_path: Path
) -> None:
    shutil.rmtree(office_home / "Clipart" / "TV")
    (office_home / "Clipart" / "TV").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    for source, message in (
        (office_home, "TV is empty"),
        (tmp_path / "none", "none is not there. Expected the downloaded archive"),
        (tmp_path / "text.zip", "not a whole zip or tar archive"),
        (office_home / "Clipart" / "Bed", "holds no class folders"),
    ):
        with pytest.raises(DataError, match=message):
            convert("clipart", source)
    assert not list(data_dir().iterdir())


def test_a_category_of_two_images_is_too_small(office_home: Path) -> None:
    (office_home / "Clipart" / "TV" / "00001.jpg").unlink()
    with pytest.raises(
        DataError, match=r"TV holds only 2 images\. Expected at least 3"
    ):
        convert("clipart", office_home)


def test_how_to_get_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"officeHomeDataset.*python -m helpers data convert clipart ARCHIVE",
    ):
        fetch("clipart")
    with pytest.raises(
        DataError, match="caltech101 is not made of a download of yours: get it with"
    ):
        convert("caltech101", tmp_path)


def test_the_stand_in_has_its_form() -> None:
    splits = load_data("clipart", size=32)
    assert splits.source == "synthetic"
    assert splits.classes == tuple(map(str, range(65)))
    assert splits.counts() == {"train": 1170, "valid": 260}
    assert list(splits.unlabelled) == [f"{n:04d}" for n in range(1, 261)]


def test_the_real_drawings(real_clipart: Path) -> None:
    splits = load_data("clipart", size=24)
    assert splits.source == "real"
    assert splits.counts() == {"train": 4391, "valid": 941}
    assert splits.classes[:2] == ("cartoon_dog", "cartoon_elephant")
    assert splits.classes[13] == "sketch_person"
    for split in (splits.train, splits.valid):
        assert [
            int(name.partition("/")[0]) for name in split.ids
        ] == split.labels.tolist()
