"""The process of one contender: makes its training ready, then trains for a while each
time it is told to.

Every contender has a process of its own, so that none profits from, or suffers by, what
another one loads or sets. It is started by ``speed.py`` and speaks JSON lines with it.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from helpers.data import Augment
from helpers.models import create_model

BATCH_SIZE = 128
# The same optimizer for all. Its values do not matter to speed; a small rate keeps
# every loss a number.
SGD: dict[str, Any] = {
    "lr": 1e-3,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "nesterov": True,
}
# The same augmentation for all, each in its own words.
ROTATE, SCALE, TRANSLATE = 15.0, 0.25, 0.1


@dataclass(frozen=True)
class Problem:
    """What a network is trained on."""

    data: str
    classes: int
    image_size: int  # pixels
    augment: Augment
    batch_size: int = BATCH_SIZE
    network: Mapping[str, Any] = field(default_factory=dict)


CALTECH = Problem(
    "caltech101",
    101,
    64,
    Augment(flip=0.5, rotate=ROTATE, scale=SCALE, translate=TRANSLATE),
)
CIFAR = Problem(
    "cifar10",
    10,
    32,
    Augment(flip=0.5, rotate=ROTATE, crop=4),
    batch_size=200,
    network={"batch_norm": True},
)
PROBLEMS = {"lenet5": CALTECH, "resnet18": CALTECH, "conv_net": CIFAR}

MODULES = {
    "ours": "ours",
    "limit": "ours",
    "sweep": "ours",
    "loop": "usual_loop",
    "lightning": "on_lightning",
    "fastai": "on_fastai",
}


@dataclass(frozen=True)
class Task:
    """What a contender is asked to train, and how."""

    contender: str
    model: str
    precision: str  # auto (the contender's own choice), fp32 or bf16
    device: str  # cpu or cuda
    workers: int
    source: str  # of the data: real, or synthetic
    folder: str  # where its images lie
    jobs: int = 1  # trainings side by side, in a sweep
    quick: bool = False  # in small batches: whether it works, not how fast

    @property
    def problem(self) -> Problem:
        problem = PROBLEMS[self.model]
        return replace(problem, batch_size=8) if self.quick else problem

    def make_model(self) -> nn.Module:
        problem = self.problem
        return create_model(self.model, num_classes=problem.classes, **problem.network)


class Window:
    """A stretch of training that is timed: after a warm-up, whole steps until
    ``seconds`` have passed.

    It lies in the midst of an epoch, so whatever is prepared ahead (workers' batches)
    is as full at its end as at its beginning, and starting and ending an epoch cost
    nobody anything.
    """

    def __init__(
        self, *, warmup: int, seconds: float, device: str, batch_size: int
    ) -> None:
        self.warmup, self.seconds, self.device = warmup, seconds, device
        self.batch_size = batch_size
        self.steps = 0
        self.started = self.elapsed = 0.0
        self.memory: int | None = None

    def step(self) -> bool:
        """To be called after every optimizer step; True when the time is over."""
        self.steps += 1
        if self.steps == self.warmup:
            self.started = self._now()
        if (
            self.steps <= self.warmup
            or time.perf_counter() - self.started < self.seconds
        ):
            return False
        self.elapsed = self._now() - self.started
        self.memory = peak_memory()  # while the workers are still there
        return True

    @property
    def images_per_second(self) -> float:
        return (self.steps - self.warmup) * self.batch_size / self.elapsed

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def peak_memory() -> int | None:
    """Most memory this process ever had, with what its workers have of their own, in
    bytes; None if not Linux.

    What a worker shares with this process (libraries, the forked image) is counted
    once.
    """
    try:
        own = _kilobytes(Path("/proc/self/status"), "VmHWM")
        workers = [
            Path(f"/proc/{worker.pid}/smaps_rollup")
            for worker in multiprocessing.active_children()
        ]
        return 1024 * (
            own
            + sum(
                _kilobytes(worker, "Private_Clean", "Private_Dirty")
                for worker in workers
            )
        )
    except OSError:
        return None


def _kilobytes(file: Path, *names: str) -> int:
    lines = (line.partition(":") for line in file.read_text().splitlines())
    return sum(int(value.split()[0]) for name, _, value in lines if name in names)


def main() -> None:
    """Says that it is ready, then times one window per line of standard input."""
    # Frameworks print what they like: they get standard error, and answers a pipe of
    # their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    task = Task(**json.loads(sys.argv[1]))
    # "ours", "limit" and "sweep" are functions of one module, the others of their own.
    prepare: Callable[[Task], tuple[str, Callable[[Window], None]]] = getattr(
        importlib.import_module(MODULES[task.contender]), task.contender
    )
    precision, train = prepare(task)
    on_gpu = task.device == "cuda"
    answer(
        precision=precision,
        threads=torch.get_num_threads(),
        gpu=torch.cuda.get_device_name() if on_gpu else None,
    )
    for line in sys.stdin:
        window = Window(
            **json.loads(line),
            device=task.device,
            batch_size=task.problem.batch_size,
        )
        train(window)
        answer(
            images_per_second=window.images_per_second,
            memory=window.memory,
            gpu_memory=torch.cuda.max_memory_allocated() if on_gpu else None,
        )


if __name__ == "__main__":
    # The other modules import this one by its name: it must not be there twice.
    sys.modules["contender"] = sys.modules["__main__"]
    main()
