"""Images per second in training: this library, the limit, and the usual ways, in one
run.

    python tests/benchmarks/speed.py

README.md beside this file says what is compared, and what to install for it.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from contender import CALTECH, PROBLEMS, Problem
from process import ContenderError, Process
from table import Contender, Measured, format_table, format_verdict

from helpers.base.environment import commit, cpu_name
from helpers.data.catalogue import find_data_set, load_data

MODELS = {"lenet5": "LeNet-5", "resnet18": "ResNet-18", "conv_net": "ConvNet"}
CONTENDERS = (
    Contender("ours", "auto", "this library"),
    Contender("sweep", "auto", "this library, trainings side by side"),
    Contender("limit", "auto", "the limit: one resident batch"),
    Contender("loop", "fp32", "torchvision + DataLoader", at_defaults=True),
    Contender("loop", "bf16", "torchvision + DataLoader, bf16"),
    Contender("lightning", "fp32", "Lightning", "lightning", at_defaults=True),
    Contender("lightning", "bf16", "Lightning, bf16", "lightning"),
    Contender("fastai", "fp32", "fastai", "fastai", at_defaults=True),
    Contender("fastai", "bf16", "fastai, bf16", "fastai"),
)


class Benchmark:
    """All contenders with one model.

    Attributes:
        results: what each has reached so far, by its key; one that fails is taken out.
        failed: whether any did.
        facts: what the last one to start said of itself.
    """

    def __init__(self, contenders: Sequence[Contender], **task: Any) -> None:
        self.contenders, self.task = contenders, task
        self.results: dict[str, Measured] = {}
        self.facts: dict[str, Any] = {}
        self.failed = False

    def run(self, rounds: int, **window: Any) -> None:
        """Starts every contender, then times each in turn, ``rounds`` times: never two
        at once.
        """
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            processes = {
                contender: self._start(contender, Path(folder), stack)
                for contender in self.contenders
            }
            for number in range(1, rounds + 1):
                _progress(
                    f"\n{MODELS[self.task['model']]}, round {number} of {rounds}, "
                    "images/s:"
                )
                for contender, process in processes.items():
                    if process is not None and contender.key in self.results:
                        self._time(contender, process, **window)
            _progress("\n")

    def _start(
        self, contender: Contender, folder: Path, stack: ExitStack
    ) -> Process | None:
        try:
            process = stack.enter_context(
                Process.started(contender, folder / contender.key, **self.task)
            )
        except ContenderError as error:
            self._lose(contender, error)
            return None
        self.facts = process.facts
        self.results[contender.key] = Measured(process.facts["precision"])
        return process

    def _time(self, contender: Contender, process: Process, **window: Any) -> None:
        try:
            answer = process.time(**window)
        except ContenderError as error:
            self._lose(contender, error)
            return
        measured = self.results[contender.key]
        measured.rates.append(answer["images_per_second"])
        measured.memory, measured.gpu_memory = answer["memory"], answer["gpu_memory"]
        _progress(f"  {contender.key} {answer['images_per_second']:,.0f}")

    def _lose(self, contender: Contender, error: ContenderError) -> None:
        self.failed = True
        self.results.pop(contender.key, None)
        _progress(f"\n{contender.title} failed:\n{error}\n")


@click.command()
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True
)
@click.option(
    "--model",
    "models",
    type=click.Choice(list(MODELS)),
    multiple=True,
    help="Only this one; repeatable.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="How often each is timed.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0),
    default=3.0,
    show_default=True,
    help="How long each time.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="Of the rivals' data loaders.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Trainings side by side on a GPU.",
)
@click.option(
    "--contender",
    "names",
    type=click.Choice(sorted({contender.name for contender in CONTENDERS})),
    multiple=True,
    help="Only this one; repeatable.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Two steps each, on a stand-in if need be: does everything still work?",
)
def main(
    *,
    device: str,
    models: tuple[str, ...],
    names: tuple[str, ...],
    rounds: int,
    seconds: float,
    workers: int,
    jobs: int,
    quick: bool,
) -> None:
    """Times the training of each contender in turn; prints the result as Markdown."""
    models = models or tuple(MODELS)
    for name in dict.fromkeys(PROBLEMS[model].data for model in models):
        data = find_data_set(name)
        if not (data.present or quick):
            raise click.ClickException(
                f"{name} is not there: looked for {data.path}. First {data.advice}."
            )
    if quick:
        rounds, seconds = 1, 0.0
    contenders = [
        contender
        for contender in CONTENDERS
        if (not names or contender.name in names) and _is_installed(contender)
    ]
    failed = False
    facts: dict[str, Any] = {}
    for model in models:
        problem = PROBLEMS[model]
        splits = load_data(problem.data)
        taking_part = [
            contender
            for contender in contenders
            if _takes_part(contender, problem, splits.source, device)
        ]
        benchmark = Benchmark(
            taking_part,
            model=model,
            device=device,
            workers=workers,
            jobs=jobs,
            source=splits.source,
            quick=quick,
            folder=str(find_data_set(splits.name).path),
        )
        benchmark.run(rounds, warmup=1 if quick else 4, seconds=seconds)
        failed |= benchmark.failed
        facts |= benchmark.facts
        verdict = (
            "A quick run: too short to judge by."
            if quick
            else format_verdict(taking_part, benchmark.results)
        )
        table = format_table(taking_part, benchmark.results)
        click.echo(f"### {MODELS[model]}\n\n{table}\n\n{verdict}\n")
    beside = f", {jobs} trainings side by side" if device == "cuda" else ""
    click.echo(
        f"{rounds} rounds of {seconds:g} s, {workers} workers{beside}. "
        f"{_circumstances(facts)}"
    )
    sys.exit(failed)


def _takes_part(
    contender: Contender, problem: Problem, source: str, device: str
) -> bool:
    """Some read folders of images, which CIFAR-10 and stand-ins are not."""
    if contender.name == "sweep":
        return device == "cuda"  # on a CPU: processes, of which each has its cores
    if contender.name in ("ours", "limit"):
        return True
    if problem is CALTECH:
        return source == "real"
    return contender.name != "fastai"


def _is_installed(contender: Contender) -> bool:
    if contender.package is None or find_spec(contender.package) is not None:
        return True
    _progress(f"{contender.title} is left out: {contender.package} is not installed.\n")
    return False


def _circumstances(facts: dict[str, Any]) -> str:
    packages = [
        name
        for name in ("torch", "torchvision", "lightning", "fastai")
        if find_spec(name) is not None
    ]
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    device = cpu_name() if facts.get("gpu") is None else f"{facts['gpu']}, {cpu_name()}"
    return (
        f"{device}, {os.cpu_count()} cores, {facts.get('threads')} threads; "
        f"Python {platform.python_version()}, {versions}; commit "
        f"{commit() or 'unknown'}."
    )


def _progress(text: str) -> None:
    click.echo(text, nl=False, err=True)


if __name__ == "__main__":
    main()
