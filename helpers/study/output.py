"""Where studies put their figures and tables."""

from __future__ import annotations

import re
from typing import Protocol

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure


class Output(Protocol):
    """What shows and keeps figures and tables: a notebook's ``Run``."""

    def figure(
        self, picture: Figure | Axes, name: str, *, alt: str, caption: str = ""
    ) -> None:
        """Shows a figure and keeps it under ``name``."""

    def table(self, frame: pd.DataFrame, name: str, *, caption: str = "") -> None:
        """Shows a table and keeps it under ``name``."""


def file_name(*parts: str) -> str:
    """A name for a file: ``weight_decay_curves`` of ``+ weight decay``, ``curves``."""
    return re.sub(r"[^\w-]+", "_", "_".join(parts)).strip("_")
