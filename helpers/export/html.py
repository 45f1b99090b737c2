"""A notebook as one HTML page that opens offline.

nbconvert's own template loads MathJax, require.js and mermaid from the network. Here
maths is MathML, which browsers draw by themselves, and images are embedded.
"""

import base64
import copy
import json
import mimetypes
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pygments
from bs4 import BeautifulSoup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from helpers.base.errors import ExportError
from helpers.export.marks import (
    is_left_out,
    labelled_text,
    marks_for_html,
    number_labels,
)
from helpers.export.pages import source_folders
from helpers.export.pandoc import (
    PAPER_MARKDOWN,
    TEMPLATES,
    find_bibliography,
    markdown_of,
    pandoc,
)
from helpers.export.sanitise import sanitise
from helpers.runner.progress import fold_progress

# Formulas as MathJax takes them; code and what pandoc takes too are matched first.
MATHS = re.compile(
    r"""(?: ^\ *(?P<fence>```+|~~~+).*?(?:^\ *(?P=fence)|\Z) | (?P<tick>`+).*?(?P=tick)
          | \$\$.*?\$\$ | \\\$ | \$(?=[^\s$])[^$\n]*[^\s$\\]\$ )
      | \\\\\( (?P<inline>.+?) \\\\\) | \$(?!\d) (?P<spaced>[^$\n]+) \$(?!\w)
      | \\\\\[ (?P<display>.+?) \\\\\]
      | (?P<environment> \\begin\{(?P<name>\w+\*?)\}.*?\\end\{(?P=name)\} )""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
CONTROL = re.compile(r"\x1b\][^\a\x1b]*(?:\a|\x1b\\)|[^\t\n\r\x1b -\U0010ffff]")
FIRST, LAST = 500, 100  # lines of a long output that a page shows


def notebook_to_html(notebook: NotebookNode, path: Path) -> str:
    """The page of a notebook, to lie beside ``path``, where its images are looked for.

    Raises:
        ExportError: an image file is not there, or outside the notebook's folder.
    """
    folder = path.resolve().parent
    exporter = TemplateExporter(
        template_name="cnn_html",
        template_extension=".html.j2",
        extra_template_basedirs=[str(TEMPLATES)],
        filters={"printed": _printed},
        preprocessors=[CoalesceStreamsPreprocessor],
    )
    rendered = _render_markdown(copy.deepcopy(notebook), folder)
    html, _ = exporter.from_notebook_node(rendered, {"metadata": {"name": path.stem}})
    page = BeautifulSoup(html, "html.parser")
    for element in page.select('[style*="display:none"]'):
        element.decompose()
    if page.title and page.h1:
        page.title.string = page.h1.get_text().strip()
    _list_contents(page)
    _lead_to_pages(page, path)
    _embed_images(page, source_folders(notebook, folder))
    _highlight_code(page)
    return str(page)


def _render_markdown(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Makes all Markdown HTML, in place, in one call of pandoc: it is slow to start."""
    paper = "paper" in notebook.metadata
    pieces = [
        (cell, *piece) for cell in notebook.cells for piece in _pieces(cell, paper)
    ]
    texts = [MATHS.sub(_marked, text) for _, text, *_ in pieces]
    job: dict[str, Any] = {"texts": texts, "format": "gfm-footnotes-task_lists"}
    if paper:
        counted = (text for cell, text, *_ in pieces if not is_left_out(cell))
        called = number_labels(counted)
        bibliography = find_bibliography(notebook, folder)
        job = {
            "texts": [marks_for_html(text, called) for text in texts],
            "format": PAPER_MARKDOWN,
            "bibliography": [str(bibliography.resolve())] if bibliography else [],
        }
    html = pandoc("lua", TEMPLATES / "markdown.lua", text=json.dumps(job))
    for (*_, place, key), rendered in zip(pieces, json.loads(html), strict=True):
        place[key] = sanitise(rendered)
    return notebook


def _pieces(cell: NotebookNode, paper: bool) -> Iterator[tuple[str, Any, str]]:
    """Each Markdown text of a cell, and the entry that its HTML goes to."""
    if cell.cell_type == "markdown":
        yield markdown_of(cell), cell, "source"
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "text/html" in data:
            data["text/html"] = sanitise(data["text/html"])
        elif paper and "text/markdown" in data:
            yield labelled_text(output), data, "text/html"
        elif text := data.get("text/markdown", data.get("text/latex")):
            yield text, data, "text/html"


def _marked(formula: re.Match[str]) -> str:
    """A formula between the dollars that pandoc wants; what is none stays."""
    inline = formula["inline"] or formula["spaced"]
    text = inline or formula["display"] or formula["environment"]
    mark = "$" if inline else "$$"
    return mark + re.sub(r"\n\s*\n", "\n", text.strip()) + mark if text else formula[0]


def _printed(text: str) -> str:
    """What a cell printed, without a long middle and what only moves a cursor."""
    lines = CONTROL.sub("", fold_progress(text)).splitlines(keepends=True)
    if (more := len(lines) - FIRST - LAST) > FIRST:
        lines[FIRST:-LAST] = [f"[{more:,} lines left out here]\n"]
    return "".join(lines)


def _list_contents(page: BeautifulSoup) -> None:
    contents = page.new_tag("nav", attrs={"aria-label": "Contents"})
    for heading in page.select("main :is(h2, h3)[id]"):
        link = page.new_tag("a", href=f"#{heading['id']}")
        link["class"] = heading.name
        link.string = heading.get_text().strip()
        contents.append(link)
    if page.main and contents.contents:
        page.main.insert_before(contents)


def _lead_to_pages(page: BeautifulSoup, path: Path) -> None:
    """Makes a link to another notebook one to its page: of a run that which its own run
    makes, elsewhere one beside ``path``. Without such a page it is text. That of all
    is the gallery.
    """
    is_run = path.stem == "notebook"
    for link in page.select('a[href^="../../README.md"]'):
        link["href"] = gallery = "../../index.html"
        if not (path.parent / gallery).is_file():
            link.unwrap()
    for link in page.select('a[href*=".ipynb"]'):
        name, _, rest = str(link["href"]).partition(".ipynb")
        goal = f"../{name}/notebook.html" if is_run else f"{name}.html"
        if ":" in name or rest[:1] not in ("", "#", "?"):
            continue
        if is_run or (path.parent / unquote(goal)).is_file():
            link["href"] = goal + rest
        else:
            link.unwrap()


def _embed_images(page: BeautifulSoup, folders: Sequence[Path]) -> None:
    for image in page("img"):
        source = str(image.get("src", ""))
        if not source:
            image.replace_with(str(image.get("alt", "")))
        elif urlparse(source).netloc:
            link = page.new_tag("a", href=source)
            link.string = str(image.get("alt") or source)
            image.replace_with(link)
        elif not source.startswith("data:"):
            image["src"] = _data_url(unquote(source), folders)


def _data_url(source: str, folders: Sequence[Path]) -> str:
    mime, _ = mimetypes.guess_type(source)
    for folder in folders:
        path = (folder / source).resolve()
        # What a notebook took from data may name any file of this machine.
        own = path.is_relative_to(folder.resolve()) and path.is_file()
        if own and mime and mime.startswith("image/"):
            content = base64.b64encode(path.read_bytes()).decode("ascii")
            return f"data:{mime};base64,{content}"
    raise ExportError(
        f"The notebook shows the image {source}, which is not in "
        f"{folders[0].resolve()}. "
        "Put it there, or drag it into its cell in JupyterLab."
    )


def _highlight_code(page: BeautifulSoup) -> None:
    colours = HtmlFormatter(nowrap=True)
    for code in page.select("pre[class] > code"):
        language = code.parent["class"][0]  # type: ignore[index]
        try:
            lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
        except ClassNotFound:
            continue
        html = pygments.highlight(code.get_text(), lexer, colours).removesuffix("\n")
        # Parsed within <pre>, as the parser drops indentation elsewhere.
        marked = BeautifulSoup(f"<pre><code>{html}</code></pre>", "html.parser")
        code.replace_with(marked("code")[0])
