"""HTML that a notebook brings along: what shows something is kept, what acts is not."""

import re
from base64 import b64encode

import nh3

SHOWN = """section tfoot
math semantics annotation mrow mi mn mo mtext mspace msub msup msubsup
munder mover munderover mfrac msqrt mroot mtable mtr mtd mstyle mpadded mphantom"""
ATTRIBUTES = """class id style title width height open display xmlns encoding stretchy
form accent mathvariant columnalign"""
STYLES = """text-align vertical-align color background-color font-weight font-style
width height display padding-left padding-right"""
EMPTIED = "script style button select textarea template noscript iframe object title"
# Besides pictures, a page leads to the web and, before any colon, to files.
ADDRESS = re.compile(r"(?:https?|mailto):|[^:]*(?:$|[/?#])", re.IGNORECASE)
PICTURE = re.compile(r"data:image/", re.IGNORECASE)
SVG = re.compile(r"<svg\b(.*?>.*?</svg\s*>)", re.DOTALL | re.IGNORECASE)


def sanitise(html: str) -> str:
    """A piece of a page without scripts, forms, styles of its own or addresses that
    act; its elements are closed, and drawings in it are images, which run no scripts.
    """
    return CLEANER.clean(SVG.sub(_as_image, html))


def _as_image(svg: re.Match[str]) -> str:
    space = "" if "xmlns=" in svg[1].partition(">")[0] else f' xmlns="{SVG_SPACE}"'
    content = b64encode(f"<svg{space}{svg[1]}".encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{content}">'


def _checked(_tag: str, attribute: str, value: str) -> str | None:
    picture = attribute == "src" and PICTURE.match(value)
    harmless = attribute not in {"href", "src"} or ADDRESS.match(value)
    return value if picture or harmless else None


SVG_SPACE = "http://www.w3.org/2000/svg"
CLEANER = nh3.Cleaner(
    tags=nh3.ALLOWED_TAGS.union(SHOWN.split()),
    clean_content_tags={*EMPTIED.split()},
    attributes=nh3.ALLOWED_ATTRIBUTES | {"*": {*ATTRIBUTES.split()}},
    attribute_filter=_checked,
    filter_style_properties={*STYLES.split()},
    link_rel=None,
    url_schemes={"http", "https", "mailto", "data"},
)
