"""What other notebooks have left behind, for one that reports on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.base.errors import NotebookError
from helpers.base.files import ROOT, exports_dir
from helpers.base.record import RunRecord


def completed_runs(notebooks: Sequence[str], asked_by: str) -> dict[str, RunRecord]:
    """What notebooks have measured, by name.

    Raises:
        NotebookError: some of them have not been run to their end; the message names
            all of those.
    """
    paths = {name: exports_dir() / name / "metrics.json" for name in notebooks}
    records = {
        name: RunRecord.load(path) for name, path in paths.items() if path.is_file()
    }
    done = {
        name: record for name, record in records.items() if record.status == "complete"
    }
    if missing := [name for name in notebooks if name not in done]:
        raise NotebookError(
            f"{asked_by} reports on notebooks that have not been run to their end: "
            f"{', '.join(missing)}. "
            f"Run them first: python -m helpers run {' '.join(missing)}"
        )
    return done


def notices(records: Mapping[str, RunRecord]) -> list[str]:
    """What a reader must know of runs before their numbers, as Markdown: which are no
    results, or smaller ones.
    """
    said = []
    if drawn := [name for name, record in records.items() if record.drawn]:
        said.append(
            "> **SYNTHETIC DATA**\n>\n"
            f"> {_listed(drawn)} ran on a drawn stand-in for the real images. Every "
            "number below that comes from "
            "there is about the stand-in: none of them is a result, and no requirement "
            "counts as met."
        )
    if blank := [name for name, record in records.items() if record.untrained]:
        said.append(
            "> **RANDOM WEIGHTS**\n>\n"
            f"> {_listed(blank)} had random weights in place of those learned on "
            "ImageNet. Every number below that "
            "comes from there is about a network that knows nothing: none of them is a "
            "result."
        )
    if smaller := "; ".join(
        f"{name} with {record.reduction}"
        for name, record in records.items()
        if record.reduced
    ):
        said.append(
            "> **REDUCED RUNS**\n>\n> Some results below are of runs smaller than "
            f"planned: {smaller}."
        )
    return said


def data_of_all(records: Collection[RunRecord]) -> dict[str, Any]:
    """What several runs were about, as one: no more real or pretrained than the least
    of them.
    """
    data = [record.data for record in records]
    together: dict[str, Any] = {
        "name": ", ".join(dict.fromkeys(one["name"] for one in data)),
        "source": "synthetic" if any(record.drawn for record in records) else "real",
        "splits": {
            f"{one['name']}_{split}": count
            for one in data
            for split, count in one["splits"].items()
        },
    }
    for key in ("backbone", "weights"):
        if values := dict.fromkeys(one[key] for one in data if key in one):
            together[key] = "random" if "random" in values else ", ".join(values)
    return together


def saved_file(source: str, suffix: str) -> Path:
    """A file that another notebook has left among its figures.

    Args:
        source: notebook and figure or table, ``caltech101/01_lenet5/learning_curves``.
        suffix: ``png``, ``pdf``, or ``csv`` for a table.

    Raises:
        NotebookError: that notebook has not been run, or has no such figure or table.
    """
    notebook, _, name = source.rpartition("/")
    path = exports_dir() / notebook / "figures" / f"{name}.{suffix}"
    if not path.is_file():
        raise NotebookError(
            f"There is no {'table' if suffix == 'csv' else 'figure'} {name} of "
            f"{notebook} ({short_path(path)} is "
            f"missing): run that notebook first: python -m helpers run {notebook}"
        )
    return path


def read_table(source: str) -> pd.DataFrame:
    """A table that another notebook has saved, with all its digits; what it shows as
    text is text.

    Args:
        source: notebook and table, ``caltech101/02_improved_cnn/ablation``.

    Raises:
        NotebookError: that notebook has not been run, or has no such table.
    """
    return pd.read_csv(saved_file(source, "csv"), keep_default_na=False)


def short_path(path: Path) -> str:
    """The path from the repository on, where it is in there: exports do not tell whose
    machine they were made on.
    """
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
