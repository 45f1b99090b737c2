from __future__ import annotations

import io
import stat
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.base.errors import DataError
from helpers.data.staging import extract


def make_zip(
    path: Path, name: str, content: bytes = b"content", mode: int = stat.S_IFREG
) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("first.txt", b"first")
        member = zipfile.ZipInfo(name)
        member.external_attr = (mode | 0o644) << 16
        file.writestr(member, content)
    return path


def make_tar(
    path: Path, name: str, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> Path:
    with tarfile.open(path, "w:gz") as file:
        file.addfile(tar_member("first.txt", tarfile.REGTYPE, 5), io.BytesIO(b"first"))
        member = tar_member(name, kind, 7 if kind == tarfile.REGTYPE else 0)
        member.linkname = target
        file.addfile(member, io.BytesIO(b"content"))
    return path


def tar_member(name: str, kind: bytes, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_unpacks_files_in_folders(
    tmp_path: Path, make: Callable[[Path, str], Path]
) -> None:
    extract(make(tmp_path / "archive", "deep/er/file.txt"), tmp_path / "out")
    assert (tmp_path / "out/first.txt").read_bytes() == b"first"
    assert (tmp_path / "out/deep/er/file.txt").read_bytes() == b"content"


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "{absolute}/evil", "..\\evil", "C:\\evil", "C:/evil"],
)
def test_nothing_is_unpacked_outside(
    tmp_path: Path, make: Callable[[Path, str], Path], name: str
) -> None:
    archive = make(tmp_path / "archive", name.format(absolute=tmp_path))
    extract(archive, tmp_path / "out")
    evil = tmp_path.rglob("evil")
    assert all(path.is_relative_to(tmp_path / "out") for path in evil)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "../../outside"),
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "../../outside"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
    ],
)
def test_refuses_devices_and_links_that_lead_outside(
    tmp_path: Path, kind: bytes, target: str
) -> None:
    archive = make_tar(tmp_path / "archive", "evil", kind, target)
    with pytest.raises(DataError, match=r"can be unpacked here .*evil"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out/evil").exists()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="never without a filter")
@pytest.mark.filterwarnings("ignore:Python 3.14:DeprecationWarning")
def test_without_a_filter_nothing_is_unpacked_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Python 3.11.2, which is Debian 12's.
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    extract(make_tar(tmp_path / "plain", f"{tmp_path}/evil"), tmp_path / "out")
    assert (tmp_path / "out/first.txt").read_bytes() == b"first"
    assert (tmp_path / f"out{tmp_path}/evil").read_bytes() == b"content"
    assert not (tmp_path / "evil").exists()
    link = make_tar(tmp_path / "link", "evil", tarfile.SYMTYPE, "/etc/passwd")
    with pytest.raises(DataError, match="evil is no file"):
        extract(link, tmp_path / "other")


def test_links_in_a_zip_are_plain_files(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "archive", "evil", b"/etc/passwd", stat.S_IFLNK)
    extract(archive, tmp_path / "out")
    assert not (tmp_path / "out/evil").is_symlink()


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_broken_archive_is_named(
    tmp_path: Path, make: Callable[[Path, str], Path]
) -> None:
    archive = make(tmp_path / "archive", "file.txt")
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(DataError, match=f"{archive} is not a whole zip or tar"):
        extract(archive, tmp_path / "out")


def test_one_wrong_byte_in_a_tar_is_found(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "archive", "file.txt")
    content = bytearray(archive.read_bytes())
    content[-6] ^= 1  # of gzip's checksum, which stands for all bytes before
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"not a whole zip or tar archive.*CRC"):
        extract(archive, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>"])
def test_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(content)
    with pytest.raises(DataError, match=f"{archive} is not a whole zip or tar"):
        extract(archive, tmp_path / "out")


def test_clutter_is_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as file:
        for name in ("a/1.png", "__MACOSX/a/._1.png", "a/.DS_Store", "a/Thumbs.db"):
            file.writestr(name, b"content")
    extract(tmp_path / "archive.zip", tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files == [tmp_path / "out/a/1.png"]


def bomb_zip(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("bomb.png", "w") as member,
    ):
        for _ in range(80):
            member.write(bytes(1 << 20))


def bomb_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as file, tempfile.TemporaryFile() as content:
        content.truncate(80 << 20)
        file.addfile(tar_member("bomb.png", tarfile.REGTYPE, 80 << 20), content)


def sparse_tar(path: Path) -> None:
    """A member of 1 GiB that is one hole, as GNU tar writes it."""
    member = tar_member("bomb.png", tarfile.GNUTYPE_SPARSE, 0)
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    for start, number in ((386, 1 << 30), (398, 0), (483, 1 << 30)):
        header[start : start + 12] = b"\x80" + number.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(header + bytes(1024))


@pytest.mark.parametrize("make", [bomb_zip, bomb_tar, sparse_tar])
def test_an_archive_that_blows_up_is_refused_before_anything_is_written(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "bomb")
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        extract(tmp_path / "bomb", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("offset", "value"), [(8, 9), (6, 1)])
def test_deflate64_and_encryption_are_named(
    tmp_path: Path, offset: int, value: int
) -> None:
    archive = make_zip(tmp_path / "archive.zip", "file.txt")
    content = bytearray(archive.read_bytes())
    for mark, shift in ((b"PK\3\4", 0), (b"PK\1\2", 2)):
        place = -1
        while (place := content.find(mark, place + 1)) >= 0:
            content[place + offset + shift] |= value
    archive.write_bytes(content)
    with pytest.raises(DataError, match="zip or tar archive that can be unpacked here"):
        extract(archive, tmp_path / "out")
