"""How a notebook shows text, tables and source; in a terminal, as plain text."""

import inspect
import math
import textwrap
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import display
from PIL import Image

from helpers.base.errors import ConfigError
from helpers.base.markdown import escaped, markdown_table
from helpers.base.record import reached, said
from helpers.base.terminal import say

DPI = 150  # of saved figures


def show_markdown(text: str, metadata: dict[str, str] | None = None) -> None:
    """Displays Markdown; ``metadata`` tells exporters what it is part of."""
    show({"text/markdown": text, "text/plain": text}, {"text/markdown": metadata or {}})


def show(bundle: dict[str, str], metadata: dict[str, Any]) -> None:
    """Displays one output in several formats; in a terminal, its plain text."""
    if get_ipython() is None:
        say(bundle["text/plain"])
    else:
        display(bundle, raw=True, metadata=metadata)


def show_picture(png: Path, *, alt: str, caption: str) -> None:
    """Displays a saved figure with ``DPI`` pixels an inch, called by its file's name.

    It is as wide on the screen, at 96 pixels an inch, as on paper.

    Raises:
        ConfigError: ``alt`` is empty.
    """
    name = png.stem
    if not alt.strip():
        raise ConfigError(
            f"Figure {name!r} has no alternative text: say in `alt` what it shows."
        )
    with Image.open(png) as picture:
        width = round(96 * picture.width / DPI)
    show(
        {
            "image/png": b64encode(png.read_bytes()).decode(),
            "text/plain": f"[figure {name}: {alt}]",
        },
        {"image/png": {"alt": alt, "width": width, "figure": name, "caption": caption}},
    )
    if caption:
        show_markdown(f"*{caption}*", {"caption_of": name})


def show_source(*objects: Any) -> None:
    """Shows the source of classes, functions or modules as it is in the library."""
    sources = [textwrap.dedent(inspect.getsource(item)).strip() for item in objects]
    show_markdown("```python\n" + "\n\n\n".join(sources) + "\n```", {"code": "python"})


def frame_table(frame: pd.DataFrame) -> str:
    """A Markdown table of a frame without its index; numbers have four significant
    digits.
    """
    frame = frame.rename(columns=lambda name: escaped(str(name)))
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    right = set(frame.select_dtypes("number").columns)
    return markdown_table(list(frame.columns), rows, right=right)


def show_finding(row: Mapping[str, Any], replaced: str) -> None:
    """Shows a verdict with the sentence that it is about, and the numbers."""
    section = f"{row['section']}: " if row["section"] else ""
    text = str(row["text"]).removesuffix(".")
    show_markdown(
        f"**{said(row, replaced)}** · {section}{text}: {reached(row)}.",
        {"finding": str(row["verdict"])},
    )


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return escaped(str(value))
    if math.isnan(value):
        return "–"
    return f"{value:.0f}" if value.is_integer() else f"{value:.4g}"
