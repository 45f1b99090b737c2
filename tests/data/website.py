"""A website on this machine, with pages that behave as pictures on the web do."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Page = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Website:
    """What it serves by path; a path that is not here is answered with 404."""

    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)  # the paths asked for
    address: str = ""
    closing: threading.Event = field(default_factory=threading.Event)  # ends what hangs

    def put(self, path: str, page: bytes | Page) -> str:
        """Serves a page (or a file's content) at ``path``; returns its address."""
        self.pages[path] = content(page) if isinstance(page, bytes) else page
        return self.address + path

    def asked(self, path: str) -> int:
        return Counter(self.requests)[path]


@contextmanager
def serve() -> Iterator[Website]:
    website = Website()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            website.requests.append(self.path)
            website.pages.get(self.path, status(404))(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # no connection waits for another

    with Server(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(
            target=http.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        website.address = f"http://127.0.0.1:{http.server_port}"
        try:
            yield website
        finally:
            website.closing.set()
            http.shutdown()
            thread.join()


def content(body: bytes, *, stated: int | None = None, code: int = 200) -> Page:
    """``body``, with another length stated than it has if so wished."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header(
            "Content-Length", str(len(body) if stated is None else stated)
        )
        handler.end_headers()
        handler.wfile.write(body)

    return page


def status(code: int) -> Page:
    return content(b"<html>no such thing</html>", code=code)


def cut_off(body: bytes) -> Page:
    """Breaks off in mid-file."""
    return content(body[: len(body) // 2], stated=len(body))


def cut_off_chunk(body: bytes) -> Page:
    """Breaks off in mid-file, whose length was never stated."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(f"{len(body):x}\r\n".encode() + body[: len(body) // 2])

    return page


def redirect(address: str) -> Page:
    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.end_headers()

    return page


def hang(website: Website) -> Page:
    """Accepts the question and never answers."""

    def page(_: BaseHTTPRequestHandler) -> None:
        website.closing.wait(60)

    return page


def held(page: Page, released: threading.Event) -> Page:
    """``page``, but not before it is released."""

    def waiting(handler: BaseHTTPRequestHandler) -> None:
        released.wait(60)
        page(handler)

    return waiting


def drip(website: Website, beginning: bytes | None = None) -> Page:
    """Sends a byte now and then, for ever: of a file's content, or of what goes on from
    another ``beginning`` of the answer.
    """

    def page(handler: BaseHTTPRequestHandler) -> None:
        ok = b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        handler.wfile.write(ok if beginning is None else beginning)
        while not website.closing.is_set():
            try:
                handler.wfile.write(b"x")
            except OSError:  # nobody listens any more
                return
            time.sleep(0.02)

    return page


def at_first(first: Page, then: Page) -> Page:
    """``first`` once, and ``then`` ever after."""
    pages = iter([first])

    def page(handler: BaseHTTPRequestHandler) -> None:
        next(pages, then)(handler)

    return page
