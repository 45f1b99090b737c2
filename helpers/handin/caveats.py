"""What a reader must know before a run's numbers: no results, reduced or old ones."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, get_args

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.record import RunRecord

Kind = Literal["stand-in", "reduced run", "earlier run"]


class Caveat(NamedTuple):
    """Why a run's numbers are of another experiment, or of a stand-in: no results."""

    kind: Kind
    text: str


def caveats_of(records: Mapping[str, RunRecord]) -> dict[str, list[Caveat]]:
    """The caveats of runs, by notebook: their own, and of the runs they build on."""
    own = {name: list(own_caveats(record)) for name, record in records.items()}
    kinds = {name: {caveat.kind for caveat in found} for name, found in own.items()}
    notebooks = find_notebooks()

    def inherited(name: str) -> Iterator[Caveat]:
        needed = [need for need in with_needs([name], notebooks) if need != name]
        for kind in get_args(Kind):
            if bases := [need for need in needed if kind in kinds.get(need, ())]:
                yield Caveat(kind, f"Based on {kind}s: {', '.join(bases)}")

    return {name: [*found, *inherited(name)] for name, found in own.items()}


def own_caveats(record: RunRecord) -> Iterator[Caveat]:
    """The caveats of a run by itself."""
    if "source" not in record.data:
        text = "The run does not say what data it is about. Not a result."
        yield Caveat("stand-in", text)
    elif record.drawn:
        text = f"Synthetic data: drawn images among {record.data['name']}."
        yield Caveat("stand-in", f"{text} Not a result.")
    if record.untrained:
        text = "Random weights in place of pretrained ones. Not a result."
        yield Caveat("stand-in", text)
    if record.reduced:
        yield Caveat("reduced run", f"Reduced run: {record.reduction}")
    if since := record.data.get("measured_before"):
        yield Caveat("earlier run", f"Measured before {since}")
