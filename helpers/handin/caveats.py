"""What a reader must know before the numbers of a run: that they are no results, or
those of a smaller experiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from helpers.base.declared import DeclaredNotebook, with_needs
from helpers.base.record import RunRecord

Kind = Literal["stand-in", "reduced"]


@dataclass(frozen=True)
class Caveat:
    """Why the numbers of a run are not those of the notebook's own experiment.

    Attributes:
        status: ``stand-in`` if they are no results at all, ``reduced`` if they are
            those of a smaller experiment.
        text: the reason, for a reader.
    """

    status: Kind
    text: str


def own_caveats(record: RunRecord, *, quick: bool = False) -> list[Caveat]:
    """What a reader must know of a run before its numbers, other than what it is based
    on.
    """
    found = []
    if "source" not in record.data:
        found.append(
            Caveat(
                "stand-in", "The run does not say what data it is about. Not a result."
            )
        )
    elif record.drawn:
        name = record.data.get("name", "unknown data")
        found.append(
            Caveat(
                "stand-in",
                f"Synthetic data: drawn images in place of {name}. Not a result.",
            )
        )
    if record.untrained:
        backbone = record.data.get("backbone", "the network")
        found.append(
            Caveat(
                "stand-in",
                f"Random weights: {backbone} is not pretrained. Not a result.",
            )
        )
    if record.reduced:
        found.append(Caveat("reduced", f"Reduced run: {record.reduction}"))
    elif quick:
        found.append(Caveat("reduced", "Quick run, with settings for seconds"))
    return found


def inherited(
    name: str,
    notebooks: Iterable[DeclaredNotebook],
    caveats: Mapping[str, Sequence[Caveat]],
) -> list[Caveat]:
    """The caveats of the runs that a notebook is based on, directly or not, one for
    each kind.

    Args:
        name: of the notebook that loads models or results of others.
        notebooks: all that are declared.
        caveats: each run's own, by notebook.
    """
    based_on = [need for need in with_needs([name], notebooks) if need != name]
    kinds: dict[Kind, str] = {"stand-in": "stand-ins", "reduced": "reduced runs"}
    found = []
    for kind, words in kinds.items():
        names = [
            name
            for name in based_on
            if any(caveat.status == kind for caveat in caveats.get(name, ()))
        ]
        if names:
            found.append(Caveat(kind, f"Based on {words}: {', '.join(names)}"))
    return found
