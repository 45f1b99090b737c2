"""``metrics.json``: what a run was, what it measured and how it ended."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from helpers.base.errors import ConfigError, ExportError
from helpers.base.files import write_atomic

OPTIONAL = {"error", "reduced"}  # left out where there is nothing to say
REQUIREMENT = ("section", "text", "threshold", "value", "met")
SUMMARY = ("mean", "std", "ci95", "values")
Status = Literal["running", "complete", "failed", "killed", "timeout"]


@dataclass
class RunRecord:
    """The content of a ``metrics.json``.

    Attributes:
        notebook: its name, ``caltech101/01_lenet5``.
        status: how the run ended, or that it has not.
        data: ``name``, ``source`` (``real`` or ``synthetic``) and ``splits`` (images in
            each); of a run that starts from a pretrained network also ``backbone`` and
            ``weights``.
        parameters: the values that the run used.
        reduced: which of them make it smaller than the notebook's own experiment.
        results: for each model, each metric (``valid_accuracy``) as ``summarize`` gives
            it.
        requirements: ``section``, ``text``, ``threshold``, ``value`` and ``met`` of
            each; where the value is the mean of a result, ``metric`` says which: the
            model and the metric.
        environment: ``device``, ``torch``, ``python``, ``commit`` and the like.
        seconds: wall time of the run.
        error: why it did not complete.
    """

    notebook: str
    status: Status = "running"
    data: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    results: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    requirements: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    reduced: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> RunRecord:
        """Reads a record.

        Raises:
            ExportError: there is none, or it is truncated or of another version; the
                message names the file.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ExportError(
                f"There is no record of a run at {path} ({error.strerror}): run its "
                "notebook."
            ) from error
        except ValueError as error:
            raise ExportError(
                f"{path} is damaged or cut short ({error}): run its notebook again."
            ) from error
        _check(content, path)
        return cls(**content)

    def values(self, model: str, metric: str) -> list[float]:
        """A metric's values, one per seed.

        Raises:
            ExportError: the run has not recorded it.
        """
        known = self.results.get(model, {})
        if metric not in known:
            what = (
                f"{model} has {', '.join(known)}"
                if known
                else f"it has {', '.join(self.results) or 'no results'}"
            )
            raise ExportError(
                f"The run of {self.notebook} has recorded no {metric} of {model}; "
                f"{what}."
            )
        values: list[float] = known[metric]["values"]
        return values

    @property
    def drawn(self) -> bool:
        """Whether its images are a stand-in, or it does not say what they are: then
        nothing in it is a result.
        """
        return self.data.get("source") != "real"

    @property
    def untrained(self) -> bool:
        """Whether its backbone had random weights in place of pretrained ones: then
        nothing in it is a result.
        """
        return self.data.get("weights") == "random"

    @property
    def reduction(self) -> str:
        """The smaller values of a reduced run, ``epochs 2, seeds 1``; empty for a whole
        one.
        """
        return ", ".join(f"{name} {self.parameters[name]}" for name in self.reduced)

    def reached(self, requirement: Mapping[str, Any]) -> str:
        """What was reached of a requirement, as text: its metric with the interval, if
        it is about one.
        """
        if "metric" in requirement:
            model, metric = requirement["metric"]
            return format_metric(metric, self.results[model][metric])
        value = requirement["value"]
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"

    def save(self, path: Path) -> None:
        """Writes the record to ``path``, whole or not at all."""
        content = asdict(self)
        content = {
            name: value
            for name, value in content.items()
            if value or name not in OPTIONAL
        }
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        with write_atomic(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def summarize(values: Iterable[float]) -> dict[str, Any]:
    """The mean over seeds and how sure it is.

    Args:
        values: one number per seed.

    Returns:
        ``mean``; ``std``, the sample's standard deviation (0 for one seed); ``ci95``,
        half the width of the 95 % confidence interval of the mean by Student's t (None
        for one seed, which says nothing about others); ``values``.

    Raises:
        ConfigError: there is no value, or one that is not a finite number.
    """
    numbers = [float(value) for value in values]
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise ConfigError(
            f"A result needs finite numbers, one per seed, not {numbers}."
        )
    mean, count = statistics.fmean(numbers), len(numbers)
    if count == 1:
        return {"mean": mean, "std": 0.0, "ci95": None, "values": numbers}
    from scipy.special import stdtrit  # the command line starts without it  # noqa: PLC0415

    std = statistics.stdev(numbers)
    ci95 = float(stdtrit(count - 1, 0.975)) * std / math.sqrt(count)
    return {"mean": mean, "std": std, "ci95": ci95, "values": numbers}


def format_metric(metric: str, summary: dict[str, Any]) -> str:
    """The mean of a metric with its 95 % interval, ``85.0 ± 2.5 % (3 seeds)``.

    Args:
        metric: its name, ``valid_accuracy``; a share is given in percent.
        summary: as ``summarize`` returns it.
    """
    share = "accuracy" in metric or "_f1" in metric
    scale, unit = (100, " %") if share else (1, "")
    counted = all(float(value).is_integer() for value in summary["values"])
    digits, seeds = (1 if share or counted else 3), len(summary["values"])
    if summary["ci95"] is None:
        return f"{scale * summary['mean']:.{digits}f}{unit} (one seed)"
    half = scale * summary["ci95"]
    while (
        0 < half < 0.5 * 0.1**digits and digits < 3
    ):  # an interval that is not zero is not shown as zero
        digits += 1
    return (
        f"{scale * summary['mean']:.{digits}f} ± {half:.{digits}f}{unit} ({seeds} "
        "seeds)"
    )


def _has(entry: Any, names: Iterable[str]) -> bool:
    return isinstance(entry, dict) and set(names) <= set(entry)


def _is_result(named: Any, results: Mapping[str, Any]) -> bool:
    """Whether a requirement's ``metric`` is none, or the model and the metric of a
    result.
    """
    match named:
        case None:
            return True
        case [str(model), str(metric)]:
            return metric in results.get(model, {})
    return False


def _check(content: Any, path: Path) -> None:
    names = {item.name for item in fields(RunRecord)}
    found = set(content) if isinstance(content, dict) else set()
    if missing := sorted(names - found - OPTIONAL):
        problem = f"lacks {', '.join(missing)}"
    elif unknown := sorted(found - names):
        problem = f"holds the unknown {', '.join(unknown)}"
    elif content["status"] not in get_args(Status):
        problem = (
            f"has the status {content['status']!r} instead of one of "
            f"{', '.join(get_args(Status))}"
        )
    elif not all(
        isinstance(content[name], dict)
        for name in ("data", "parameters", "results", "environment")
    ):
        problem = "has data, parameters, results or an environment that are no mapping"
    elif not set(content.get("reduced", ())) <= set(content["parameters"]):
        problem = "calls parameters reduced that it does not have"
    elif not all(_has(row, REQUIREMENT) for row in content["requirements"]):
        problem = f"has a requirement without one of {', '.join(REQUIREMENT)}"
    elif not all(
        _has(summary, SUMMARY)
        for metrics in content["results"].values()
        for summary in metrics.values()
    ):
        problem = f"has a result without one of {', '.join(SUMMARY)}"
    elif not all(
        _is_result(row.get("metric"), content["results"])
        for row in content["requirements"]
    ):
        problem = "has a requirement about a result that it does not have"
    else:
        return
    raise ExportError(
        f"{path} is of another version: it {problem}. Run its notebook again."
    )
