"""Unpacks zip and tar archives that nobody has to trust."""

from __future__ import annotations

import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

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


def is_clutter(name: str) -> bool:
    """Whether a file is hidden, or what macOS and Windows add by themselves."""
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def extract(archive: Path, folder: Path) -> None:
    """Unpacks a zip or (compressed) tar archive without clutter, into ``folder`` only.

    Raises:
        DataError: the archive is broken, encrypted or far larger than it looks, or a
            member is a device or a link out of ``folder``.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                infos = [info for info in packed.infolist() if _wanted(info.filename)]
                _check_size(archive, sum(info.file_size for info in infos))
                packed.extractall(folder, infos)  # noqa: S202  # never outside
        else:
            with tarfile.open(archive) as tar:
                members = [member for member in tar if _wanted(member.name)]
                _check_size(archive, sum(member.size for member in members))
                tar.extractall(folder, members, filter="data")
    except BROKEN as error:
        raise DataError(
            f"{archive} is not a whole zip or tar archive that can be unpacked here "
            f"({error}): download it again, or pack it anew as a plain zip."
        ) from error


@contextmanager
def unpacked(source: Path, *, beside: Path) -> Iterator[Path]:
    """Yields a temporary folder next to ``beside`` with what the archive ``source``
    holds, or ``source`` itself if it is a folder.
    """
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(
        dir=beside.parent, prefix=".unpacked.", suffix=".part"
    ) as folder:
        extract(source, Path(folder))
        yield Path(folder)


def _wanted(name: str) -> bool:
    return not any(map(is_clutter, PurePosixPath(name).parts))  # ".." is hidden too


def _check_size(archive: Path, size: int) -> None:
    if size > max(ALWAYS_ALLOWED, MAX_RATIO * archive.stat().st_size):
        raise DataError(
            f"{archive} unpacks to more than {MAX_RATIO} times its size: expected an "
            "archive of pictures."
        )
