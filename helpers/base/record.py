"""``metrics.json``: what a run was, what it measured and how it ended."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Self, get_args

from helpers.base.errors import ExportError, explained, require_known
from helpers.base.estimate import Estimate, Unit, estimate, unit_of
from helpers.base.files import write_whole
from helpers.base.schema import NUMBER, OBJECT, SIZE, TEXT, each, fields, many, require

VERDICTS = (
    "met",
    "met on average",
    "missed",
    "supported",
    "not shown",
    "contradicted",
    "not judged",
)
AGAIN = "Move it away, and run its notebook again or `git checkout` it."
Status = Literal["unfinished", "complete", "failed", "killed", "timeout"]
Caveat = Literal["stand-in", "reduced run", "earlier run"]
_HALF = {"type": ["number", "null"], "minimum": 0}
_ESTIMATE = {"mean": NUMBER, "ci95": _HALF, "count": SIZE, "over": TEXT}
_SUMMARY = {"mean": NUMBER, "ci95": _HALF, "values": many(NUMBER, 1)}
_FINDING = {
    "section": TEXT,
    "text": TEXT,
    "estimate": fields(_ESTIMATE | {"unit": {"enum": get_args(Unit)}}),
    "verdict": {"enum": VERDICTS},
}
_DATA = dict.fromkeys(("name", "source", "backbone", "weights", "replaces"), TEXT)
OPTIONAL = {  # left out where empty
    "error": TEXT,
    "reduced": many(TEXT),
}
FINDING = ("section", "asked or claimed", "measured", "verdict")  # a table's header
GPU_JOBS = 4  # trainings side by side fill an H200; more gain nothing
SCHEMA = fields(
    {
        "notebook": {"type": "string", "pattern": r"^[^/\\.][^/\\]*/[^/\\.][^/\\]*$"},
        "status": {"enum": get_args(Status)},
        "data": fields({}, _DATA | {"splits": each(SIZE | {"minimum": 0})}, more=True),
        "parameters": OBJECT,
        "results": each(each(fields(_SUMMARY, {"over": TEXT}, more=True))),
        "findings": many(fields(_FINDING, {"at_least": NUMBER, "at_most": NUMBER})),
        "environment": OBJECT,
        "seconds": NUMBER | {"minimum": 0},
    },
    OPTIONAL,
)


@dataclass
class RunRecord:
    """The content of a ``metrics.json``.

    Attributes:
        status: ``unfinished`` until its end, or where it was killed.
        data: ``name``, ``source`` (``real`` or ``synthetic``) and ``splits`` (images in
            each); of a run that starts from a pretrained network also ``backbone`` and
            ``weights``; ``replaces`` what the course names, and of a kept record that
            is older than its notebook ``measured_before`` what.
        reduced: the parameters that make it smaller than the notebook's own experiment.
        results: for each model, each metric (``valid_accuracy``) as ``summarize`` gives
            it.
        findings: what is asked of the results or claimed of them: ``section`` of the
            assignment (empty for a claim), ``text``, ``estimate`` (the fields of an
            ``Estimate``), ``at_least`` and ``at_most`` where there is such a bound, and
            the ``verdict``, one of ``VERDICTS``.
        seconds: wall time of the run.
        error: why it did not complete.
    """

    notebook: str
    status: Status = "unfinished"
    data: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    results: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    reduced: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a record.

        Raises:
            ExportError: there is none, or it does not follow ``SCHEMA``; the message
                names the file and what is wrong.
        """
        try:
            written = path.read_bytes()
        except OSError as error:
            no = f"There is no record of a run at {path} ({error.strerror})"
            raise ExportError(f"{no}: run its notebook.") from error
        fault = f"{path} is damaged or cut short, or of another version"
        with explained(ExportError, fault, AGAIN):
            content = json.loads(written, parse_int=_whole)
            require(content, SCHEMA)
            record = cls(**content)
            _written(record.content())  # what is read can be: no NaN, for example
            if alien := set(record.reduced) - set(record.parameters):
                raise ValueError(f"it is reduced in {min(alien)}, no parameter of it")
        return record

    def values(self, model: str, metric: str) -> list[float]:
        """A metric's values, one per seed.

        Raises:
            ExportError: the run has not recorded it.
        """
        return list(self._summary(model, metric)["values"])

    def estimate(self, model: str, metric: str) -> Estimate:
        """A result with its interval; raises as ``values``."""
        found = self._summary(model, metric)
        over, count = found.get("over", "seeds"), len(found["values"])
        return Estimate(found["mean"], found["ci95"], count, unit_of(metric), over)

    def _summary(self, model: str, metric: str) -> dict[str, Any]:
        no = f"The run of {self.notebook} has recorded no"
        require_known(ExportError, f"{no} model", model, self.results)
        known = self.results[model]
        require_known(ExportError, f"{no} metric of {model} called", metric, known)
        return known[metric]

    @property
    def drawn(self) -> bool:
        """Whether its images are a stand-in, or unknown."""
        return self.data.get("source") != "real"

    @property
    def untrained(self) -> bool:
        """Whether its backbone had random weights."""
        return self.data.get("weights") == "random"

    def caveats(self) -> Iterator[tuple[Caveat, str]]:
        """Why its numbers are no results, or of another experiment: kind and text."""
        no = "Not a result."
        if not self.data.keys() >= {"name", "source"}:
            yield "stand-in", f"The run does not say what data it is about. {no}"
        elif self.drawn:
            name = self.data["name"]
            yield "stand-in", f"Synthetic data: drawn images among {name}. {no}"
        if self.untrained:
            yield "stand-in", f"Random weights in place of pretrained ones. {no}"
        if self.reduced:
            yield "reduced run", f"Reduced run: {self.reduction}"
        if since := self.data.get("measured_before"):
            yield "earlier run", f"Measured before {since}"

    @property
    def jobs(self) -> int:
        """Trainings side by side; -1 stands for as many as there are cores."""
        about = {"device": "cpu"} | self.environment
        usual = 1 if about["device"] == "cpu" or "cluster" in about else GPU_JOBS
        return int(self.parameters.get("jobs") or usual)

    @property
    def duration(self) -> float:
        """Seconds of the run or, if longer, of trainings that it found done."""
        # The best and the last model of a training have the same.
        key = "train_seconds"
        lists = (m[key]["values"] for m in self.results.values() if key in m)
        taken: list[float] = [*chain(*dict.fromkeys(map(tuple, lists)))]
        all_at_once = self.jobs < 0 or "cluster" in self.environment
        jobs = len(taken) if all_at_once else min(self.jobs, len(taken))
        return max(self.seconds, sum(taken) / max(jobs, 1))

    @property
    def reduction(self) -> str:
        """The smaller values of a reduced run: ``epochs 2, seeds 1``."""
        return ", ".join(f"{name} {self.parameters[name]}" for name in self.reduced)

    @property
    def replaced(self) -> str:
        """What stands for the course's own: ``squeezenet1_1 in place of alexnet``."""
        return str(self.data.get("replaces", ""))

    def save(self, path: Path) -> None:
        """Writes the record to ``path``, whole or not at all."""
        write_whole(path, _written(self.content()))

    def content(self) -> dict[str, Any]:
        """What a file keeps of it."""
        items = asdict(self).items()
        return {name: value for name, value in items if value or name not in OPTIONAL}


def summarize(
    values: Iterable[float], over: str = "seeds", shared: float = 0.0
) -> dict[str, Any]:
    """The mean of several values and how sure it is, as a record keeps it.

    Returns:
        ``mean`` and ``ci95``, as of ``estimate``, which also says what it raises;
        the ``values``; ``over``, where they are not of seeds.
    """
    numbers = [*map(float, values)]
    found = estimate(numbers, over=over, shared=shared)
    summary = {"mean": found.mean, "ci95": found.ci95, "values": numbers}
    return summary if over == "seeds" else summary | {"over": over}


def finding_rows(record: RunRecord) -> list[tuple[str, str, str, str]]:
    """Of each finding its section, its text, its number and what is said of it."""
    return [
        (row["section"] or "–", row["text"], reached(row), said(row, record.replaced))
        for row in record.findings
    ]


def reached(finding: Mapping[str, Any]) -> str:
    """The number that decides a finding, as text: ``85.0 ± 2.5 % (3 seeds)``."""
    return str(Estimate(**finding["estimate"]))


def said(finding: Mapping[str, Any], replaced: str = "") -> str:
    """The verdict; of what is asked, with what stands in for the course's own."""
    verdict = str(finding["verdict"])
    return f"{verdict}, {replaced}" if replaced and finding["section"] else verdict


def _written(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _whole(text: str) -> int:
    if math.isinf(float(text)):
        raise ValueError(f"{text[:20]}… is too large")
    return int(text)
