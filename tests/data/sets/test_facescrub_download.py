from __future__ import annotations

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import pytest
from website import (
    Page,
    Website,
    content,
    cut_off,
    cut_off_chunk,
    drip,
    hang,
    in_turn,
    redirect,
    status,
)

from helpers.data.sets import facescrub_fetch
from helpers.data.sets.facescrub_fetch import (
    MAY_PASS,
    Cause,
    Limits,
    LostError,
    download,
)

LIMITS = Limits(timeout=10, deadline=20, max_bytes=100_000, retries=2, pause=0.01)
IMPATIENT = Limits(timeout=0.2, deadline=0.2, retries=1, pause=0.01)
BODY = bytes(range(256)) * 40


def get(url: str, limits: Limits = LIMITS) -> bytes:
    return download(url, limits, threading.Event())


def lost(url: str, limits: Limits = LIMITS) -> tuple[Cause, str]:
    with pytest.raises(LostError) as caught:
        get(url, limits)
    return caught.value.cause, caught.value.detail


def test_a_file_arrives_whole(website: Website) -> None:
    assert get(website.put("/a.jpg", BODY)) == BODY


def test_redirects_are_followed(website: Website) -> None:
    website.put("/new.jpg", BODY)
    assert get(website.put("/old.jpg", redirect("/new.jpg"))) == BODY


def test_the_body_of_a_redirect_is_not_read(website: Website) -> None:
    sent = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/new.jpg")
        handler.send_header("Content-Length", "999999999999")
        handler.end_headers()
        with suppress(OSError):  # nobody listens any more
            while len(sent) < 500:
                handler.wfile.write(bytes(1 << 20))
                sent.append(1)

    website.put("/new.jpg", BODY)
    assert get(website.put("/old.jpg", endless)) == BODY
    assert len(sent) < 100


def test_a_redirect_into_a_private_network_is_refused(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    website.put("/new.jpg", BODY)
    url = website.put("/old.jpg", redirect(f"{website.address}/new.jpg"))
    assert get(url) == BODY  # from a private address to another
    new = f"{website.address}/new.jpg"
    monkeypatch.setattr(facescrub_fetch, "_is_private", lambda address: address == new)
    assert lost(url) == (Cause.REFUSED, f"redirected to {new}")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("[::1]", True), ("192.168.0.1", True), ("8.8.8.8", False)],
)
def test_private_hosts(host: str, expected: bool) -> None:
    assert facescrub_fetch._is_private(f"http://{host}/a.jpg") == expected


def test_the_deadline_counts_over_redirects(website: Website) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.15)
        redirect("/a.jpg")(handler)

    limits = Limits(timeout=10, deadline=0.4, retries=0)
    assert lost(website.put("/a.jpg", slow), limits)[0] is Cause.TIMEOUT
    assert website.asked("/a.jpg") <= 4


def test_redirects_without_end(website: Website) -> None:
    url = website.put("/a.jpg", redirect("/a.jpg"))
    assert lost(url) == (Cause.REFUSED, "redirects without end")


@pytest.mark.parametrize(
    ("code", "cause", "requests"),
    [
        (404, Cause.NOT_FOUND, 1),
        (410, Cause.NOT_FOUND, 1),
        (403, Cause.REFUSED, 1),
        (204, Cause.REFUSED, 1),
        (429, Cause.SERVER, 3),
        (503, Cause.SERVER, 3),
    ],
)
def test_only_what_may_pass_is_asked_for_again(
    website: Website, code: int, cause: Cause, requests: int
) -> None:
    found, detail = lost(website.put("/a.jpg", status(code)))
    assert found is cause
    assert detail.startswith(f"HTTP {code}")
    assert website.asked("/a.jpg") == requests
    assert (cause in MAY_PASS) == (requests > 1)


@pytest.mark.parametrize("trouble", [status(500), cut_off(BODY), cut_off_chunk(BODY)])
def test_trouble_that_passes(website: Website, trouble: Page) -> None:
    assert get(website.put("/a.jpg", in_turn(trouble, trouble, content(BODY)))) == BODY
    assert website.asked("/a.jpg") == 3


@pytest.mark.parametrize("page", [cut_off(BODY), cut_off_chunk(BODY)])
def test_a_connection_that_is_always_cut(website: Website, page: Page) -> None:
    assert lost(website.put("/a.jpg", page))[0] is Cause.CONNECTION
    assert website.asked("/a.jpg") == 3


def test_nobody_there() -> None:
    assert lost("http://127.0.0.1:9/a.jpg")[0] is Cause.CONNECTION


def test_a_server_that_hangs(website: Website) -> None:
    assert lost(website.put("/a.jpg", hang(website)), IMPATIENT) == (
        Cause.TIMEOUT,
        "no answer within 0.2 s",
    )
    assert website.asked("/a.jpg") == 2


def test_a_server_that_drips(website: Website) -> None:
    limits = Limits(timeout=10, deadline=0.2, retries=0)
    assert lost(website.put("/a.jpg", drip(website)), limits) == (
        Cause.TIMEOUT,
        "not done within 0.2 s",
    )


def test_a_file_that_is_too_large(website: Website) -> None:
    url = website.put("/a.jpg", bytes(100_001))
    assert lost(url) == (Cause.TOO_LARGE, "more than 100,000 bytes")
    assert website.asked("/a.jpg") == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.jpg",
        "ftp://127.0.0.1/a.jpg",
        "file:///etc/passwd",
        "http://",
        "http://[::1/a",
    ],
)
def test_an_address_that_is_none(url: str) -> None:
    assert lost(url)[0] is Cause.BAD_ADDRESS


def test_who_asks_is_said(website: Website) -> None:
    agents = []

    def page(handler: BaseHTTPRequestHandler) -> None:
        agents.append(handler.headers["User-Agent"])
        content(BODY)(handler)

    get(website.put("/a.jpg", page))
    assert agents[0].startswith("cnn-course-notebooks/")


def test_nothing_is_waited_for_once_stopped(website: Website) -> None:
    stop = threading.Event()
    stop.set()
    started = time.monotonic()
    with pytest.raises(LostError):
        download(website.put("/a.jpg", status(503)), Limits(pause=60), stop)
    with pytest.raises(LostError):
        download(website.put("/b.jpg", drip(website)), Limits(pause=60), stop)
    assert time.monotonic() - started < 30
    assert website.requests == ["/a.jpg", "/b.jpg"]
