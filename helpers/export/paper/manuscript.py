"""What of an executed notebook goes into its paper, as one Markdown text: no code, no
progress, no widgets.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from helpers.base.errors import ExportError
from helpers.export.marks import LEFT_OUT
from helpers.export.paper.settings import Settings, read_settings
from helpers.export.rendering import INTERACTIVE

ABSTRACT = "abstract"
HEADING = re.compile(r"^# +(.+?) *#*$", re.MULTILINE)
PICTURES = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass
class Manuscript:
    """A paper before it is set.

    Attributes:
        settings: what the notebook's metadata say.
        title: of the paper.
        abstract: Markdown.
        text: Markdown; its pictures are named as in ``files``, or as files beside the
            notebook.
        files: pictures by their path beside the paper's source.
    """

    settings: Settings
    title: str = ""
    abstract: str = ""
    text: str = ""
    files: dict[str, bytes] = field(default_factory=dict)


def read_manuscript(notebook: NotebookNode, folder: Path) -> Manuscript:
    """Gathers the text of a paper.

    Args:
        notebook: executed; cells tagged ``not-in-paper`` are left out, one tagged
            ``abstract`` is the abstract.
        folder: the run folder, where ``figures/`` has the pictures as vectors.

    Raises:
        ExportError: the metadata are wrong, there is no abstract or title, a cell
            failed or shows plain text, or a figure or table has no caption or no file.
    """
    manuscript = Manuscript(read_settings(notebook.metadata))
    texts: dict[bool, list[str]] = {True: [], False: []}
    for number, cell in enumerate(notebook.cells, start=1):
        if (
            cell.cell_type == "markdown"
            and not manuscript.title
            and (heading := HEADING.search(cell.source))
        ):
            manuscript.title = heading[1]
        tags = cell.metadata.get("tags", [])
        if LEFT_OUT not in tags:
            texts[ABSTRACT in tags] += _texts(cell, number, folder, manuscript.files)
    manuscript.title = manuscript.settings.title or manuscript.title
    manuscript.abstract = re.sub(r"^#+ .*\n", "", "\n\n".join(texts[True])).strip()
    manuscript.text = "\n\n".join(texts[False])
    if not manuscript.title:
        raise ExportError(
            "The paper has no title: start the notebook with a heading, `# Title`."
        )
    if not manuscript.abstract:
        raise ExportError(
            "The paper has no abstract: tag the cell that says or shows it "
            f"`{ABSTRACT}`."
        )
    return manuscript


def _texts(
    cell: NotebookNode, number: int, folder: Path, files: dict[str, bytes]
) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield _attached(cell)
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            raise ExportError(
                f"Cell {number} failed ({output.ename}): run the notebook again before "
                "it becomes a paper."
            )
        if output.output_type != "stream":  # progress, for those who watch
            yield _shown(output.data, output.metadata, number, folder, files)


def _attached(cell: NotebookNode) -> str:
    text: str = cell.source
    for name, formats in cell.get("attachments", {}).items():
        mime, content = next(iter(formats.items()))
        text = text.replace(f"(attachment:{name})", f"(data:{mime};base64,{content})")
    return text


def _shown(
    data: NotebookNode,
    metadata: NotebookNode,
    number: int,
    folder: Path,
    files: dict[str, bytes],
) -> str:
    """One output as Markdown."""
    picture = next((mime for mime in PICTURES if mime in data), None)
    if any(mime in data for mime in INTERACTIVE):
        return ""
    if "text/markdown" in data:
        return _markdown(data["text/markdown"], metadata.get("text/markdown", {}))
    if "text/latex" in data:
        return str(data["text/latex"])
    if picture:
        about = metadata.get(picture, {})
        return _figure(
            about,
            files,
            f"picture-{number}-{len(files) + 1}.{PICTURES[picture]}",
            data[picture],
            folder,
        )
    if "text/html" in data:
        return f"```{{=html}}\n{data['text/html']}\n```"
    raise ExportError(
        f"Cell {number} shows plain text, which is no part of a paper "
        f"({_short(data.get('text/plain', ''))}). "
        "Show it with run.say or run.table, end the cell's last line with a "
        f"semicolon, or tag the cell `{LEFT_OUT}`."
    )


def _markdown(text: str, about: dict[str, str]) -> str:
    if "caption_of" in about:
        return ""  # the figure has it
    if "table" not in about:
        return text
    if not about["caption"]:
        raise ExportError(
            f"Table {about['table']!r} has no caption: run.table(…, caption=…)."
        )
    return f"{about['source']}\n\n: {_line(about['caption'])} {{#tab:{about['table']}}}"


def _figure(
    about: dict[str, str],
    files: dict[str, bytes],
    unnamed: str,
    content: str,
    folder: Path,
) -> str:
    name, caption = about.get("figure"), about.get("caption")
    if not name:
        file = f"figures/{unnamed}"
        files[file] = base64.b64decode(content)
        return f"![]({file})"
    if not caption:
        raise ExportError(f"Figure {name!r} has no caption: run.figure(…, caption=…).")
    vector = folder / "figures" / f"{name}.pdf"
    if not vector.is_file():
        raise ExportError(
            f"Figure {name!r} is not in {vector.parent}: run the notebook again."
        )
    files[f"figures/{name}.pdf"] = vector.read_bytes()
    alt = re.sub(r"([\[\]\\])", r"\\\1", _line(about.get("alt", "")))
    return f"::: {{#fig:{name}}}\n![{alt}](figures/{name}.pdf)\n\n{_line(caption)}\n:::"


def _line(text: str) -> str:
    return " ".join(text.split())


def _short(text: str) -> str:
    line = _line(text)
    return line if len(line) <= 60 else f"{line[:60]}…"
