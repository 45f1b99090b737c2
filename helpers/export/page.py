"""Finishing touches on an exported page."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlparse

import pygments
from bs4 import BeautifulSoup
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from helpers.base.errors import ExportError

NO_DESCRIPTION = "Figure without a description"


def finish_page(page: BeautifulSoup, folders: Sequence[Path]) -> int:
    """Makes a page self-contained, with title, contents and colours; in place.

    Args:
        page: as the template prints it.
        folders: where the relative paths of its images start.

    Returns:
        How many images have no alternative text of their own.

    Raises:
        ExportError: an image is in none of the folders.
    """
    # The page's security policy would keep them from working.
    for element in page.select("script, iframe, object, embed, link"):
        element.decompose()
    if page.title and page.h1:
        page.title.string = page.h1.get_text(strip=True)
    _settle_anchors(page)
    _list_contents(page)
    _embed_images(page, folders)
    _highlight_code(page)
    for output in page.select("pre.output"):
        columns = max(map(len, output.get_text().splitlines()), default=0)
        output["style"] = f"--columns: {columns}"
    undescribed = [image for image in page("img") if not image.get("alt")]
    for image in undescribed:
        image["alt"] = NO_DESCRIPTION
    return len(undescribed)


def _settle_anchors(page: BeautifulSoup) -> None:
    """Keeps an anchor's first use only, and makes links that lead nowhere text."""
    anchors: set[str] = set()
    for element in page.select("[id]"):
        if element["id"] in anchors:
            del element["id"]
        else:
            anchors.add(str(element["id"]))
    for link in page.select('a[href^="#"]'):
        if unquote(str(link["href"])[1:]) not in anchors:
            link.unwrap()


def _list_contents(page: BeautifulSoup) -> None:
    """Puts a list of the sections before the text."""
    headings = page.select("main :is(h2, h3)[id]")
    if not (page.main and headings):
        return
    contents = page.new_tag("nav", attrs={"aria-label": "Contents"})
    for heading in headings:
        link = page.new_tag("a", href=f"#{heading['id']}")
        link["class"] = heading.name
        link.string = heading.get_text(" ", strip=True)
        contents.append(link)
    page.main.insert_before(contents)


def _embed_images(page: BeautifulSoup, folders: Sequence[Path]) -> None:
    """Puts image files into the page; an image on the network becomes a link to it."""
    for image in page("img"):
        source = str(image.get("src", ""))
        scheme = "https" if source.startswith("//") else urlparse(source).scheme
        if scheme in ("http", "https"):
            link = page.new_tag("a", href=source)
            link.string = str(image.get("alt") or source)
            image.replace_with(link)
        elif scheme != "data":
            image["src"] = _data_url(unquote(source), folders)


def _data_url(source: str, folders: Sequence[Path]) -> str:
    for path in (folder / source for folder in folders):
        if path.is_file():
            mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            content = base64.b64encode(path.read_bytes()).decode("ascii")
            return f"data:{mime};base64,{content}"
    raise ExportError(
        f"The notebook shows the image {source}, which is not in "
        f"{folders[0].resolve()}. "
        "Put it there, or attach it to its cell (drag it into the cell in JupyterLab)."
    )


def _highlight_code(page: BeautifulSoup) -> None:
    """Marks up code in languages that pygments knows; the style has the colours."""
    for block in page.select("pre[class]:has(> code)"):
        language = str(block["class"][0])
        try:
            lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
        except ClassNotFound:
            continue
        html = pygments.highlight(
            block.get_text(), lexer, HtmlFormatter(nowrap=True)
        ).removesuffix("\n")
        # Parsed within <pre>, as the parser drops indentation elsewhere.
        marked = f'<pre class="{language}"><code>{html}</code></pre>'
        block.replace_with(BeautifulSoup(marked, "html.parser"))
