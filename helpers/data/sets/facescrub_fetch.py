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
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import pandas as pd
import requests
from PIL import Image
from tqdm.std import tqdm
from urllib3.exceptions import HTTPError

from helpers import __version__
from helpers.base.errors import DataError
from helpers.base.files import write_atomic
from helpers.data.images import open_image
from helpers.data.sets.facescrub import ACTORS, Face, check_counts, read_lists

LOST = "lost.csv"
MAX_SIDE = 176  # of a face, in pixels; smaller ones stay as they are
HEADERS = {"User-Agent": f"cnn-course-notebooks/{__version__} (a course's exercise)"}

# What a download may cost.
TIMEOUT = 10  # seconds for a connection, and without a byte
DEADLINE = 60  # seconds in all, redirects included
MAX_BYTES = 32 << 20
MAX_REDIRECTS = 10
WORKERS = 32  # downloads side by side


class LostError(Exception):
    """A picture or face that is not to be had."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail = cause, detail


class Loss(NamedTuple):
    """A row of ``lost.csv``."""

    actor: str
    face_id: str
    cause: str
    detail: str
    url: str


def collect_faces(folder: Path) -> None:
    """Gathers the faces that are not there yet, and prints a report.

    Args:
        folder: holds FaceScrub's two lists; gets ``faces/<actor>/*.jpg`` and
            ``lost.csv``.

    Raises:
        DataError: a list is missing, an actor has too few faces, or the disk is full.
    """
    try:
        faces, malformed = read_lists(folder)
        losses = [Loss("", "", "malformed line", line, "") for line in malformed]
        pool = ThreadPoolExecutor(WORKERS)
        try:
            futures = {
                pool.submit(_fetch, folder, face): face
                for face in faces
                if not (folder / face.file).is_file()
            }
            done = as_completed(futures)
            for future in tqdm(done, "FaceScrub", total=len(futures), unit="face"):
                face = futures[future]
                try:
                    future.result()
                except LostError as lost:
                    why = lost.cause, lost.detail
                    losses.append(Loss(face.actor, face.face_id, *why, face.url))
        finally:
            pool.shutdown(cancel_futures=True)
        with write_atomic(folder / LOST) as temporary:
            table = pd.DataFrame(losses, columns=list(Loss._fields))
            table.to_csv(temporary, index=False)
        tqdm.write(report([f for f in faces if (folder / f.file).is_file()], losses))
        check_counts(folder)
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
    lines = (
        f"FaceScrub: {total:,} faces kept, {lost:,} lost ({LOST} lists them)",
        *(f"  {cause:<15} {count:>6,}" for cause, count in causes.most_common()),
        "  kept: " + ", ".join(f"{name} {counts[name]}" for name in ACTORS.values()),
        "  fetch again to ask once more for what was lost",
    )
    return "\n".join(lines)


def download(url: str) -> bytes:
    """Downloads one file into memory; raises a LostError if it is not to be had.

    Redirects are followed, but into a private network only if ``url`` itself is in one.
    """
    end = time.monotonic() + DEADLINE

    def check(response: requests.Response, *_: object, **__: object) -> None:
        if time.monotonic() > end:
            raise LostError("connection", f"not done within {DEADLINE:g} s")
        if response.is_redirect:
            response.close()  # or its body, perhaps without end, would be read
            target = urljoin(response.url, response.headers["Location"])
            if _is_private(target) and not _is_private(url):
                raise LostError("private", f"redirected to {target}")

    try:
        with requests.Session() as session:
            session.max_redirects = MAX_REDIRECTS
            session.headers.update(HEADERS)
            session.hooks["response"].append(check)
            with session.get(url, timeout=TIMEOUT, stream=True) as response:
                return _read(response, check)
    except (OSError, HTTPError, ValueError) as error:  # all that requests raises
        raise LostError("connection", str(error)) from error


def _read(
    response: requests.Response, check: Callable[[requests.Response], None]
) -> bytes:
    if (status := response.status_code) != requests.codes.ok:
        raise LostError(f"HTTP {status}", response.reason)
    content = bytearray()
    # Piece by piece: waiting for a full buffer, a server that drips is never left.
    while piece := response.raw.read1(1 << 16, decode_content=True):
        content += piece
        if len(content) > MAX_BYTES:
            raise LostError("too large", f"more than {MAX_BYTES:,} bytes")
        check(response)
    return bytes(content)


def _is_private(address: str) -> bool:
    """Whether the host is this machine or in a network that is not the internet."""
    try:
        found = socket.getaddrinfo(urlsplit(address).hostname, None)
    except socket.gaierror:  # known to a proxy, perhaps
        return False
    return not all(ipaddress.ip_address(entry[4][0]).is_global for entry in found)


def decode(content: bytes, sha256: str) -> Image.Image:
    """The picture in a file, grayscale or RGB, as stored: boxes do not know of EXIF."""
    if (found := hashlib.sha256(content).hexdigest()) != sha256.lower():
        raise LostError("wrong hash", f"another file, with SHA-256 {found}")
    try:
        return open_image(io.BytesIO(content), upright=False)
    except DataError as error:
        why = f"no whole image ({error.__cause__})"
        raise LostError("not an image", why) from error


def cut_out(picture: Image.Image, bbox: str) -> Image.Image:
    """The face in a picture: cropped, and shrunk to 176 pixels if it is larger."""
    x1, y1, x2, y2 = map(int, bbox.split(","))
    if not (0 <= x1 < x2 <= picture.width and 0 <= y1 < y2 <= picture.height):
        size = f"{picture.width}×{picture.height}"
        detail = f"the box {bbox} is empty or outside the picture of {size}"
        raise LostError("bad box", detail)
    face = picture.crop((x1, y1, x2, y2))
    face.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return face


def _fetch(folder: Path, face: Face) -> None:
    image = cut_out(decode(download(face.url), face.sha256), face.bbox)
    with write_atomic(folder / face.file) as temporary:
        image.save(temporary, "JPEG", quality=95)
