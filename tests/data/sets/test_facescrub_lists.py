from __future__ import annotations

from pathlib import Path

import pytest

from helpers.base.errors import DataError
from helpers.data.sets.facescrub import ACTORS, LISTS, Face, read_lists

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
    faces, malformed = read_lists(tmp_path)
    assert faces == [
        Face("Bill Hader", "11", "6375", "http://a.org/1.jpg", "1,2,30,40", SHA256),
        Face(*HARMON.split("\t")),
    ]
    assert malformed == []


def test_a_face_has_its_own_file() -> None:
    face = Face("Bill Hader", "11", "6375", "", "", "")
    assert face.file == "hader/hader_06375.jpg"
    assert len(set(ACTORS.values())) == len(ACTORS) == 12


def test_other_people_are_left_out_and_repeated_lines_count_once(
    tmp_path: Path,
) -> None:
    write_lists(
        tmp_path,
        f"Aaron Eckhart\t1\t1\thttp://a.org\tno box\tno hash\n{HADER}\n{HADER}\n",
    )
    faces, malformed = read_lists(tmp_path)
    assert [face.actor for face in faces] == ["Bill Hader", "Angie Harmon"]
    assert malformed == []


@pytest.mark.parametrize(
    "line",
    [
        "Bill Hader\t11\t6375\thttp://a.org/cut",
        "what is this",
        HADER + "\tmore",
        HADER.replace("6375", "../../6375"),
        HADER.replace("\t11\t", "\t\t"),
        HADER[:-1],
        HADER.replace("1,2,30,40", "1,2,30"),
        HADER.replace("1,2,30,40", "1,2,30,40,50"),
        HADER.replace("1,2,30,40", "1,2,30,x"),
        HADER.replace("1,2,30,40", "1.5,2,30,40"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    write_lists(tmp_path, f"{HEADER}\n{line}\n{HADER}\n")
    faces, malformed = read_lists(tmp_path)
    assert len(faces) == 2
    assert malformed == [f"facescrub_actors.txt, line 2: {line}"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_lists_as_a_spreadsheet_saves_them(
    tmp_path: Path, encoding: str, quote: str
) -> None:
    write_lists(tmp_path, HADER)
    plain = read_lists(tmp_path)
    rows = [line.split("\t") for line in (HEADER, HADER)]
    text = "\r\n".join("\t".join(f"{quote}{v}{quote}" for v in row) for row in rows)
    (tmp_path / LISTS[0]).write_text(text, encoding=encoding)
    assert read_lists(tmp_path) == plain


@pytest.mark.parametrize(
    "content",
    [
        HADER.encode("utf-16-le"),  # without the mark that says so
        HADER.replace("\t", ",").encode(),
        HADER.replace("Hader", "Nobody").encode(),
    ],
)
def test_a_list_without_a_face_of_the_twelve_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    write_lists(tmp_path, "")
    (tmp_path / LISTS[0]).write_bytes(content)
    with pytest.raises(DataError, match=rf"{LISTS[0]} has no face of any .* UTF-8"):
        read_lists(tmp_path)


def test_a_missing_list_says_what_to_put_where(tmp_path: Path) -> None:
    write_lists(tmp_path, HADER)
    (tmp_path / LISTS[1]).unlink()
    with pytest.raises(
        DataError, match=rf"{tmp_path / LISTS[1]} is not there.*put both there"
    ):
        read_lists(tmp_path)


def test_the_real_lists(real_facescrub: Path) -> None:
    faces, malformed = read_lists(real_facescrub)
    assert len(faces) == 3104
    assert {face.actor for face in faces} == set(ACTORS)
    assert len(malformed) == 1
    there = real_facescrub.glob("faces/*/*.jpg")
    listed = {f"faces/{face.file}" for face in faces}
    assert {f.relative_to(real_facescrub).as_posix() for f in there} <= listed
