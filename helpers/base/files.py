"""Where things lie, and how a file is written: whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    untouched. The bytes are on disk before the name changes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
