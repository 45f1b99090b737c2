from __future__ import annotations

import csv
from pathlib import Path

import pytest

from helpers.base.errors import DataError
from helpers.data.face_lists import (
    ACTORS,
    LISTS,
    Face,
    Loss,
    parse_box,
    read_lists,
    read_losses,
    write_losses,
    write_manifest,
)
from helpers.data.web import Cause, LostError

SHA256 = "0123456789abcdef" * 4
HADER = f"Bill Hader\t11\t6375\thttp://a.org/1.jpg\t1,2,30,40\t{SHA256}"
HARMON = f"Angie Harmon\t12\t32306\thttp://a.org/2.jpg\t5,6,7,8\t{SHA256.upper()}"
HEADER = "name\timage_id\tface_id\turl\tbbox\tsha256"


def write_lists(folder: Path, actors: str, actresses: str = HARMON) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip(LISTS, (actors, actresses), strict=True):
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("before", ["", f"{HEADER}\n", f"\ufeff{HEADER}\r\n", "\n\n"])
def test_lists_are_read_with_a_header_or_without(tmp_path: Path, before: str) -> None:
    write_lists(tmp_path, f"{before}{HADER}\n")
    faces, losses = read_lists(tmp_path)
    assert faces == [
        Face("Bill Hader", 11, 6375, "1,2,30,40", SHA256, "http://a.org/1.jpg"),
        Face("Angie Harmon", 12, 32306, "5,6,7,8", SHA256, "http://a.org/2.jpg"),
    ]
    assert losses == []


def test_a_face_has_its_own_file() -> None:
    assert (
        Face("Bill Hader", 11, 6375, "", "", "").file == "faces/hader/hader_06375.jpg"
    )
    assert len(set(ACTORS.values())) == len(ACTORS) == 12


def test_other_people_are_left_out_and_repeated_lines_count_once(
    tmp_path: Path,
) -> None:
    write_lists(
        tmp_path,
        f"Aaron Eckhart\t1\t1\thttp://a.org\tno box\tno hash\n{HADER}\n{HADER}\n",
    )
    faces, losses = read_lists(tmp_path)
    assert [face.actor for face in faces] == ["Bill Hader", "Angie Harmon"]
    assert losses == []


@pytest.mark.parametrize(
    ("line", "cause", "detail"),
    [
        (
            "Bill Hader\t11\t6375\thttp://a.org/cut",
            Cause.MALFORMED,
            "4 fields instead of 6",
        ),
        ("what is this", Cause.MALFORMED, "1 fields instead of 6"),
        (HADER + "\tmore", Cause.MALFORMED, "7 fields instead of 6"),
        (
            HADER.replace("6375", "../../6375"),
            Cause.MALFORMED,
            "face '../../6375' are not numbers",
        ),
        (HADER.replace("\t11\t", "\t\t"), Cause.MALFORMED, "picture '' and"),
        (HADER[:-1], Cause.MALFORMED, "is no SHA-256"),
        (
            HADER.replace("1,2,30,40", "1,2,30"),
            Cause.BAD_BOX,
            "the box '1,2,30' is not of the form x1,y1,x2,y2",
        ),
        (
            HADER.replace("1,2,30,40", "30,2,30,40"),
            Cause.BAD_BOX,
            "with x1 < x2 and y1 < y2",
        ),
    ],
)
def test_a_malformed_line_is_a_loss_that_names_it(
    tmp_path: Path, line: str, cause: Cause, detail: str
) -> None:
    write_lists(tmp_path, f"{HEADER}\n{line}\n{HADER}\n")
    faces, (loss,) = read_lists(tmp_path)
    assert len(faces) == 2
    assert loss.cause is cause
    assert loss.detail.startswith("facescrub_actors.txt, line 2: ")
    assert detail in loss.detail


@pytest.mark.parametrize(
    "bbox",
    ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1.5,2,3,4", "3,2,1,4", "1,4,3,4", "a,b,c,d"],
)
def test_a_malformed_box(bbox: str) -> None:
    with pytest.raises(LostError, match="bad box: the box"):
        parse_box(bbox)


def test_a_box_has_four_corners() -> None:
    assert parse_box("1,2,30,40") == (1, 2, 30, 40)
    assert parse_box("-1,2,30,40") == (
        -1,
        2,
        30,
        40,
    )  # whether it fits the picture is another question


def test_a_missing_list_says_what_to_put_where(tmp_path: Path) -> None:
    write_lists(tmp_path, HADER)
    (tmp_path / LISTS[1]).unlink()
    with pytest.raises(
        DataError, match=rf"{tmp_path / LISTS[1]} is not there.*put both there"
    ):
        read_lists(tmp_path)


def test_the_manifest_is_sorted_by_file(tmp_path: Path) -> None:
    write_lists(tmp_path, HADER.replace("6375", "9") + f"\n{HADER}\n", HARMON)
    faces, _ = read_lists(tmp_path)
    write_manifest(tmp_path, reversed(faces))
    with (tmp_path / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "file",
        "actor",
        "image_id",
        "face_id",
        "bbox",
        "sha256",
        "url",
    ]
    assert [row["file"].rpartition("/")[2] for row in rows] == [
        "hader_00009.jpg",
        "hader_06375.jpg",
        "harmon_32306.jpg",
    ]
    assert rows[0]["bbox"] == "1,2,30,40"


def test_losses_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_losses(tmp_path) == []
    losses = [
        Loss(
            "Bill Hader",
            "6375",
            Cause.TIMEOUT,
            'no, "no" answer',
            "http://a.org/ä,b.jpg",
        ),
        Loss("Bill Hader", "", Cause.MALFORMED, "two\nlines", ""),
    ]
    write_losses(tmp_path, losses)
    assert read_losses(tmp_path) == losses


def test_what_somebody_else_wrote_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "lost.csv").write_text(
        "actor,face_id,cause,detail,url\nBill Hader,1,vanished,,\nBill\n"
    )
    assert read_losses(tmp_path) == []
    (tmp_path / "lost.csv").write_text("something else\n")
    assert read_losses(tmp_path) == []


def test_the_real_lists(real_facescrub: Path) -> None:
    faces, losses = read_lists(real_facescrub)
    assert len(faces) == 3104
    assert {face.actor for face in faces} == set(ACTORS)
    assert [loss.cause for loss in losses] == [Cause.MALFORMED]
    with (real_facescrub / "manifest.csv").open(newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} <= {
            face.file for face in faces
        }
