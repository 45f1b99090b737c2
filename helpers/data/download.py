"""Data sets laid out, from official archives or from the user's download."""

from pathlib import Path

import pooch

from helpers.base.errors import DataError, explained
from helpers.base.files import data_dir, writing
from helpers.data.catalogue import find_data_set, load_data
from helpers.data.staging import staged

RETRIES = 3  # pooch waits one second before the first, two before the second, …
TIMEOUT = 30  # seconds without a byte


def fetch(name: str) -> Path:
    """Downloads and lays out a data set, or reads the one there; returns its folder.

    What was downloaded and verified before a failure is kept for the next attempt; of
    FaceScrub, what was lost is asked for again.

    Raises:
        DataError: there is no official archive, the download fails or has another
            SHA-256, it cannot be laid out, or what is there is broken.
    """
    data_set = find_data_set(name)
    if data_set.collect is not None:
        data_set.collect(data_set.path)
    if data_set.present:
        load_data(name, "real")
        return data_set.path
    if data_set.convert is None or not data_set.archives:
        raise DataError(
            f"{name} has no official archive to download: {data_set.advice}."
        )
    files = [_download(url, sha256) for url, sha256 in data_set.archives.items()]
    with staged(data_set.path) as folder:
        for file in files:
            data_set.convert(file, folder)
    for file in files:
        file.unlink(missing_ok=True)  # another process may be at it
    return data_set.path


def convert(name: str, source: Path) -> Path:
    """Lays out a data set from a download; returns its folder.

    ``source`` is an archive, or the folder it unpacks to; it stays as it is.

    Raises:
        DataError: the set is not made of a download, cannot be laid out of this one, or
            is there.
    """
    data_set = find_data_set(name)
    if data_set.convert is None or data_set.archives:
        raise DataError(
            f"{name} is not made of a download of yours: {data_set.advice}."
        )
    if not source.exists():
        raise DataError(
            f"{source} is not there. Expected the downloaded archive, or the folder it "
            "unpacks to."
        )
    if data_set.present:
        raise DataError(f"{data_set.path} is there already: move it away first.")
    with staged(data_set.path) as folder:
        data_set.convert(source, folder)
    return data_set.path


def _download(url: str, sha256: str) -> Path:
    """Pooch keeps a verified file that is there; a wrong one never gets its name."""
    folder, name = data_dir() / ".downloads", url.rpartition("/")[2]
    files = pooch.create(
        path=folder,
        base_url="",
        registry={name: f"sha256:{sha256}"},
        urls={name: url},
        retry_if_failed=RETRIES,
    )
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT)
    advice = (
        f"Expected a file with SHA-256 {sha256}. Try again, or put it there by other "
        f"means: {folder / name}."
    )
    with (
        explained(DataError, f"{url} could not be downloaded", advice),
        writing(folder),
    ):
        return Path(files.fetch(name, downloader=downloader))
