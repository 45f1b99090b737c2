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

from helpers.handin.gallery.page import write_gallery

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
# The contrast of each text with what is behind it (WCAG 2.2, 1.4.3), where it is less
# than it has to be.
FAINT = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const channels = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => channels(color).slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (channels(color)[3] === 255) return color;
    }
    return "white";
  };
  const faint = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.matches("script, style")) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${element.className} ${element.textContent.trim()}`);
  }
  return faint;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[api.Browser]:
    # No longer than these tests: while Playwright runs, nothing else in this process
    # can use asyncio.
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def site(every_state: None, notebooks: Path) -> str:
    page, _ = write_gallery(folder=notebooks)
    return page.as_uri()


@pytest.fixture
def open_page(browser: api.Browser, site: str) -> Iterator[Open]:
    """Opens the page in a context with these options; in the end, nothing may have gone
    wrong or to the network.
    """
    contexts, troubles, addresses = [], [], []

    def open_(anchor: str = "", **options: object) -> api.Page:
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "requestfailed",
            lambda request: troubles.append(f"failed: {request.url[:200]}"),
        )
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(site + anchor)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []
    assert addresses
    assert {urlparse(address).scheme for address in addresses} <= {"file", "data"}


def names(page: api.Page) -> list[str]:
    """The notebooks whose cards can be seen."""
    return page.locator(".card:visible .name").all_inner_texts()


def said(page: api.Page) -> str:
    return str(page.get_by_role("status").inner_text())


def test_every_link_opens(open_page: Open, site: str) -> None:
    page = open_page()
    links = page.locator("a").evaluate_all("(links) => links.map((link) => link.href)")
    files = [link for link in links if "#" not in link]
    assert len(files) == 6 * 4 + 2 + 2
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
    assert "Web page of All about caltech101/01_met (caltech101/01_met)" in found


def test_the_page_has_landmarks_and_headings_in_order(open_page: Open) -> None:
    page = open_page()
    for role in ("banner", "form", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all(
        "(all) => all.map((heading) => Number(heading.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.get_by_role("article", name="All about course/01_drawn").count() == 1
    assert (
        page.get_by_role("group", name="Assignment").get_by_role("radio").count() == 3
    )


def test_all_images_are_loaded_and_described(open_page: Open) -> None:
    images = open_page().locator("img")
    assert images.count() == 5
    assert all(
        images.evaluate_all(
            "(all) => all.map((image) => image.complete && image.naturalWidth > 0)"
        )
    )
    assert all(images.evaluate_all("(all) => all.map((image) => image.alt)"))


def test_filters_by_mouse(open_page: Open) -> None:
    page = open_page()
    assert said(page) == "9 of 9 notebooks shown"
    page.get_by_role("radio", name="Caltech-101").check()
    assert len(names(page)) == 4
    assert page.locator("h2:visible").all_inner_texts() == ["Caltech-101", "To hand in"]
    page.get_by_role("radio", name="Reduced run").check()
    assert (names(page), said(page)) == (
        ["caltech101/04_reduced"],
        "1 of 9 notebooks shown",
    )
    page.get_by_role("radio", name="Still running").check()
    assert names(page) == []
    assert (
        said(page) == "None of 9 notebooks is both: choose another assignment or status"
    )
    page.get_by_role("button", name="Show all notebooks").click()
    api.expect(page.get_by_role("status")).to_have_text("9 of 9 notebooks shown")
    assert (len(names(page)), urlparse(page.url).fragment) == (9, "")


def test_filters_by_keyboard(open_page: Open) -> None:
    page = open_page()
    keys = page.keyboard
    keys.press("Tab")
    skip = page.get_by_role("link", name="Skip to the notebooks")
    api.expect(skip).to_be_focused()
    api.expect(skip).to_be_in_viewport()
    assert skip.evaluate("(link) => getComputedStyle(link).outlineStyle") == "solid"
    keys.press("Enter")
    api.expect(page.get_by_role("main")).to_be_focused()
    keys.press("Shift+Tab")
    api.expect(page.get_by_role("button")).to_be_focused()
    keys.press("Shift+Tab")
    api.expect(page.locator('[name="status"]:checked')).to_be_focused()
    keys.press("ArrowRight")
    assert names(page) == ["caltech101/01_met"]
    keys.press("Shift+Tab")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    assert (
        page.locator('[name="assignment"]:checked').get_attribute("value") == "course"
    )
    assert names(page) == []
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Space")
    api.expect(page.get_by_role("status")).to_have_text("9 of 9 notebooks shown")
    keys.press("Tab")
    api.expect(page.locator("summary").first).to_be_focused()
    keys.press("Enter")
    api.expect(page.locator("details").first).to_have_attribute("open", "")


def test_the_address_keeps_the_filters(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("radio", name="Stand-in").check()
    page.get_by_role("radio", name="course").check()
    address = page.url
    assert address.endswith("#assignment=course&status=stand-in")
    page.goto("about:blank")
    page.goto(address)
    assert names(page) == ["course/01_drawn", "course/02_random"]
    page.reload()
    assert said(page) == "2 of 9 notebooks shown"
    page.locator(".card:visible a").first.click()
    page.wait_for_url("**/notebook.html")
    page.go_back()
    assert page.get_by_role("radio", name="Stand-in").is_checked()
    page.evaluate("location.hash = 'status=met'")
    api.expect(page.get_by_role("status")).to_have_text("1 of 9 notebooks shown")


@pytest.mark.parametrize(
    "anchor",
    ["#status=no-such", "#assignment=&status=", "#notebooks", "#%E0%A4%A=%", '#a="]'],
)
def test_an_address_that_says_nothing_shows_all(open_page: Open, anchor: str) -> None:
    assert len(names(open_page(anchor))) == 9


def test_a_place_on_the_page_leaves_the_filters(open_page: Open) -> None:
    page = open_page("#status=met")
    page.get_by_role("link", name="at the end of the page").click()
    api.expect(page.locator("#hand-in")).to_be_in_viewport()
    assert names(page) == ["caltech101/01_met"]


def test_without_its_script_the_page_shows_all(open_page: Open) -> None:
    page = open_page("#status=met", java_script_enabled=False)
    assert len(names(page)) == 9
    assert said(page) == "9 notebooks"
    assert not page.locator("form").is_visible()


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
    assert page.locator(".card").evaluate_all(beyond) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_both_schemes(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    page.locator("summary").evaluate_all(
        "(all) => all.forEach((summary) => summary.click())"
    )
    assert page.evaluate(FAINT) == []
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", paper)[:3])) / 3
    assert brightness > 200 if scheme == "light" else brightness < 60


def test_printed_it_is_bright_and_without_filters(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print")
    assert (
        page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert not page.locator("form").is_visible()
    assert len(names(page)) == 9
