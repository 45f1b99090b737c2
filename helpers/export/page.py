"""Finishing touches on an exported page, each a function that changes the page in
place.
"""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlparse

import pygments
from bs4 import BeautifulSoup, Tag
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from helpers.base.errors import ExportError

NO_DESCRIPTION = "Figure without a description"


def name_page(page: BeautifulSoup) -> None:
    """Takes the first heading as the page's title; without one, the title stays the
    file's name.
    """
    if page.title and page.h1:
        page.title.string = page.h1.get_text(strip=True)


def remove_scripts(page: BeautifulSoup) -> None:
    """Removes what an output brings along that the page's security policy would keep
    from working.
    """
    for element in page.select("script, iframe, object, embed, link"):
        element.decompose()


def settle_anchors(page: BeautifulSoup) -> None:
    """Keeps an anchor's first use only, and turns links to anchors that do not exist
    into text.
    """
    anchors: set[str] = set()
    for element in page.select("[id]"):
        if element["id"] in anchors:
            del element["id"]
        else:
            anchors.add(str(element["id"]))
    for link in page.select('a[href^="#"]'):
        if unquote(str(link["href"])[1:]) not in anchors:
            link.unwrap()


def embed_images(page: BeautifulSoup, folders: Sequence[Path]) -> None:
    """Puts image files into the page; an image on the network becomes a link to it.

    Raises:
        ExportError: an image is in none of the folders.
    """
    for image in page("img"):
        source = str(image.get("src", ""))
        scheme = "https" if source.startswith("//") else urlparse(source).scheme
        if scheme in ("http", "https"):
            image.replace_with(
                _link(page, source, text=str(image.get("alt") or source))
            )
        elif scheme != "data":
            image["src"] = _data_url(_find(unquote(source), folders))


def describe_images(page: BeautifulSoup) -> int:
    """Gives every image some alternative text; returns how many had none."""
    missing = [image for image in page("img") if not image.get("alt")]
    for image in missing:
        image["alt"] = NO_DESCRIPTION
    return len(missing)


def highlight_code(page: BeautifulSoup) -> None:
    """Marks up code in the languages that pygments knows; the page's style gives the
    colours.
    """
    for block in page.select("pre[class]:has(> code)"):
        language = str(block["class"][0])
        try:
            lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
        except ClassNotFound:
            continue
        marked = pygments.highlight(
            block.get_text(), lexer, HtmlFormatter(nowrap=True)
        ).removesuffix("\n")
        # Parsed within <pre>, as the parser drops indentation elsewhere.
        block.replace_with(
            BeautifulSoup(
                f'<pre class="{language}"><code>{marked}</code></pre>', "html.parser"
            )
        )


def _link(page: BeautifulSoup, target: str, *, text: str) -> Tag:
    link = page.new_tag("a", href=target)
    link.string = text
    return link


def _find(source: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        if (folder / source).is_file():
            return folder / source
    raise ExportError(
        f"The notebook shows the image {source}, which is not in "
        f"{folders[0].resolve()}. "
        "Put it there, or attach it to its cell (drag it into the cell in JupyterLab)."
    )


def _data_url(path: Path) -> str:
    mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
