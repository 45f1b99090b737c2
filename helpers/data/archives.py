"""Unpacks zip and tar archives that nobody has to trust."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

from helpers.base.errors import DataError

BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,  # zipfile's own for encryption and for methods such as Deflate64
)
# An archive of pictures holds at most a few times its own size.
MAX_RATIO, ALWAYS_ALLOWED = 100, 64 << 20


# Name, unpacked size, whether it is a plain file or folder, and a file's content.
Member: TypeAlias = tuple[str, int, bool, IO[bytes] | None]


def is_clutter(name: str) -> bool:
    """Whether a file is hidden, or what macOS and Windows add by themselves."""
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def extract(archive: Path, folder: Path) -> None:
    """Unpacks the files of a zip or (compressed) tar archive, without clutter.

    On an error some are already there, so unpack into a temporary folder.

    Raises:
        DataError: the archive is broken, encrypted or far larger than it looks, or a
            member is a link, a device, or outside ``folder``.
    """
    members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    left = max(ALWAYS_ALLOWED, MAX_RATIO * archive.stat().st_size)
    try:
        for name, size, is_plain, content in members(archive):
            path = _checked(archive, name, is_plain=is_plain)
            left -= size
            if left < 0:
                raise DataError(
                    f"{archive} unpacks to more than {MAX_RATIO} times its size: "
                    "expected an archive of pictures."
                )
            if content and not any(map(is_clutter, path.parts)):
                (folder / path.parent).mkdir(parents=True, exist_ok=True)
                with content, (folder / path).open("wb") as file:
                    shutil.copyfileobj(content, file)
    except BROKEN as error:
        raise DataError(
            f"{archive} is not a whole zip or tar archive that can be unpacked here "
            f"({error}): download it again, or pack it anew as a plain zip."
        ) from error


@contextmanager
def unpacked(archive: Path, *, beside: Path) -> Iterator[Path]:
    """Yields a temporary folder next to ``beside`` with what ``archive`` holds."""
    with tempfile.TemporaryDirectory(
        dir=beside.parent, prefix=".unpacked.", suffix=".part"
    ) as folder:
        extract(archive, Path(folder))
        yield Path(folder)


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where Windows packed it
            content = None if info.is_dir() else file.open(info)
            is_plain = kind in {0, stat.S_IFREG, stat.S_IFDIR}
            yield info.filename, info.file_size, is_plain, content


def _tar_members(archive: Path) -> Iterator[Member]:
    # One pass over the stream: a compressed tar cannot be searched without unpacking.
    with tarfile.open(archive) as file:
        for info in file:
            content = file.extractfile(info) if info.isfile() else None
            yield info.name, info.size, info.isfile() or info.isdir(), content


def _checked(archive: Path, name: str, *, is_plain: bool) -> PurePosixPath:
    """Where the member goes below the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1])
    if is_plain and not outside:
        return path
    raise DataError(
        f"{archive} is not safe to unpack: its member {name!r} is "
        f"{'outside its folder' if is_plain else 'a link or device'}. Nothing of it "
        "was kept."
    )
