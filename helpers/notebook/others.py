"""What other notebooks have left behind, for one that reports on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.base.errors import NotebookError
from helpers.base.estimate import Estimate, estimate, unpaired
from helpers.base.files import ROOT
from helpers.base.record import FINDING, RunRecord, finding_rows
from helpers.base.runs import command, find_run, load_records


class Reports(dict[str, RunRecord]):
    """The records of other notebooks' runs, by name."""

    def difference(
        self, one: tuple[str, str, str], other: tuple[str, str, str]
    ) -> Estimate:
        """How far one result lies above another: notebook, model and metric of each.

        Paired where both have the same number of seeds in the same notebook, else by
        both intervals, added in squares.
        """
        first, second = (self[of].estimate(*what) for of, *what in (one, other))
        unit = "points" if first.unit == "percent" else first.unit
        own, its = self[one[0]].values(*one[1:]), self[other[0]].values(*other[1:])
        alike = first.over == second.over == "seeds" and len(own) == len(its)
        if alike and one[0] == other[0]:
            return estimate([a - b for a, b in zip(own, its, strict=True)], unit)
        return unpaired(first, second, unit)

    def findings(self, *notebooks: str) -> pd.DataFrame:
        """What was asked of these notebooks and what they claim."""
        rows = [row for name in notebooks for row in finding_rows(self[name])]
        return pd.DataFrame(rows, columns=FINDING)


def completed_runs(notebooks: Sequence[str], asked_by: str) -> Reports:
    """What notebooks have measured.

    Raises:
        NotebookError: some have not been run to their end.
    """
    done = Reports()
    for name in notebooks:
        done |= load_records(find_run(name).parents[1], [name])
    if missing := [name for name in notebooks if name not in done]:
        raise NotebookError(
            f"{asked_by} reports on notebooks that have not been run to their end: "
            f"{', '.join(missing)}. "
            f"Run them first: {command('run', *missing)}"
        )
    return done


def as_one(data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several sets or runs are about: no more real or pretrained than the least of
    them; their splits are named ``<set>_<split>``.
    """
    real = all(one.get("source") == "real" for one in data)
    together: dict[str, Any] = {
        "name": ", ".join(dict.fromkeys(one.get("name", "unknown") for one in data)),
        "source": "real" if real else "synthetic",
        "splits": {
            f"{one['name']}_{split}": count
            for one in data
            for split, count in one.get("splits", {}).items()
        },
    }
    for key in ("backbone", "weights", "replaces"):
        said = "; ".join(one[key] for one in data if key in one)
        if values := dict.fromkeys(said.split("; ") if said else ()):
            together[key] = "random" if "random" in values else "; ".join(values)
    return together


def saved_file(source: str, suffix: str) -> Path:
    """A figure (``png``, ``pdf``) or table (``csv``) that another notebook has left.

    Raises:
        NotebookError: there is none.
    """
    notebook, _, name = source.rpartition("/")
    path = find_run(notebook) / "figures" / f"{name}.{suffix}"
    if not path.is_file():
        why, how = f"{notebook} left no {short_path(path)}", command("run", notebook)
        raise NotebookError(f"{why}: run that notebook first: {how}")
    return path


def short_path(path: Path) -> str:
    """The path from the repository on: exports do not tell whose machine it was."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
