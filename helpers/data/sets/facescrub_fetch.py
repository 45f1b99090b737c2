"""FaceScrub's faces, gathered: pictures downloaded and verified, faces cut out of them.

Most pictures have been taken off the web since, so a loss is no error: each is written
to ``lost.csv`` with its cause.
"""

import hashlib
import io
import ipaddress
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import requests
from PIL import Image
from requests.utils import select_proxy
from tqdm.std import tqdm
from urllib3.exceptions import HTTPError

from helpers import __version__
from helpers.base.errors import DataError
from helpers.base.files import write_atomic
from helpers.data.images import open_image
from helpers.data.sets.facescrub import Face, check_counts, read_lists

LOST = "lost.csv"
COLUMNS = ["actor", "face_id", "cause", "detail", "url"]
MAX_SIDE = 176  # of a face, in pixels; smaller ones stay as they are
HEADERS = {"User-Agent": f"cnn-course-notebooks/{__version__} (a course's exercise)"}

# What a download may cost.
TIMEOUT = 10  # seconds for a connection, and without a byte
DEADLINE = 60  # seconds in all, redirects and further attempts included
PAUSES = (1, 2)  # seconds before a second and a third attempt
PASSING = {429, *range(500, 600)}  # statuses that are worth one
MAX_BYTES = 32 << 20
MAX_REDIRECTS = 10
WORKERS = 32  # downloads side by side


class LostError(Exception):
    """A picture or face that is not to be had."""

    def __init__(self, cause: str, detail: str, *, may_pass: bool = False) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail, self.may_pass = cause, detail, may_pass


def collect_faces(folder: Path) -> None:
    """Gathers the faces that are not there yet into ``<actor>/*.jpg``, and reports.

    FaceScrub's two lists lie beside ``folder``; so does ``lost.csv`` afterwards.

    Raises:
        DataError: a list is missing, or an actor has too few faces.
    """
    faces, malformed = read_lists(folder.parent)
    losses = [("", "", "malformed line", line, "") for line in malformed]
    missing = [face for face in faces if not (folder / face.file).is_file()]
    pool = ThreadPoolExecutor(WORKERS)
    try:
        done = as_completed([pool.submit(_fetch, folder, face) for face in missing])
        for future in tqdm(done, "FaceScrub", total=len(missing), unit="face"):
            losses += filter(None, [future.result()])
    finally:
        pool.shutdown(cancel_futures=True)
    with write_atomic(folder.with_name(LOST)) as temporary:
        table = pd.DataFrame(losses, columns=COLUMNS)
        table.to_csv(temporary, index=False)
    tqdm.write(report(sum((folder / f.file).is_file() for f in faces), table))
    check_counts(folder)


def report(kept: int, lost: pd.DataFrame) -> str:
    """How many faces were kept, and lost for which cause, most first."""
    causes = lost["cause"].value_counts().to_string(header=False) if len(lost) else ""
    return f"FaceScrub: {kept:,} faces kept, {len(lost):,} lost ({LOST})\n{causes}"


def download(url: str) -> bytes:
    """Downloads one file into memory; raises a LostError if it is not to be had.

    What may pass (a connection cut, HTTP 429 or 5xx) is tried again within the one
    deadline. No connection leads into a private network.
    """
    end = time.monotonic() + DEADLINE
    with requests.Session() as session:
        guard = _Guard(end)
        session.mount("http://", guard)
        session.mount("https://", guard)
        session.max_redirects = MAX_REDIRECTS
        session.headers.update(HEADERS)
        session.hooks["response"].append(_leave)
        for pause in PAUSES:
            try:
                return _ask(session, url, guard)
            except LostError as lost:
                if not lost.may_pass or time.monotonic() + pause >= end:
                    raise
            time.sleep(pause)
        return _ask(session, url, guard)


def _ask(session: requests.Session, url: str, guard: "_Guard") -> bytes:
    try:
        with session.get(url, timeout=TIMEOUT, stream=True) as response:
            if (status := response.status_code) != requests.codes.ok:
                passing = status in PASSING
                raise LostError(f"HTTP {status}", response.reason, may_pass=passing)
            content = bytearray()
            while piece := response.raw.read1(1 << 16, decode_content=True):
                content += piece
                if len(content) > MAX_BYTES:
                    raise LostError("too large", f"more than {MAX_BYTES:,} bytes")
            return bytes(content)
    except (ValueError, requests.TooManyRedirects) as error:  # no address, or a loop
        raise LostError("connection", str(error)) from error
    except (OSError, HTTPError) as error:  # all else that requests raises
        raise LostError("connection", str(error), may_pass=True) from error
    finally:
        guard.check()  # what was cut off may look whole


def _leave(response: requests.Response, **_: object) -> None:
    if response.is_redirect:
        response.close()  # or its body, perhaps without end, would be read


class _Guard(requests.adapters.HTTPAdapter):
    """Connects to nothing private, and cuts the connection at ``end``: the timeout of
    requests starts anew with each byte, of headers too.
    """

    def __init__(self, end: float) -> None:
        super().__init__()
        self.end, self.socket = end, socket.socket()
        self.timer = threading.Timer(end - time.monotonic(), self.cut)
        self.timer.start()

    def close(self) -> None:
        super().close()
        self.timer.cancel()
        self.socket.close()

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, *args, **options)
        proxy, guard = select_proxy(str(request.url), options["proxies"]), self

        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def _new_conn(self) -> socket.socket:
                connected: socket.socket = super()._new_conn()
                guard.socket.close()  # of what is left: there is one at a time
                guard.socket = connected.dup()  # TLS takes over the first
                address = connected.getpeername()[0]
                if _is_private(address) and not proxy:
                    raise LostError("private", f"leads to {address}")
                guard.check()
                return connected

        pool.ConnectionCls = Connection
        return pool

    def cut(self) -> None:
        with suppress(OSError):  # closed already
            self.socket.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        if time.monotonic() >= self.end:
            raise LostError("connection", f"not done within {DEADLINE:g} s")


def _is_private(address: str) -> bool:
    """Whether it is this machine, or in a network that is not the internet."""
    return not ipaddress.ip_address(address).is_global


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


def _fetch(folder: Path, face: Face) -> tuple[str, ...] | None:
    try:
        image = cut_out(decode(download(face.url), face.sha256), face.bbox)
    except LostError as lost:
        return face.actor, face.face_id, lost.cause, lost.detail, face.url
    with write_atomic(folder / face.file) as temporary:
        image.save(temporary, "JPEG", quality=95)
    return None
