"""FaceScrub's faces, gathered: pictures downloaded and verified, faces cut out of them.

Most pictures have been taken off the web since, so a loss is no error: each is written
to ``lost.csv`` with its cause.
"""

from __future__ import annotations

import hashlib
import io
import ipaddress
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple, dataclass
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import pandas as pd
import requests
from PIL import Image
from tqdm.std import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from helpers import __version__
from helpers.base.errors import DataError
from helpers.base.files import write_atomic
from helpers.data.images import open_image
from helpers.data.sets.facescrub import (
    ACTORS,
    COLUMNS,
    MANIFEST,
    Face,
    check_counts,
    read_lists,
)

LOST = "lost.csv"
MAX_SIDE = 176  # of a face, in pixels; smaller ones stay as they are
MAX_REDIRECTS = 10
CHUNK = 1 << 16
HEADERS = {
    "User-Agent": f"cnn-course-notebooks/{__version__} (a course's exercise)",
    "Accept-Encoding": "identity",  # pictures are compressed already
}


class Cause(StrEnum):
    """Why a face is lost; asking again may help with the first three."""

    SERVER = "server error"
    TIMEOUT = "time-out"
    CONNECTION = "connection"
    MALFORMED = "malformed line"
    BAD_BOX = "bad box"
    BAD_ADDRESS = "bad address"
    NOT_FOUND = "not found"
    REFUSED = "refused"
    TOO_LARGE = "too large"
    WRONG_HASH = "wrong hash"
    NO_IMAGE = "not an image"


MAY_PASS = (Cause.SERVER, Cause.TIMEOUT, Cause.CONNECTION)


class LostError(Exception):
    """A picture or face that is not to be had."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail = cause, detail


class Loss(NamedTuple):
    """A row of ``lost.csv``."""

    actor: str
    face_id: str
    cause: str
    detail: str
    url: str


@dataclass(frozen=True)
class Limits:
    """What a download may cost."""

    timeout: float = 10  # seconds for a connection, and without a byte
    deadline: float = 60  # seconds for one attempt, redirects included
    max_bytes: int = 32 << 20
    retries: int = 2  # of what may pass
    pause: float = 1  # seconds before the first retry; twice as many before the next
    workers: int = 32  # downloads side by side


def collect_faces(folder: Path, limits: Limits | None = None) -> None:
    """Gathers the faces; takes up what an earlier call began and prints a report.

    What is there or lost for good is not asked for again; what may pass is.

    Args:
        folder: holds FaceScrub's two lists; gets ``faces/<actor>/*.jpg``, ``lost.csv``
            and, once there are 72 faces of every actor, ``manifest.csv``.
        limits: what the downloads may cost.

    Raises:
        DataError: a list is missing, an actor has too few faces, or the disk is full.
    """
    try:
        faces, malformed = read_lists(folder)
        losses = [Loss("", "", Cause.MALFORMED, line, "") for line in malformed]
        missing = {
            (face.face_id, face.url): face
            for face in faces
            if not (folder / face.file).is_file()
        }
        gone = {
            (loss.face_id, loss.url): loss
            for loss in read_losses(folder)
            if loss.cause not in MAY_PASS
        }
        losses += [gone[key] for key in missing if key in gone]
        wanted = [face for key, face in missing.items() if key not in gone]
        _gather(folder, wanted, losses, limits or Limits())
        kept = [face for face in faces if (folder / face.file).is_file()]
        tqdm.write(report(kept, losses))
        check_counts(folder)
        rows = sorted((face.file, *astuple(face)) for face in kept)
        _write_csv(folder / MANIFEST, ("file", *COLUMNS), rows)
    except OSError as error:
        raise DataError(
            f"{folder} could not be read or written ({error}). Free some space, or "
            "mend what is in the way, and fetch again: what is already there stays."
        ) from error


def report(kept: Iterable[Face], losses: Iterable[Loss]) -> str:
    """What was kept of each actor, and what was lost for which cause, most first."""
    counts = Counter(ACTORS[face.actor] for face in kept)
    causes = Counter(loss.cause for loss in losses)
    total, lost = counts.total(), causes.total()
    again = sum(causes[cause] for cause in MAY_PASS)
    lines = (
        f"FaceScrub: {total:,} faces kept, {lost:,} lost ({LOST} lists them)",
        *(f"  {cause:<15} {count:>6,}" for cause, count in causes.most_common()),
        "  kept: " + ", ".join(f"{name} {counts[name]}" for name in ACTORS.values()),
        f"  {again:,} of the lost may come yet: move {MANIFEST} away and fetch again",
    )
    return "\n".join(lines)


def download(url: str, limits: Limits, stop: Event) -> bytes:
    """Downloads one file into memory; what may pass is tried again.

    Redirects are followed, but into a private network only if ``url`` itself is in one.
    Once ``stop`` is set, nothing more is waited for.

    Raises:
        LostError: the file is not to be had.
    """
    for attempt in range(limits.retries):
        try:
            return _attempt(url, limits, stop)
        except LostError as lost:
            if lost.cause not in MAY_PASS or stop.wait(limits.pause * 2**attempt):
                raise
    return _attempt(url, limits, stop)


class _Session(requests.Session):
    """Leaves redirects to us: requests would read their bodies whole."""

    def resolve_redirects(self, *_: Any, **__: Any) -> Any:
        return iter(())


def _attempt(url: str, limits: Limits, stop: Event) -> bytes:
    end, address = time.monotonic() + limits.deadline, url

    def check_time() -> None:
        if stop.is_set() or time.monotonic() > end:
            detail = f"not done within {limits.deadline:g} s"
            raise LostError(Cause.TIMEOUT, detail)

    try:
        with _Session() as session:
            for _ in range(MAX_REDIRECTS):
                with session.get(
                    address, timeout=limits.timeout, headers=HEADERS, stream=True
                ) as response:
                    location = session.get_redirect_target(response)
                    if location is None:
                        return _read(response, limits.max_bytes, check_time)
                address = urljoin(address, location)
                check_time()
                if _is_private(address) and not _is_private(url):
                    raise LostError(Cause.REFUSED, f"redirected to {address}")
    except (requests.Timeout, ReadTimeoutError) as error:
        detail = f"no answer within {limits.timeout:g} s"
        raise LostError(Cause.TIMEOUT, detail) from error
    except ValueError as error:  # an address that is none
        raise LostError(Cause.BAD_ADDRESS, str(error)) from error
    except (OSError, HTTPError) as error:  # OSError: all else that requests raises
        raise LostError(Cause.CONNECTION, str(error)) from error
    raise LostError(Cause.REFUSED, "redirects without end")


def _is_private(address: str) -> bool:
    """Whether the host is this machine or in a network that is not the internet."""
    try:
        found = socket.getaddrinfo(urlsplit(address).hostname, None)
    except socket.gaierror:  # known to a proxy, perhaps
        return False
    return not all(ipaddress.ip_address(entry[4][0]).is_global for entry in found)


def _read(
    response: requests.Response, max_bytes: int, check_time: Callable[[], None]
) -> bytes:
    if (status := response.status_code) != requests.codes.ok:
        causes = {404: Cause.NOT_FOUND, 410: Cause.NOT_FOUND}
        causes |= {408: Cause.SERVER, 429: Cause.SERVER}
        cause = Cause.SERVER if status >= 500 else causes.get(status, Cause.REFUSED)
        raise LostError(cause, f"HTTP {status} {response.reason}".strip())
    content = bytearray()
    # Piece by piece: waiting for a full buffer, a server that drips is never left.
    while piece := response.raw.read1(CHUNK, decode_content=True):
        content += piece
        if len(content) > max_bytes:
            raise LostError(Cause.TOO_LARGE, f"more than {max_bytes:,} bytes")
        check_time()
    return bytes(content)


def decode(content: bytes, sha256: str) -> Image.Image:
    """The picture in a file, grayscale or RGB, as stored: boxes do not know of EXIF."""
    if (found := hashlib.sha256(content).hexdigest()) != sha256.lower():
        raise LostError(Cause.WRONG_HASH, f"another file, with SHA-256 {found}")
    try:
        picture = open_image(io.BytesIO(content))
        return picture.convert("L" if picture.mode in {"1", "L"} else "RGB")
    except ValueError as error:
        raise LostError(Cause.NO_IMAGE, f"no whole image ({error})") from error


def cut_out(picture: Image.Image, bbox: str) -> Image.Image:
    """The face in a picture: cropped, and shrunk to 176 pixels if it is larger."""
    x1, y1, x2, y2 = map(int, bbox.split(","))
    if not (0 <= x1 < x2 <= picture.width and 0 <= y1 < y2 <= picture.height):
        size = f"{picture.width}×{picture.height}"
        detail = f"the box {bbox} is empty or outside the picture of {size}"
        raise LostError(Cause.BAD_BOX, detail)
    face = picture.crop((x1, y1, x2, y2))
    face.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return face


def read_losses(folder: Path) -> list[Loss]:
    """What an earlier call has written to ``lost.csv``."""
    if not (folder / LOST).is_file():
        return []
    table = pd.read_csv(folder / LOST, dtype=str, keep_default_na=False)
    return list(map(Loss._make, table.itertuples(index=False)))


def _write_csv(
    path: Path, columns: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> None:
    with write_atomic(path) as temporary:
        pd.DataFrame(rows, columns=list(columns)).to_csv(temporary, index=False)


def _gather(
    folder: Path, wanted: Iterable[Face], losses: list[Loss], limits: Limits
) -> None:
    """Fetches the faces ``wanted``; adds what is lost to ``losses``, also on disk."""
    pictures: dict[tuple[str, str], list[Face]] = {}
    for face in wanted:
        pictures.setdefault((face.url, face.sha256), []).append(face)
    stop, pool = Event(), ThreadPoolExecutor(limits.workers)
    try:
        futures = [
            pool.submit(_fetch, folder, faces, limits, stop)
            for faces in pictures.values()
        ]
        done = as_completed(futures)
        for future in tqdm(done, "FaceScrub", total=len(futures), unit="picture"):
            losses += future.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        _write_csv(folder / LOST, Loss._fields, losses)


def _fetch(
    folder: Path, faces: Sequence[Face], limits: Limits, stop: Event
) -> list[Loss]:
    """Fetches one picture and keeps the faces in it; returns those that are lost."""

    def loss(face: Face, lost: LostError) -> Loss:
        return Loss(face.actor, face.face_id, lost.cause, lost.detail, face.url)

    try:
        picture = decode(download(faces[0].url, limits, stop), faces[0].sha256)
    except LostError as lost:
        return [loss(face, lost) for face in faces]
    losses = []
    for face in faces:
        try:
            image = cut_out(picture, face.bbox)
        except LostError as lost:
            losses.append(loss(face, lost))
        else:
            with write_atomic(folder / face.file) as temporary:
                image.save(temporary, "JPEG", quality=95)
    return losses
