"""The marks of a paper (``@fig:curves``, ``[@he2016]``, ``::: {#fig:both}``) as a page
on the screen shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

LEFT_OUT = "not-in-paper"
NAMES = {"fig": "Figure", "tab": "Table", "eq": "Equation"}
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
KEY = r"@(\w+(?:[:./+-]\w+)*)"
BRACKET = re.compile(rf"\[([^\[\]]*(?<!\w){KEY}[^\[\]]*)\](?!\()")
BARE = re.compile(rf"(?<![\w.\[\\-]){KEY}")
ANY = re.compile(rf"(-?){KEY}")

HEADING = re.compile(r"^#+ +(.+?)(?: *\{#(sec:[\w-]+)\})? *#*$", re.MULTILINE)
FENCED = re.compile(
    r"^:{3,} *\{#(fig:[\w-]+)[^}]*\} *\n(.*?)\n:{3,} *$", re.MULTILINE | re.DOTALL
)
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]*)\)\{#(fig:[\w-]+)[^}]*\}")
SIZED = re.compile(r"(!\[[^\]]*\]\([^)]*\))\{[^}]*\}")
TABLE = re.compile(r"^: +(.+?) *\{#(tab:[\w-]+)\} *$", re.MULTILINE)
FORMULA = re.compile(r"\$\$(.+?)\$\$\s*\{#(eq:[\w-]+)\}", re.DOTALL)


def resolve_marks(notebook: NotebookNode, works: Mapping[str, tuple[str, str]]) -> None:
    """Puts numbers, names and links in place of marks, in the Markdown of cells and
    outputs.

    Args:
        notebook: one that makes a paper; changed in place.
        works: authors and year of each work of its bibliography, by key.
    """
    labels = _number(notebook)

    def settled(text: str) -> str:
        return _settle(text, labels, works)

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = settled(cell.source)
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                about = output.metadata.get("text/markdown", {})
                output.data["text/markdown"] = settled(
                    _marked(output.data["text/markdown"], about)
                )


def _marked(text: str, about: Mapping[str, Any]) -> str:
    """An output with a caption, its label before the caption."""
    if "caption_of" in about:
        return f"{{#fig:{about['caption_of']}}} {text}"
    if about.get("table") and about.get("caption"):
        return f"{about['source']}\n\n{{#tab:{about['table']}}} *{about['caption']}*"
    return text


def _number(notebook: NotebookNode) -> dict[str, str]:
    """What each label is called; figures and tables are counted as in the paper."""
    labels: dict[str, str] = {}
    counts = dict.fromkeys(NAMES, 0)
    for cell in notebook.cells:
        if LEFT_OUT in cell.metadata.get("tags", []):
            continue
        for label in _labels(cell):
            kind, _, name = label.partition(":")
            if kind in counts and label not in labels:
                counts[kind] += 1
                labels[label] = (
                    f"({counts[kind]})" if kind == "eq" else str(counts[kind])
                )
            elif kind == "sec":
                labels[label.partition("=")[0]] = name.partition("=")[2]
    return labels


def _labels(cell: NotebookNode) -> Iterator[str]:
    texts = [cell.source] if cell.cell_type == "markdown" else []
    for output in cell.get("outputs", []):
        text = output.get("data", {}).get("text/markdown")
        if text is not None:
            texts.append(_marked(text, output.metadata.get("text/markdown", {})))
    for text in texts:
        plain = CODE.sub("", text)
        for title, label in HEADING.findall(plain):
            slug = re.sub(r"[^\w.-]", "", title.lower().replace(" ", "-"))
            yield f"{label or 'sec:' + slug}={title}"
        yield from re.findall(r"\{#((?:fig|tab|eq):[\w-]+)", plain)


def _settle(
    text: str, labels: Mapping[str, str], works: Mapping[str, tuple[str, str]]
) -> str:
    def anchor(label: str) -> str:
        number = labels.get(label)
        return (
            f'<span id="{label}">**{NAMES[label[:3]]} {number}.**</span>'
            if number
            else ""
        )

    def figure(match: re.Match[str]) -> str:
        *panels, caption = re.split(r"\n\s*\n", match[2].strip())
        return "\n\n".join([*panels, f"{anchor(match[1])} {caption}"])

    text = FENCED.sub(figure, text)
    text = PICTURE.sub(
        lambda match: f"![{match[1]}]({match[2]})\n\n{anchor(match[3])} {match[1]}",
        text,
    )
    text = SIZED.sub(r"\1", text)
    text = TABLE.sub(lambda match: f"\n{anchor(match[2])} {match[1]}", text)
    text = FORMULA.sub(
        lambda match: f"$${match[1].rstrip()} \\qquad {labels.get(match[2], '')}$$",
        text,
    )
    text = re.sub(
        r"^\{#((?:fig|tab):[\w-]+)\}|(?<=\n)\{#((?:fig|tab):[\w-]+)\}",
        lambda m: anchor(m[1] or m[2]),
        text,
    )
    text = re.sub(r"^(#+ .*?) *\{#sec:[\w-]+\}", r"\1", text, flags=re.MULTILINE)
    parts = CODE.split(text)  # every other one is code
    parts[::2] = [_refer(part, labels, works) for part in parts[::2]]
    return "".join(parts)


def _refer(
    text: str, labels: Mapping[str, str], works: Mapping[str, tuple[str, str]]
) -> str:
    def reference(label: str, *, bare: bool) -> str:
        kind, called = label.partition(":")[0], labels[label]
        if kind == "sec":
            return (
                f"[{'' if bare else 'Section '}“{called}”](#{called.replace(' ', '-')})"
            )
        words = called if bare else f"{NAMES[kind]} {called}"
        return (
            words if kind == "eq" else f"[{words}](#{label})"
        )  # formulas have no anchor

    def in_bracket(match: re.Match[str]) -> str:
        hidden, key = match[1] == "-", match[2]
        if key in labels:
            return reference(key, bare=hidden)
        authors, year = works.get(key, (key, ""))
        return year if hidden and year else ", ".join(filter(None, (authors, year)))

    def bracket(match: re.Match[str]) -> str:
        keys = [key for _, key in ANY.findall(match[1])]
        inside = ANY.sub(in_bracket, match[1])
        return (
            inside.replace(";", ",")
            if all(key in labels for key in keys)
            else f"({inside})"
        )

    def bare(match: re.Match[str]) -> str:
        key = match[1]
        if key in labels:
            return reference(key, bare=False)
        return "{} ({})".format(*works[key]) if key in works else match[0]

    pieces = BRACKET.split(
        text
    )  # text, the inside of a bracket, its first key, text, …
    marks = iter(BRACKET.finditer(text))
    return "".join(
        BARE.sub(bare, piece) + bracket(mark)
        for piece, mark in zip(pieces[:-1:3], marks, strict=True)
    ) + (BARE.sub(bare, pieces[-1]))
