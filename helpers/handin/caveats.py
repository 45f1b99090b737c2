"""What a reader must know before a run's numbers: no results, or reduced ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from helpers.base.declared import DeclaredNotebook, with_needs
from helpers.base.record import RunRecord

Kind = Literal["stand-in", "reduced"]
BASES: dict[Kind, str] = {"stand-in": "stand-ins", "reduced": "reduced runs"}


class Caveat(NamedTuple):
    """Why a run's numbers are those of a smaller experiment, or of a stand-in and so
    no results at all.
    """

    kind: Kind
    text: str


def caveats_of(
    records: Mapping[str, RunRecord],
    notebooks: Sequence[DeclaredNotebook],
    *,
    quick: bool = False,
) -> dict[str, list[Caveat]]:
    """The caveats of runs, by notebook: their own, and of the runs they build on."""
    own = {name: [*_own(record, quick)] for name, record in records.items()}
    return {name: [*own[name], *_inherited(name, notebooks, own)] for name in own}


def _own(record: RunRecord, quick: bool) -> Iterator[Caveat]:
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


def _inherited(
    name: str,
    notebooks: Sequence[DeclaredNotebook],
    own: Mapping[str, Sequence[Caveat]],
) -> Iterator[Caveat]:
    needed = [need for need in with_needs([name], notebooks) if need != name]
    for kind, words in BASES.items():
        found = [
            need for need in needed if any(c.kind == kind for c in own.get(need, ()))
        ]
        if found:
            yield Caveat(kind, f"Based on {words}: {', '.join(found)}")
