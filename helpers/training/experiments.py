"""Several networks, settings and seeds trained in one call; each point is kept."""

import copy
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from helpers.base.errors import ConfigError, DivergedError
from helpers.base.files import writing
from helpers.base.processes import hold, let_go, side_by_side
from helpers.base.tensors import write_tensors
from helpers.data.splits import Split, Splits
from helpers.models.building import create_model, is_known_elsewhere
from helpers.training.checkpoint import read_checkpoint, resuming
from helpers.training.config import TrainConfig, changed
from helpers.training.device import choose_arithmetic, choose_device
from helpers.training.evaluate import Evaluation, evaluate
from helpers.training.history import History
from helpers.training.identity import code_digest, weights_digest
from helpers.training.launch import is_compiled, say_once
from helpers.training.loop import VERSION, Report, TrainingRun
from helpers.training.turns import Steps, run_alone, take_turns

NO_NAME = re.compile(r'[<>:"/\\|?*]')  # in names of files, on some system


@dataclass(frozen=True)
class Experiment:
    """A network, by name, and how it is trained; ``run_experiments`` sets the seed.

    ``arguments`` are the network's, besides the numbers of classes and channels.
    """

    model: str
    config: TrainConfig
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def build(self, splits: Splits, seed: int) -> nn.Module:
        """The network with the random weights of ``seed``."""
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            return create_model(self.model, **self.model_arguments(splits))

    def model_arguments(self, splits: Splits) -> dict[str, Any]:
        """All arguments of the network's constructor."""
        return {
            "num_classes": len(splits.classes),
            "in_channels": splits.channels,
            **self.arguments,
        }


@dataclass(frozen=True)
class Trained:
    """A finished point: one experiment with one seed.

    The model is in evaluation mode; images are normalised with ``mean`` and ``std``, of
    each channel, in 0–1.
    """

    experiment: Experiment
    seed: int
    model: nn.Module
    history: History
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def evaluate(self, split: Split) -> Evaluation:
        """As the function, with the settings of training."""
        precision = self.experiment.config.precision
        return evaluate(
            self.model, split, mean=self.mean, std=self.std, precision=precision
        )

    @property
    def at_best(self) -> Self:
        """The same point after its best epoch on validation.

        Raises:
            ConfigError: it was trained without ``keep_best``.
        """
        if self.history.best_weights is None:
            raise ConfigError(
                "The weights of the best epoch were not kept: set keep_best."
            )
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.history.best_weights)
        return replace(self, model=model)


def run_experiments(
    experiments: Mapping[str, Experiment],
    splits: Splits,
    *,
    seeds: int,
    folder: Path,
    jobs: int = 1,
    report: Report | None = None,
) -> dict[str, list[Trained]]:
    """Trains every experiment with every seed.

    A finished point is taken from ``folder`` the next time; one that was interrupted
    goes on from its checkpoint; one that another process trains is waited for. What
    has other data, settings, code of network, augmentation, loss or loop, other first
    weights, or is trained in other arithmetic (another PyTorch, of a GPU or CPU, its
    precision, compilation) is another point.

    Args:
        experiments: by name.
        splits: the data.
        seeds: how many (0, 1, …).
        folder: where finished points and checkpoints are kept.
        jobs: points trained side by side: processes on a CPU, on a GPU turns in one.
        report: called with the point's name, history and ``config.epochs`` after each
            epoch, and for a finished point also with the length of its history. None
            prints lines.

    Raises:
        ConfigError: there are no seeds.
    """
    if seeds < 1:
        raise ConfigError(f"seeds is {seeds}: expected at least 1.")
    # Each unlabelled image is a view, and would be sent as all of them.
    splits = replace(splits, unlabelled={})
    return train_points(experiments, [splits] * seeds, folder, jobs, report)


def train_points(
    experiments: Mapping[str, Experiment],
    data: Sequence[Splits],
    folder: Path,
    jobs: int,
    report: Report | None,
) -> dict[str, list[Trained]]:
    """As ``run_experiments``, each seed with data of its own."""
    prints = {id(s): s.fingerprint() for s in {id(s): s for s in data}.values()}
    points = [
        (name, experiment, seed, splits, prints[id(splits)])
        for name, experiment in experiments.items()
        for seed, splits in enumerate(data)
    ]
    labels = (f"{name} seed {seed}" for name, _, seed, *_ in points)

    def done(point: Trained) -> None:
        _end(report, next(labels), point)

    train = partial(_train, report=report)
    elsewhere = all(is_known_elsewhere(one.model) for one in experiments.values())
    if os.environ.get("RAY_ADDRESS") and elsewhere:
        from helpers.training.cluster import spread, train_there

        call = partial(train_there, partial(run_alone, train), folder)
        device = points[0][1].config.device
        found = spread(call, points, device=device, jobs=jobs, folder=folder, done=done)
        for point in found:  # this machine may have no GPU, or one of its own
            point.model.to(choose_device("cpu" if device == "cpu" else "auto"))
    elif jobs > 1 and (gpu := _gpu_of(experiments)):
        with torch.cuda.device(gpu):
            found = take_turns([train(*point, folder=folder) for point in points], jobs)
    else:
        if jobs > 1 and not elsewhere:
            jobs = 1
            say_once("Trained one by one", "only one process has a notebook's network")
        alone = partial(run_alone, train, folder=folder)
        found = side_by_side(alone, points, jobs, done if jobs > 1 else None)
    trained = iter(found)
    return {name: list(islice(trained, len(data))) for name in experiments}


def _end(report: Report | None, label: str, point: Trained) -> None:
    if report:
        for epochs in (point.experiment.config.epochs, len(point.history)):
            report(label, point.history, epochs)


def _gpu_of(experiments: Mapping[str, Experiment]) -> torch.device | None:
    devices = (choose_device(one.config.device) for one in experiments.values())
    return next((device for device in devices if device.type == "cuda"), None)


def _train(
    name: str,
    experiment: Experiment,
    seed: int,
    splits: Splits,
    data: str,
    *,
    folder: Path,
    report: Report | None,
) -> Steps[Trained]:
    config = replace(experiment.config, seed=seed)
    device = choose_device(config.device)
    dtype = choose_arithmetic(device, config.precision).dtype
    model = experiment.build(splits, seed)
    settings = {
        "version": VERSION,
        "torch": str(torch.__version__),
        "model": experiment.model,
        "arguments": experiment.model_arguments(splits),
        "data": data,
        "training": changed(config),
        "arithmetic": f"{device.type} {dtype}",
        "compiled": is_compiled(config, device, len(splits.train)),
        "code": code_digest(model),
        "weights": weights_digest(model),
    }
    text = json.dumps(settings, sort_keys=True, default=repr)  # a class, say
    key, settings = hashlib.sha256(text.encode()).hexdigest()[:12], json.loads(text)
    unfinished = folder / f"{NO_NAME.sub('_', name)}-seed{seed}-{key}"
    path = Path(f"{unfinished}.pt")
    label = f"{name} seed {seed}"
    with writing(folder):
        mine = path.is_file() or hold(unfinished)
    if not mine:
        print(f"{label}: another process trains it, waiting")
        while not hold(unfinished):
            for _ in range(100):  # others go on meanwhile, so each wait is short
                time.sleep(0.001)
                yield
    try:
        kept = read_checkpoint(path, settings)
        if kept is None:
            run = TrainingRun(model, splits, config, unfinished)
            try:
                history = yield from run.all_epochs(label, report)
            except DivergedError as error:
                error.row = name
                raise
            kept = {"config": settings, "history": vars(history)}
            write_tensors(path, {**kept, "model": model.state_dict()})
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            with resuming(path):
                history = History(**kept["history"])
                model.load_state_dict(kept["model"])
            if not report:
                print(f"{label}: {len(history)} epochs, trained before")
            model.to(device).to(memory_format=torch.channels_last)
            model.eval()
    finally:
        let_go(unfinished)
    point = Trained(experiment, seed, model, history, *splits.channel_stats())
    _end(report, label, point)
    return point
