"""What a notebook's own HTML may bring into a page, and what it may not."""

from __future__ import annotations

import base64

import pytest
from bs4 import BeautifulSoup

from helpers.export.sanitise import sanitise


@pytest.mark.parametrize(
    "acting",
    [
        '<meta http-equiv="refresh" content="0;url=http://x.example/">',
        '<base href="http://x.example/">',
        "<script>f()</script>",
        "<style>main { display: none }</style>",
        '<iframe src="http://x.example/"></iframe>',
        '<object data="x.svg"></object>',
        '<link rel="stylesheet" href="http://x.example/">',
        "<button>press</button>",
    ],
)
def test_what_acts_goes(acting: str) -> None:
    assert sanitise(f"<p>a</p>{acting}<p>b</p>") == "<p>a</p><p>b</p>"


def test_a_form_leaves_its_text() -> None:
    form = '<form action="http://x.example/">Name <input name="p"></form>'
    assert sanitise(form) == "Name "


def test_attributes_that_act_or_cover_the_page_go() -> None:
    html = '<p onclick="f()" style="position: fixed; color: red" id="a">text</p>'
    assert sanitise(html) == '<p style="color:red" id="a">text</p>'


@pytest.mark.parametrize(
    "address", ["javascript:f()", "java\tscript:f()", "data:text/html,x", "x:y"]
)
def test_addresses_that_act_go(address: str) -> None:
    assert sanitise(f'<a href="{address}">text</a>') == "<a>text</a>"
    assert sanitise(f'<img src="{address}">') == "<img>"


@pytest.mark.parametrize(
    "kept",
    [
        '<a href="https://example.org/a:b">text</a>',
        '<a href="a%20b.csv?x=1:2#c">text</a>',
        '<a href="#The-model-(a):-x">text</a>',
        '<img src="data:image/png;base64,AAAA" alt="dot" width="30">',
        '<details open=""><summary>s</summary><b>t</b></details>',
        '<div class="alert alert-info">text</div>',
        '<pre class="python"><code>if a:\n    <span class="k">b</span></code></pre>',
        (
            '<table class="dataframe"><thead><tr><th colspan="2">a</th></tr></thead>'
            '<tbody><tr><td style="text-align:right">1<br>2</td></tr></tbody></table>'
        ),
        (
            '<math display="inline"><semantics><msub><mi>a</mi><mn>1</mn></msub>'
            '<annotation encoding="application/x-tex">a_1</annotation>'
            "</semantics></math>"
        ),
    ],
)
def test_what_shows_is_kept(kept: str) -> None:
    def parsed(html: str) -> BeautifulSoup:
        return BeautifulSoup(html, "html.parser")

    assert parsed(sanitise(kept)) == parsed(kept)


def test_elements_are_closed_within_their_piece() -> None:
    assert sanitise("</section><div><td>x") == "<div>x</div>"
    rows = sanitise("<table><td>a</table>")
    assert rows == "<table><tbody><tr><td>a</td></tr></tbody></table>"


def test_a_drawing_becomes_an_image_that_runs_no_script() -> None:
    html = sanitise('<svg viewBox="0 0 1 1" onload="f()"><rect width="3"/></svg>')
    page = BeautifulSoup(html, "html.parser")
    kind, _, content = page.img["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    svg = base64.b64decode(content).decode()
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"')
    assert len(page.find_all()) == 1
