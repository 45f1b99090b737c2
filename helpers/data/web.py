"""One file from the web, within limits: how long it may take, how large it may be, how
often it is asked for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from threading import Event

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from helpers import __version__

HEADERS = {
    "User-Agent": f"cnn-course-notebooks/{__version__} (a course's exercise; python-requests)",
    "Accept-Encoding": "identity",  # pictures are compressed already
}
CHUNK = 1 << 16


class Cause(StrEnum):
    """Why something that was wanted from the web is lost."""

    MALFORMED = "malformed line"
    BAD_BOX = "bad box"
    BAD_ADDRESS = "bad address"
    NOT_FOUND = "not found"
    REFUSED = "refused"
    SERVER = "server error"
    TIMEOUT = "time-out"
    CONNECTION = "connection"
    TOO_LARGE = "too large"
    WRONG_HASH = "wrong hash"
    NO_IMAGE = "not an image"

    @property
    def may_pass(self) -> bool:
        """Whether asking again may help."""
        return self in {Cause.SERVER, Cause.TIMEOUT, Cause.CONNECTION}


class LostError(Exception):
    """Something from the web that is not to be had.

    Args:
        cause: the kind of failure.
        detail: what exactly happened, in a few words.
    """

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail = cause, detail


@dataclass(frozen=True)
class Limits:
    """What a download may cost.

    Attributes:
        timeout: seconds for a connection, and without a byte.
        deadline: seconds for one file.
        max_bytes: size of one file.
        retries: how often to ask again after what may pass.
        pause: seconds before the first of them; twice as many before the next.
        workers: downloads side by side.
    """

    timeout: float = 10
    deadline: float = 60
    max_bytes: int = 32 << 20
    retries: int = 2
    pause: float = 1
    workers: int = 32


def download(url: str, limits: Limits, stop: Event) -> bytes:
    """Downloads one file into memory; what may pass is tried again.

    Args:
        url: http or https; redirects are followed.
        limits: what it may cost.
        stop: once set, nothing more is waited for.

    Raises:
        LostError: the file is not to be had.
    """
    for attempt in range(limits.retries):
        try:
            return _attempt(url, limits, stop)
        except LostError as lost:
            if not lost.cause.may_pass or stop.wait(limits.pause * 2**attempt):
                raise
    return _attempt(url, limits, stop)


def _attempt(url: str, limits: Limits, stop: Event) -> bytes:
    try:
        with requests.get(
            url, timeout=limits.timeout, headers=HEADERS, stream=True
        ) as response:
            _check_status(response)
            return _read(response, limits, stop)
    except (requests.Timeout, ReadTimeoutError) as error:
        raise LostError(
            Cause.TIMEOUT, f"no answer within {limits.timeout:g} s"
        ) from error
    except requests.TooManyRedirects as error:
        raise LostError(Cause.REFUSED, "redirects without end") from error
    except (
        ValueError
    ) as error:  # requests' and urllib3's own for an address that is none
        raise LostError(Cause.BAD_ADDRESS, str(error)) from error
    except (
        OSError,
        HTTPError,
    ) as error:  # OSError is the root of all that requests raises
        raise LostError(Cause.CONNECTION, str(error)) from error


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status == requests.codes.ok:
        return
    if status in {404, 410}:
        cause = Cause.NOT_FOUND
    else:
        cause = Cause.SERVER if status >= 500 or status in {408, 429} else Cause.REFUSED
    raise LostError(cause, f"HTTP {status} {response.reason}".strip())


def _read(response: requests.Response, limits: Limits, stop: Event) -> bytes:
    end = time.monotonic() + limits.deadline
    content = bytearray()
    # Whatever has arrived, piece by piece: waiting for a full buffer, a server that
    # drips would never be left.
    while piece := response.raw.read1(CHUNK, decode_content=True):
        content += piece
        if len(content) > limits.max_bytes:
            raise LostError(Cause.TOO_LARGE, f"more than {limits.max_bytes:,} bytes")
        if stop.is_set() or time.monotonic() > end:
            raise LostError(Cause.TIMEOUT, f"not done within {limits.deadline:g} s")
    return bytes(content)
