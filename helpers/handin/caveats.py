"""What a reader must know before a run's numbers: no results, or reduced ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.record import RunRecord

Kind = Literal["stand-in", "reduced"]
BASES: dict[Kind, str] = {"stand-in": "stand-ins", "reduced": "reduced runs"}


class Caveat(NamedTuple):
    """Why a run's numbers are those of a smaller experiment, or of a stand-in and so
    no results at all.
    """

    kind: Kind
    text: str


def caveats_of(records: Mapping[str, RunRecord]) -> dict[str, list[Caveat]]:
    """The caveats of runs, by notebook: their own, and of the runs they build on."""
    own = {name: list(own_caveats(record)) for name, record in records.items()}
    notebooks = find_notebooks()
    found = {}
    for name, caveats in own.items():
        needed = [need for need in with_needs([name], notebooks) if need != name]
        found[name] = [*caveats]
        for kind, words in BASES.items():
            bases = [n for n in needed if any(c.kind == kind for c in own.get(n, ()))]
            if bases:
                text = f"Based on {words}: {', '.join(bases)}"
                found[name].append(Caveat(kind, text))
    return found


def own_caveats(record: RunRecord) -> Iterator[Caveat]:
    """The caveats of a run by itself."""
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
