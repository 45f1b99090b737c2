"""Folders that are whole or not there: made beside their place, then renamed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.base.errors import DataError


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes ``folder`` only if the block succeeds.

    When another process was faster, its folder stays: both were to hold the same.

    Raises:
        DataError: the disk is full or not writable.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=folder.parent,
            prefix=f".{folder.name}.",
            suffix=".part",
            ignore_cleanup_errors=True,
        ) as temporary:
            made = Path(temporary) / folder.name
            made.mkdir()
            yield made
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():  # else another process came first
                    raise
    except OSError as error:
        raise DataError(
            f"{folder} could not be written ({error}); nothing half-made was left "
            "there. Free some space, or set CNN_DATA to a folder on another disk."
        ) from error


def fill_once(
    folder: Path, fill: Callable[[Path], None], *, marker: str, text: str
) -> None:
    """Has ``fill`` fill ``folder``, unless this version is already there.

    The file ``marker`` in the folder holds ``text``, which tells the version; a
    DataError says that the folder is not ours.
    """
    if folder.exists():  # whole, since staged
        if not (folder / marker).is_file():
            raise DataError(
                f"{folder} is to be generated but holds something else (it has no "
                f"{marker}): move it away, and it is made when it is next needed."
            )
        if (folder / marker).read_text(encoding="utf-8") == text:
            return
        shutil.rmtree(folder)  # of another version
    with staged(folder) as temporary:
        fill(temporary)
        (temporary / marker).write_text(text, encoding="utf-8")
