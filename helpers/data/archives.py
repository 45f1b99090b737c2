"""Unpacks zip and tar archives that nobody has to trust: no member gets outside its
folder.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from helpers.base.errors import DataError

BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
)


def extract(archive: Path, folder: Path) -> None:
    """Unpacks a zip or (compressed) tar archive into ``folder``.

    Members may only be plain files and folders below ``folder``. On an error those
    before the offending one are already there, so unpack into a temporary folder.

    Raises:
        DataError: the file is no archive or broken, or a member is a link, a device, or
            has an absolute path or one with ``..``; the message names it.
    """
    try:
        if zipfile.is_zipfile(archive):
            _extract_zip(archive, folder)
        else:
            _extract_tar(archive, folder)
    except BROKEN as error:
        raise DataError(
            f"{archive} is not a whole zip or tar archive ({error}): remove it and "
            "fetch again."
        ) from error


def _extract_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            kind = stat.S_IFMT(
                member.external_attr >> 16
            )  # 0 where the archive comes from Windows
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _unsafe(archive, member.filename, "a link or device")
            target = _target(archive, member.filename, folder)
            if not member.is_dir():
                with file.open(member) as content:
                    _write(content, target)


def _extract_tar(archive: Path, folder: Path) -> None:
    # One pass over the stream: a compressed tar cannot be searched without unpacking
    # it.
    with tarfile.open(archive) as file:
        for member in file:
            if not (member.isfile() or member.isdir()):
                raise _unsafe(archive, member.name, "a link or device")
            target = _target(archive, member.name, folder)
            content = file.extractfile(member)
            if content is not None:
                with content:
                    _write(content, target)


def _target(archive: Path, name: str, folder: Path) -> Path:
    path = PurePosixPath(name.replace("\\", "/"))
    if (
        path.is_absolute()
        or ".." in path.parts
        or any(":" in part for part in path.parts[:1])
    ):
        raise _unsafe(archive, name, "outside its folder")
    return folder / path


def _write(content: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _unsafe(archive: Path, name: str, why: str) -> DataError:
    return DataError(
        f"{archive} is not safe to unpack: its member {name!r} is {why}. Nothing of it "
        "was kept."
    )
