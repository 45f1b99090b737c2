"""Where things lie, and how a file is written: whole or not at all."""

import errno
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

import psutil

from helpers.base.errors import WriteError

ADVICE = {
    "Free some space": (errno.ENOSPC, errno.EDQUOT),
    "Allow yourself to write there": (errno.EACCES, errno.EPERM, errno.EROFS),
    "See what is in the way": (
        errno.EEXIST,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENOTEMPTY,
    ),
}
ROOT = Path(__file__).resolve().parents[2]
QUICK = "CNN_QUICK"  # set where it is all about quick runs


def data_dir() -> Path:
    """The folder of data sets: ``$CNN_DATA``, else ``data/``."""
    return _place("CNN_DATA", "data")


def exports_dir() -> Path:
    """Where runs lie: ``$CNN_EXPORTS`` or ``exports/``; quick ones, in ``quick/``."""
    return _place("CNN_EXPORTS", "exports") / ("quick" * is_quick())


def is_quick() -> bool:
    """Whether it is about quick runs."""
    return QUICK in os.environ


def hand_in_file() -> Path:
    """The file that says who hands in: ``$CNN_HAND_IN``, else ``hand-in.toml``."""
    return _place("CNN_HAND_IN", "hand-in.toml")


def _place(variable: str, usual: str) -> Path:
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
    untouched. The bytes are on disk before the name changes. What processes that
    were killed on this machine have left of ``path`` goes. Raises as ``writing``.
    """
    with writing(path):
        if path.exists() and not path.is_file():
            raise FileExistsError(errno.EEXIST, "it is no file", str(path))
    path = path.resolve()  # a link stays one
    own = f".{path.name}.{platform.node()}"
    name = f"{own}.{os.getpid()}.{secrets.token_hex(4)}.part"
    temporary = path.with_name(name)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            for part in path.parent.glob(f"{escape(own)}.*.*.part"):
                if not psutil.pid_exists(int(part.name.split(".")[-3])):
                    part.unlink(missing_ok=True)
            yield temporary
            with temporary.open("r+b") as written:  # Windows wants it writable
                os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):  # a disk that is read-only says so here too
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file, as ``write_atomic`` does."""
    with write_atomic(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Explains why a block cannot write the file or folder ``path``.

    Raises:
        WriteError: the disk is full, or what is there may not be written to.
    """
    try:
        yield
    except OSError as error:
        # A full disk names no file; a file elsewhere is another matter.
        there = Path(error.filename or path)
        near = there.is_relative_to(path.parent) or path.is_relative_to(there)
        advice = [text for text, numbers in ADVICE.items() if error.errno in numbers]
        if not near or not advice:
            raise
        raise WriteError(
            f"{path} cannot be written ({error.strerror}). {advice[0]}, or name "
            "another place (CNN_EXPORTS for runs, CNN_DATA for data)."
        ) from error
