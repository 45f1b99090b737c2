"""Where things lie, and how a file is written: whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

import psutil

from helpers.base.errors import WriteError

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR)
ROOT = Path(__file__).resolve().parents[2]


def data_dir() -> Path:
    """The folder of data sets: ``$CNN_DATA``, else ``data/``."""
    return _folder("CNN_DATA", "data")


def exports_dir() -> Path:
    """The folder of run folders: ``$CNN_EXPORTS``, else ``exports/``."""
    return _folder("CNN_EXPORTS", "exports")


def _folder(variable: str, usual: str) -> Path:
    """A relative path starts at the repository, wherever a kernel may work."""
    return (ROOT / Path(os.environ.get(variable) or usual).expanduser()).resolve()


def notebooks_dir() -> Path:
    """The folder that holds one folder of notebooks per assignment."""
    return ROOT / "notebooks"


@contextmanager
def write_atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path``, for the block to write a file that takes
    its place only if the block succeeds.

    Whatever fails (a full disk, an interrupt), the file that was at ``path`` before is
    untouched. The bytes are on disk before the name changes. What a process that was
    killed has left of ``path`` goes.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    name = f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part"
    temporary = path.with_name(name)
    try:
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            for part in path.parent.glob(f".{escape(path.name)}.*.*.part"):
                if not psutil.pid_exists(int(part.name.split(".")[-3])):
                    part.unlink(missing_ok=True)
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):  # a disk that may only be read says so here too
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Explains why the block could not write below ``folder``.

    Raises:
        WriteError: the disk is full, or something below the folder may not be written.
    """
    try:
        yield
    except OSError as error:
        where = Path(error.filename or folder)  # a full disk names no file
        if error.errno in FULL:
            advice = "Free some space there"
        elif error.errno in REFUSED and where.is_relative_to(folder):
            advice = "See that it is a folder and that you may write there"
        else:
            raise
        raise WriteError(
            f"{folder} cannot be written ({error.strerror}). {advice}, or take another "
            "folder (CNN_EXPORTS for runs, CNN_DATA for data), then run again."
        ) from error
