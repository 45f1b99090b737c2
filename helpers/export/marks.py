"""The marks of a paper in a notebook's Markdown: captions, labels and references."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from nbformat import NotebookNode

NAMES = {"fig": "Figure", "tab": "Table", "eq": "Equation"}
LEFT_OUT = "not-in-paper"
LABEL = re.compile(r"\{#((fig|tab|eq):[\w-]+)\}")
CAPTION = re.compile(r"^: (.*) \{#((?:fig|tab):[\w-]+)\}$", re.MULTILINE)
EQUATION = re.compile(r"\$\$((?:(?!\$\$).)+)\$\$\s*\{#(eq:[\w-]+)\}", re.DOTALL)
REFERENCE = re.compile(r"(?<![\w`])@((fig|tab|eq):[\w-]+)")
# A number stays with its interval and its unit: 85.1 ± 0.4 %.
TIED = re.compile(r"(?<=[\d)]) (?=[±%])|(?<=±) (?=\d)")
SPACE = "\N{NO-BREAK SPACE}"


def is_left_out(cell: NotebookNode) -> bool:
    """Whether the paper of a notebook lacks a cell."""
    return LEFT_OUT in cell.metadata.get("tags", [])


def labelled_text(output: NotebookNode) -> str:
    """An output in Markdown; of a table or a figure's caption with its label."""
    text: str = output.data["text/markdown"]
    about = output.metadata.get("text/markdown", {})
    if "caption_of" in about:
        caption = text.removeprefix("*").removesuffix("*")
        return f": {caption} {{#fig:{about['caption_of']}}}"
    if "table" in about:
        caption = " ".join(about["caption"].split())
        return f"{about['source']}\n\n: {caption} {{#tab:{about['table']}}}"
    return text


def number_labels(texts: Iterable[str]) -> dict[str, str]:
    """What each label is called: ``fig:curves`` is ``Figure 1``."""
    counts = Counter[str]()
    called = {}
    for label, kind in [found for text in texts for found in LABEL.findall(text)]:
        counts[kind] += 1
        number = f"({counts[kind]})" if kind == "eq" else counts[kind]
        called[label] = f"{NAMES[kind]} {number}"
    return called


def marks_for_html(text: str, called: Mapping[str, str]) -> str:
    """Numbers captions and equations, and makes references links to captions.

    A label that is not ``called`` anything has no number, and no reference leads to it.
    """

    def caption(found: re.Match[str]) -> str:
        words, label = found.groups()
        name = f"[**{called[label]}.**]{{#{label}}} " if label in called else ""
        return name + words

    def equation(found: re.Match[str]) -> str:
        formula, label = found.groups()
        return f"$${formula} \\qquad {called.get(label, '').rpartition(' ')[2]}$$"

    def reference(found: re.Match[str]) -> str:
        label, kind = found.groups()
        name = called.get(label, found[0])
        return f"[{name}](#{label})" if label in called and kind != "eq" else name

    text = EQUATION.sub(equation, CAPTION.sub(caption, text))
    return TIED.sub(SPACE, REFERENCE.sub(reference, text))


def marks_for_latex(text: str) -> str:
    """Makes equations and references LaTeX's own, which numbers them itself."""

    def reference(found: re.Match[str]) -> str:
        label, kind = found.groups()
        command = "eqref" if kind == "eq" else "ref"
        return f"{NAMES[kind]}{SPACE}`\\{command}{{{label}}}`{{=latex}}"

    equation = r"\\begin{equation}\\label{\2}\1\\end{equation}"
    return TIED.sub(SPACE, REFERENCE.sub(reference, EQUATION.sub(equation, text)))
