"""What a reader must know before a run's numbers: no results, or reduced ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from helpers.base.declared import DeclaredNotebook, with_needs
from helpers.base.record import RunRecord

Kind = Literal["stand-in", "reduced"]
BASES: dict[Kind, str] = {"stand-in": "stand-ins", "reduced": "reduced runs"}


class Caveat(NamedTuple):
    """Why a run's numbers are not those of the notebook's own experiment.

    Attributes:
        kind: ``stand-in`` if they are no results at all, ``reduced`` if they are those
            of a smaller experiment.
        text: the reason, for a reader.
    """

    kind: Kind
    text: str


def own_caveats(record: RunRecord, *, quick: bool = False) -> Iterator[Caveat]:
    """The caveats of a run itself, whatever it builds on."""
    if record.drawn:
        reason = "The run does not say what data it is about."
        if "source" in record.data:
            reason = f"Synthetic data: drawn images in place of {record.data['name']}."
        yield Caveat("stand-in", f"{reason} Not a result.")
    if record.untrained:
        reason = "Random weights in place of pretrained ones."
        yield Caveat("stand-in", f"{reason} Not a result.")
    if record.reduced:
        yield Caveat("reduced", f"Reduced run: {record.reduction}")
    elif quick:
        yield Caveat("reduced", "Quick run, with settings for seconds")


def inherited(
    name: str,
    notebooks: Iterable[DeclaredNotebook],
    caveats: Mapping[str, Sequence[Caveat]],
) -> Iterator[Caveat]:
    """The caveats of the runs that a notebook builds on, one for each kind.

    Args:
        name: of the notebook.
        notebooks: all that are declared.
        caveats: each run's own, by notebook.
    """
    needed = [need for need in with_needs([name], notebooks) if need != name]
    for kind, words in BASES.items():
        found = [
            need
            for need in needed
            if any(caveat.kind == kind for caveat in caveats.get(need, ()))
        ]
        if found:
            yield Caveat(kind, f"Based on {words}: {', '.join(found)}")
