"""What a reader must know before runs' numbers, with what they build on."""

from collections.abc import Iterator, Mapping
from typing import get_args

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.record import Caveat, RunRecord


def caveats_of(
    records: Mapping[str, RunRecord],
) -> dict[str, list[tuple[Caveat, str]]]:
    """The caveats of runs, by notebook: their own, and of the runs they build on."""
    own = {name: list(record.caveats()) for name, record in records.items()}
    kinds = {name: {kind for kind, _ in found} for name, found in own.items()}
    notebooks = find_notebooks()

    def inherited(name: str) -> Iterator[tuple[Caveat, str]]:
        needed = [need for need in with_needs([name], notebooks) if need != name]
        for kind in get_args(Caveat):
            if bases := [need for need in needed if kind in kinds.get(need, ())]:
                yield kind, f"Based on {kind}s: {', '.join(bases)}"

    return {name: [*found, *inherited(name)] for name, found in own.items()}
