"""Unpacks zip and tar archives that nobody has to trust."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from helpers.base.errors import DataError


def is_clutter(name: str) -> bool:
    """Whether a file is hidden, or what macOS and Windows add by themselves."""
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def extract(archive: Path, folder: Path) -> None:
    """Unpacks a zip or (compressed) tar archive without clutter, into ``folder`` only.

    Raises:
        DataError: the archive is broken or encrypted, or a member is a device or a link
            out of ``folder``.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                names = filter(_is_wanted, packed.namelist())
                packed.extractall(folder, names)  # noqa: S202  # never outside
        else:
            with tarfile.open(archive) as tar:
                members = [member for member in tar if _is_wanted(member.name)]
                tar.extractall(folder, members, filter="data")
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


def _is_wanted(name: str) -> bool:
    return not any(map(is_clutter, PurePosixPath(name).parts))  # ".." is hidden too
