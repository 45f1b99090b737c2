"""The gallery as a reader has it: in a browser that is cut off from the network, by
mouse and by keyboard.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from helpers.handin.gallery import write_gallery

api = pytest.importorskip(
    "playwright.sync_api", reason="needs Playwright, which drives the browser"
)
CHROMIUM = (
    shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
if CHROMIUM is None:
    pytest.skip("needs Chromium, which shows the page", allow_module_level=True)

Open = Callable[..., "api.Page"]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[api.Browser]:
    # No longer than these tests: while Playwright runs, nothing else in this process
    # can use asyncio.
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def site(every_state: None) -> str:
    return write_gallery().as_uri()


@pytest.fixture
def open_page(browser: api.Browser, site: str) -> Iterator[Open]:
    """Opens the page in a context with these options; in the end, nothing may have gone
    wrong or to the network.
    """
    contexts, troubles, addresses = [], [], []

    def note_failure(request: api.Request) -> None:
        # A lazy image is still on its way when a test leaves the page: the browser
        # aborts its request, and nothing is wrong with it.
        if request.failure != "net::ERR_ABORTED":
            troubles.append(f"{request.failure}: {request.url[:200]}")

    def open_(anchor: str = "", **options: object) -> api.Page:
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", note_failure)
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(site + anchor)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []
    assert addresses
    assert {urlparse(address).scheme for address in addresses} == {"file"}


def test_every_link_opens(open_page: Open, site: str) -> None:
    page = open_page()
    links = page.locator("a").evaluate_all("(links) => links.map((link) => link.href)")
    files = [link for link in links if "#" not in link]
    assert len(files) == 5 * 4
    for link in files:
        assert link.startswith(site.removesuffix("index.html"))
        assert Path(unquote(urlparse(link).path)).stat().st_size > 0
    for link in files:
        if link.endswith(".html"):
            page.goto(link)
            assert page.title() == "run"
    for link in set(links) - set(files):
        page.goto(link)
        assert page.locator(f'[id="{urlparse(link).fragment}"]').count() == 1


def test_links_have_names_of_their_own(open_page: Open) -> None:
    page = open_page()
    found = re.findall(r'- link "(.+)"', page.locator("body").aria_snapshot())
    assert len(found) == page.locator("a").count() == len(set(found))
    assert "Web page of caltech101/01_judged" in found


def test_the_page_has_landmarks_and_headings_in_order(open_page: Open) -> None:
    page = open_page()
    for role in ("banner", "navigation", "main"):
        assert page.get_by_role(role).count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all(
        "(all) => all.map((heading) => Number(heading.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.get_by_role("article", name="All about course/01_drawn").count() == 1


def test_all_images_are_loaded_and_described(open_page: Open) -> None:
    page = open_page()
    images = page.locator("img")
    assert images.count() == 4
    for image in images.all():
        image.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.images].every((one) => one.complete && one.naturalWidth > 0)"
    )
    assert all(images.evaluate_all("(all) => all.map((image) => image.alt)"))


def test_the_findings_open_by_keyboard(open_page: Open) -> None:
    page = open_page()
    details = page.locator("details").first
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    api.expect(details).to_have_attribute("open", "")
    api.expect(details.get_by_role("table")).to_be_visible()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_sticks_out(open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 740})
    page.locator("summary").evaluate_all(
        "(all) => all.forEach((summary) => summary.click())"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = (
        "(all) => all.filter((part) => part.scrollWidth > "
        "part.clientWidth).map((part) => part.textContent)"
    )
    assert page.locator("li").evaluate_all(beyond) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_readers_scheme(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    ink = page.evaluate("getComputedStyle(document.body).color")
    brightness = sum(map(int, re.findall(r"\d+", ink)[:3])) / 3
    assert brightness < 60 if scheme == "light" else brightness > 200
