"""What was measured, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

# What this library promises: shares of the limit, and of the best rival at its
# defaults.
LIMIT_TARGET, RIVAL_TARGET = 0.95, 1.8


@dataclass(frozen=True)
class Contender:
    """One row.

    Attributes:
        name: the function that prepares it.
        precision: ``auto`` (its own choice), ``fp32`` or ``bf16``.
        title: its name in the table.
        package: what has to be installed for it, beside the library.
        at_defaults: whether it is a rival at its defaults.
    """

    name: str
    precision: str
    title: str
    package: str | None = None
    at_defaults: bool = False

    @property
    def key(self) -> str:
        return f"{self.name} {self.precision}"


@dataclass
class Measured:
    """What one contender reached with one model: a rate per round, in images per
    second, and memory in bytes.
    """

    precision: str
    rates: list[float] = field(default_factory=list)
    memory: int | None = None
    gpu_memory: int | None = None


def format_table(
    contenders: Sequence[Contender], results: Mapping[str, Measured]
) -> str:
    """One row for each contender; one without a result has failed, and says so."""
    limit = results.get("limit auto")
    best = best_rival(contenders, results)
    with_gpu = any(measured.gpu_memory for measured in results.values())
    header = [
        "",
        "precision",
        "images/s, median [min–max]",
        "of the limit",
        "× best rival at defaults",
        "peak memory, MiB",
    ]
    rows = [header + ["on the GPU, MiB"] * with_gpu]
    rows.append(["---"] + ["---:"] * (len(rows[0]) - 1))
    for contender in contenders:
        measured = results.get(contender.key)
        if measured is None:
            cells = [contender.title, contender.precision, "failed"]
            rows.append(cells + ["–"] * (len(rows[0]) - len(cells)))
            continue
        low, high = min(measured.rates), max(measured.rates)
        row = [
            contender.title,
            measured.precision,
            f"{median(measured.rates):,.0f} [{low:,.0f}–{high:,.0f}]",
            _ratio(measured, limit),
            _ratio(measured, None if best is None else results[best.key]),
            _mebibytes(measured.memory),
        ]
        rows.append(row + [_mebibytes(measured.gpu_memory)] * with_gpu)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def format_verdict(
    contenders: Sequence[Contender], results: Mapping[str, Measured]
) -> str:
    """The two ratios that are promised, and whether they are kept."""
    ours = results.get("ours auto")
    if ours is None:
        return "This library was not measured."
    limit, best = results.get("limit auto"), best_rival(contenders, results)
    parts = []
    if limit is not None:
        parts.append(_promise(ratio(ours, limit), LIMIT_TARGET, "of the limit"))
    if best is not None:
        parts.append(
            _promise(
                ratio(ours, results[best.key]),
                RIVAL_TARGET,
                f"× the best rival at its defaults ({best.title})",
            )
        )
    return "This library: " + "; ".join(parts) + "." if parts else ""


def best_rival(
    contenders: Sequence[Contender], results: Mapping[str, Measured]
) -> Contender | None:
    """The fastest rival at its defaults, by its median."""
    rivals = [
        contender
        for contender in contenders
        if contender.at_defaults and contender.key in results
    ]
    return max(
        rivals, key=lambda contender: median(results[contender.key].rates), default=None
    )


def ratio(one: Measured, other: Measured) -> float:
    """Median over the rounds of the ratio within a round: what slows a whole round
    slows both.
    """
    return median(a / b for a, b in zip(one.rates, other.rates, strict=True))


def _ratio(measured: Measured, reference: Measured | None) -> str:
    return "–" if reference is None else f"{ratio(measured, reference):.2f}"


def _promise(value: float, target: float, of_what: str) -> str:
    return (
        f"{value:.2f} {of_what}, target {target}: "
        f"{'met' if value >= target else 'missed'}"
    )


def _mebibytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 2**20:,.0f}"
