"""Unpacks zip and tar archives that nobody has to trust."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from helpers.base.errors import DataError

MAX_RATIO, ALWAYS_ALLOWED = 100, 64 << 20  # unpacked; pictures hardly get smaller
Member = TypeVar("Member", zipfile.ZipInfo, tarfile.TarInfo)


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
                infos = ((m, m.filename, m.file_size) for m in packed.infolist())
                wanted = list(_wanted(archive, infos))
                packed.extractall(folder, wanted)  # noqa: S202  # never outside
        else:
            with tarfile.open(archive) as tar:
                found = ((m, m.name, m.size) for m in tar)  # with a sparse one's holes
                tar.extractall(folder, list(_wanted(archive, found)), filter="data")
    except OSError:  # of the disk
        raise
    except Exception as error:  # tarfile's, lzma's, zlib's and zipfile's own
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
        try:
            yield Path(folder)
        except DataError as error:  # of a file that lies in the archive
            raise DataError(str(error).replace(folder, str(source))) from error


def _wanted(
    archive: Path, members: Iterable[tuple[Member, str, int]]
) -> Iterator[Member]:
    """The members that are no clutter, as long as all are not far larger packed out."""
    left = max(ALWAYS_ALLOWED, MAX_RATIO * archive.stat().st_size)
    for member, name, size in members:
        if (left := left - size) < 0:
            raise ValueError(f"it unpacks to more than {MAX_RATIO} times its size")
        if not any(map(is_clutter, PurePosixPath(name).parts)):  # ".." is hidden too
            yield member
