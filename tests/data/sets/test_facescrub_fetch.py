from __future__ import annotations

import csv
import errno
import hashlib
import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from odd_images import ODD_DDS
from PIL import Image
from website import Website, content, cut_off, hang, held, redirect, status

from helpers.base.errors import DataError, WriteError
from helpers.base.files import data_dir
from helpers.data.catalogue import data_status, load_data
from helpers.data.download import fetch
from helpers.data.sets import facescrub, facescrub_fetch
from helpers.data.sets.facescrub import ACTORS, LISTS, Face
from helpers.data.sets.facescrub_fetch import (
    LOST,
    LostError,
    collect_faces,
    cut_out,
    decode,
    report,
)

BOX = (10, 20, 50, 60)


def jpeg(number: int, *, size: tuple[int, int] = (90, 80), mode: str = "RGB") -> bytes:
    """A black picture, another for every number, with a white face in ``BOX``."""
    pixels = np.zeros((size[1], size[0]), dtype=np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(
        buffer, "JPEG", quality=95, comment=str(number)
    )
    return buffer.getvalue()


class Lists:
    """FaceScrub's lists for the pictures of a website, written into the set's own
    folder.
    """

    def __init__(self, website: Website) -> None:
        self.website, self.lines, self.folder = website, [], data_dir() / "facescrub"

    def add(
        self, path: str, picture: bytes, *, actor: str = "Bill Hader", **values: object
    ) -> Face:
        """Adds a line about the picture at ``path``; returns the face it gives."""
        number = len(self.lines) + 1
        line: dict[str, Any] = dict.fromkeys(Face._fields, number)
        line |= {
            "actor": actor,
            "url": self.website.address + path,
            "bbox": ",".join(map(str, BOX)),
        }
        line |= {"sha256": hashlib.sha256(picture).hexdigest()} | values
        self.lines.append("\t".join(map(str, line.values())))
        return Face(**{name: str(value) for name, value in line.items()})

    def serve(self, path: str, **values: object) -> Face:
        """The same, and has the website serve the picture."""
        picture = jpeg(len(self.lines))
        self.website.put(path, picture)
        return self.add(path, picture, **values)

    def write(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in zip(LISTS, ("\n".join(self.lines), ""), strict=True):
            (self.folder / name).write_text(text)
        return self.folder


@pytest.fixture
def lists(website: Website) -> Lists:
    return Lists(website)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MAX_BYTES": 100_000, "WORKERS": 4}.items():
        monkeypatch.setattr(facescrub_fetch, name, value)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For pages that hang; elsewhere a machine that stalls must not look like one."""
    monkeypatch.setattr(facescrub_fetch, "TIMEOUT", 1)


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set may be whole without 72 faces of every actor."""
    monkeypatch.setattr(facescrub, "LEAST_COUNT", 0)


def causes(folder: Path) -> dict[str, str]:
    """The cause of each loss, by the picture's path."""
    with (folder / LOST).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {"/" + row["url"].rpartition("/")[2]: row["cause"] for row in rows}


def faces_in(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.glob("faces/*/*")
    )


def test_a_whole_set_is_fetched_and_loaded(lists: Lists) -> None:
    for actor, name in ACTORS.items():
        picture = jpeg(len(lists.lines))
        lists.website.put(f"/{name}.jpg", picture)
        for shift in range(73):
            lists.add(
                f"/{name}.jpg",
                picture,
                actor=actor,
                bbox=f"{shift % 9},{shift // 9},{50 + shift % 9},70",
            )
    folder = lists.write()
    assert data_status("facescrub")[0] == "absent"
    assert fetch("facescrub") == folder / "faces"
    splits = load_data("facescrub", size=28)
    assert splits.source == "real"
    assert splits.counts() == {"train": 840, "valid": 12, "test": 24}
    assert len(lists.website.requests) == 12 * 73
    fetch("facescrub")
    assert len(lists.website.requests) == 12 * 73


@pytest.mark.usefixtures("few_are_enough")
@pytest.mark.usefixtures("impatient")
def test_what_the_web_does_is_told_apart(
    lists: Lists, capsys: pytest.CaptureFixture[str]
) -> None:
    website, good = lists.website, jpeg(0)
    kept = [
        lists.serve("/good.jpg"),
        lists.add("/old.jpg", good),
    ]
    website.put("/new.jpg", good)
    website.put("/old.jpg", redirect("/new.jpg"))
    expected = {}
    for path, page, cause in (
        ("/gone.jpg", status(404), "HTTP 404"),
        ("/forbidden.jpg", status(403), "HTTP 403"),
        ("/down.jpg", status(500), "HTTP 500"),
        ("/hangs.jpg", hang(website), "connection"),
        ("/cut.jpg", cut_off(good), "connection"),
        ("/other.jpg", content(jpeg(99)), "wrong hash"),
        ("/page.jpg", content(b"<html>Buy this domain!</html>"), "wrong hash"),
        ("/empty.jpg", content(b""), "wrong hash"),
        ("/large.jpg", content(bytes(100_001)), "too large"),
    ):
        website.put(path, page)
        lists.add(path, good)
        expected[path] = cause
    website.put("/half.jpg", good[:500])
    lists.add(
        "/half.jpg", good[:500]
    )  # the very file that was listed, and no whole image
    expected["/half.jpg"] = "not an image"
    lists.serve("/outside.jpg", bbox="50,20,91,60")
    lists.serve("/above.jpg", bbox="10,-1,50,60")
    lists.serve("/no-box.jpg", bbox="10,20,50")
    expected |= {"/outside.jpg": "bad box", "/above.jpg": "bad box"}
    expected["/"] = "malformed line"  # the line without a box

    collect_faces(lists.write() / "faces")

    assert faces_in(lists.folder) == [f"faces/{face.file}" for face in kept]
    assert causes(lists.folder) == expected
    assert website.asked("/no-box.jpg") == 0
    printed = capsys.readouterr().out
    assert "2 faces kept, 13 lost" in printed
    for cause, count in (
        ("wrong hash", 3),
        ("bad box", 2),
        ("connection", 2),
        ("not an image", 1),
        ("malformed line", 1),
    ):
        assert re.search(rf"^{cause} +{count}$", printed, re.MULTILINE)


@pytest.mark.usefixtures("few_are_enough")
def test_the_face_is_cut_out_of_the_picture(lists: Lists) -> None:
    face = lists.serve("/a.jpg")
    collect_faces(lists.write() / "faces")
    with Image.open(lists.folder / "faces" / face.file) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (40, 40))
        assert np.asarray(image)[2:-2, 2:-2].min() > 240


@pytest.mark.usefixtures("few_are_enough")
def test_only_what_is_not_there_is_asked_for_again(lists: Lists) -> None:
    website, good = lists.website, jpeg(0)
    lists.serve("/good.jpg")
    website.put("/down.jpg", status(500))
    lists.add("/down.jpg", good)
    folder = lists.write()
    collect_faces(folder / "faces")
    assert causes(folder) == {"/down.jpg": "HTTP 500"}
    website.requests.clear()
    website.put("/down.jpg", good)
    collect_faces(folder / "faces")
    assert website.requests == ["/down.jpg"]
    assert causes(folder) == {}
    assert len(faces_in(folder)) == 2


@pytest.mark.usefixtures("few_are_enough")
@pytest.mark.usefixtures("impatient")
def test_an_interrupted_fetch_is_taken_up(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    for number in range(40):
        if number % 4:
            lists.serve(f"/{number}.jpg")
        else:
            lists.add(f"/{number}.jpg", b"gone")
        if number >= 20:  # so that the interrupt comes in time
            page = lists.website.pages.get(f"/{number}.jpg", status(404))
            lists.website.put(f"/{number}.jpg", held(page, released))
    folder = lists.write()

    def interrupted(futures: list[Any]) -> Iterator[Any]:
        for future in futures[:10]:
            future.exception()  # waits
            yield future
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(facescrub_fetch, "as_completed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            collect_faces(folder / "faces")
    assert not list(folder.glob("**/*.part"))
    there = faces_in(folder)
    assert 7 <= len(there) <= 15

    released.set()
    lists.website.requests.clear()
    collect_faces(folder / "faces")
    assert len(set(lists.website.requests)) == 40 - len(there)
    assert len(faces_in(folder)) == 30
    assert len(causes(folder)) == 10


def test_too_few_faces_are_no_set(lists: Lists) -> None:
    lists.serve("/good.jpg")
    lists.website.put("/down.jpg", status(500))
    lists.add("/down.jpg", b"")
    with pytest.raises(DataError) as caught:
        collect_faces(lists.write() / "faces")
    for part in (
        "hader (1)",
        "gilpin (0)",
        "at least 72 of each",
        "`python -m helpers data fetch facescrub` asks again",
    ):
        assert part in str(caught.value)
    assert faces_in(lists.folder) == ["faces/hader/hader_00001.jpg"]
    assert data_status("facescrub")[0] == "broken"
    for source in ("auto", "real"):  # an unfinished set is not passed over
        with pytest.raises(DataError, match=r"hader .* fetch facescrub.*synthetic"):
            load_data("facescrub", source)


def test_lists_that_are_not_there() -> None:
    with pytest.raises(
        DataError, match=rf"{data_dir() / 'facescrub' / LISTS[0]} is not there"
    ):
        fetch("facescrub")


@pytest.mark.usefixtures("few_are_enough")
def test_a_full_disk_leaves_no_half_made_face(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        lists.serve(f"/{number}.jpg")
    folder = lists.write()

    def save(image: Image.Image, path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", save)
        with pytest.raises(WriteError, match=r"jpg cannot be written .*No space left"):
            collect_faces(folder / "faces")
    assert faces_in(folder) == []
    collect_faces(folder / "faces")
    assert len(faces_in(folder)) == 4


def test_large_faces_are_shrunk_and_small_ones_are_not() -> None:
    picture = Image.new("RGB", (900, 700))
    assert cut_out(picture, "0,0,900,700").size == (176, 137)
    assert cut_out(picture, "0,0,176,100").size == (176, 100)
    assert cut_out(picture, "899,699,900,700").size == (1, 1)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("L", "L"), ("1", "L"), ("P", "RGB"), ("RGBA", "RGB"), ("CMYK", "RGB")],
)
def test_faces_are_grayscale_or_rgb(mode: str, expected: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (90, 80)).save(file, "TIFF")
    sha256 = hashlib.sha256(file.getvalue()).hexdigest()
    assert decode(file.getvalue(), sha256).mode == expected


def test_a_picture_whose_decoder_fails_in_its_own_way_is_a_lost_face() -> None:
    with pytest.raises(LostError, match="not an image: no whole image"):
        decode(ODD_DDS, hashlib.sha256(ODD_DDS).hexdigest())
    with pytest.raises(LostError, match="wrong hash: another file"):
        decode(ODD_DDS, "0" * 64)


@pytest.mark.parametrize(
    "bbox",
    [
        "-1,0,10,10",
        "0,-1,10,10",
        "0,0,91,10",
        "0,0,10,81",
        "200,200,210,210",
        "30,2,30,40",
        "3,9,30,4",
    ],
)
def test_a_box_outside_the_picture(bbox: str) -> None:
    with pytest.raises(
        LostError, match=f"the box {bbox} is empty or outside the picture of 90×80"
    ):
        cut_out(Image.new("RGB", (90, 80)), bbox)


def test_the_report_counts_by_cause() -> None:
    causes = ["connection"] + 1200 * ["HTTP 404"]
    first, *counts = report(3, pd.DataFrame({"cause": causes})).splitlines()
    assert first == "FaceScrub: 3 faces kept, 1,201 lost (lost.csv)"
    assert [line.rsplit(maxsplit=1) for line in counts] == [
        ["HTTP 404", "1200"],
        ["connection", "1"],
    ]
