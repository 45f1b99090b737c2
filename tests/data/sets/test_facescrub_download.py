from __future__ import annotations

import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import pytest
from website import (
    Page,
    Website,
    at_first,
    content,
    cut_off,
    cut_off_chunk,
    drip,
    hang,
    redirect,
    status,
)

from helpers.data.sets import facescrub_fetch
from helpers.data.sets.facescrub_fetch import LostError, download

is_private = facescrub_fetch._is_private  # that of the tests knows nothing private
BODY = bytes(range(256)) * 40


def limit(monkeypatch: pytest.MonkeyPatch, **limits: object) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(facescrub_fetch, name, value)


def lost(url: str) -> tuple[str, str]:
    with pytest.raises(LostError) as caught:
        download(url)
    return caught.value.cause, caught.value.detail


def test_a_file_arrives_whole(website: Website) -> None:
    assert download(website.put("/a.jpg", BODY)) == BODY


def test_redirects_are_followed(website: Website) -> None:
    website.put("/new.jpg", BODY)
    assert download(website.put("/old.jpg", redirect("/new.jpg"))) == BODY


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
    assert download(website.put("/old.jpg", endless)) == BODY
    assert len(sent) < 100


def test_a_redirect_into_a_private_network_is_refused(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    website.put("/new.jpg", BODY)
    url = website.put("/old.jpg", redirect(f"{website.address}/new.jpg"))
    answers = iter([False, True])  # of the first connection, and of the second
    monkeypatch.setattr(facescrub_fetch, "_is_private", lambda _: next(answers))
    assert lost(url) == ("private", "leads to 127.0.0.1")
    assert website.requests == ["/old.jpg"]


def test_this_machine_is_not_asked(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facescrub_fetch, "_is_private", is_private)
    url = website.put("/a.jpg", BODY)
    assert lost(url) == ("private", "leads to 127.0.0.1")
    assert website.requests == []


def test_a_proxy_may_be_on_this_machine(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facescrub_fetch, "_is_private", is_private)
    monkeypatch.setenv("http_proxy", website.address)
    website.put("http://pictures.test/a.jpg", BODY)
    assert download("http://pictures.test/a.jpg") == BODY


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("192.168.0.1", True), ("8.8.8.8", False)],
)
def test_private_hosts(host: str, expected: bool) -> None:
    assert is_private(host) == expected


def test_the_deadline_counts_over_redirects(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.15)
        redirect("/a.jpg")(handler)

    limit(monkeypatch, DEADLINE=0.4)
    assert lost(website.put("/a.jpg", slow)) == (
        "connection",
        "not done within 0.4 s",
    )
    assert website.asked("/a.jpg") <= 4


def test_redirects_without_end(website: Website) -> None:
    url = website.put("/a.jpg", redirect("/a.jpg"))
    assert lost(url)[1] == "Exceeded 10 redirects."
    assert website.asked("/a.jpg") == 1 + facescrub_fetch.MAX_REDIRECTS


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (404, "HTTP 404"),
        (403, "HTTP 403"),
        (204, "HTTP 204"),
        (503, "HTTP 503"),
    ],
)
def test_what_a_server_answers_is_told_apart(
    website: Website, code: int, cause: str
) -> None:
    assert lost(website.put("/a.jpg", status(code)))[0] == cause


@pytest.mark.parametrize("page", [cut_off(BODY), cut_off_chunk(BODY)])
def test_a_connection_that_is_cut(website: Website, page: Page) -> None:
    assert lost(website.put("/a.jpg", page))[0] == "connection"


@pytest.mark.usefixtures("website")
def test_nobody_there() -> None:
    assert lost("http://127.0.0.1:9/a.jpg")[0] == "connection"


def test_a_server_that_hangs(website: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, TIMEOUT=0.2)
    url = website.put("/a.jpg", hang(website))
    cause, detail = lost(url)
    assert cause == "connection"
    assert "Read timed out" in detail


@pytest.mark.parametrize(
    "beginning",
    [
        None,  # of the content
        b"HTTP/1.0 200 OK\r\n\r\n",  # of content whose length nobody knows
        b"HTTP/1.0 200 OK\r\nETag: ",  # of a header
        b"",  # of the status
    ],
)
def test_a_server_that_drips(
    website: Website, monkeypatch: pytest.MonkeyPatch, beginning: bytes | None
) -> None:
    limit(monkeypatch, DEADLINE=0.2)
    url = website.put("/a.jpg", drip(website, beginning))
    assert lost(url) == ("connection", "not done within 0.2 s")


@pytest.mark.parametrize("page", [status(503), status(429), cut_off(BODY)])
def test_what_may_pass_is_tried_again(website: Website, page: Page) -> None:
    twice = at_first(page, at_first(page, content(BODY)))
    assert download(website.put("/a.jpg", twice)) == BODY
    assert website.asked("/a.jpg") == 3


def test_what_does_not_pass_is_lost(website: Website) -> None:
    assert lost(website.put("/gone.jpg", status(404)))[0] == "HTTP 404"
    assert website.asked("/gone.jpg") == 1
    assert lost(website.put("/down.jpg", status(503)))[0] == "HTTP 503"
    assert website.asked("/down.jpg") == 3


def test_no_attempt_is_made_after_the_deadline(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, PAUSES=(100,))
    assert lost(website.put("/down.jpg", status(503)))[0] == "HTTP 503"
    assert website.asked("/down.jpg") == 1


def test_a_file_that_is_too_large(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, MAX_BYTES=100_000)
    url = website.put("/a.jpg", bytes(100_001))
    assert lost(url) == ("too large", "more than 100,000 bytes")


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
@pytest.mark.usefixtures("website")
def test_an_address_that_is_none(url: str) -> None:
    assert lost(url)[0] == "connection"


def test_who_asks_is_said(website: Website) -> None:
    agents = []

    def page(handler: BaseHTTPRequestHandler) -> None:
        agents.append(handler.headers["User-Agent"])
        content(BODY)(handler)

    download(website.put("/a.jpg", page))
    assert agents[0].startswith("cnn-course-notebooks/")
