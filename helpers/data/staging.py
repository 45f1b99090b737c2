"""Folders that are whole or not there, and archives that nobody has to trust."""

import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TypeVar

from helpers.base.errors import DataError, HelpersError
from helpers.base.files import writing

MAX_RATIO, ALWAYS_ALLOWED = 100, 64 << 20  # unpacked; pictures hardly get smaller
Member = TypeVar("Member", zipfile.ZipInfo, tarfile.TarInfo)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes ``folder`` only if the block succeeds.

    When another process was faster, its folder stays: both were to hold the same.

    Raises as ``writing``.
    """
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _beside(folder) as temporary:
            made = Path(temporary) / folder.name
            made.mkdir()
            yield made
            try:
                made.rename(folder)
            except OSError:
                if all(is_clutter(one.name) for one in folder.glob("*")):
                    raise  # else another process came first


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
                tar.extraction_filter = getattr(tarfile, "data_filter", None)
                safe = tar if tar.extraction_filter else map(_plain, tar)
                found = ((m, m.name, m.size) for m in safe)  # with a sparse one's holes
                tar.extractall(folder, list(_wanted(archive, found)))  # noqa: S202
                while tar.fileobj and tar.fileobj.read(2**20):
                    pass  # to the checksum of gzip, behind what tar reads
    except Exception as error:  # tarfile's, gzip's, lzma's, zlib's and zipfile's own
        if getattr(error, "errno", None):  # of the disk
            raise
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
    with _beside(beside) as folder:
        extract(source, Path(folder))
        try:
            yield Path(folder)
        except HelpersError as error:  # about a file that lies in the archive
            raise type(error)(str(error).replace(folder, str(source))) from error


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


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """For Python before 3.11.4, which has no filter; refuses all links."""
    if not (member.isfile() or member.isdir()):
        raise ValueError(f"{member.name} is no file")
    member.name = member.name.lstrip("/")
    return member


def _beside(path: Path) -> TemporaryDirectory[str]:
    return TemporaryDirectory(
        dir=path.parent,
        prefix=f".{path.name}.",
        suffix=".part",
        ignore_cleanup_errors=True,
    )
