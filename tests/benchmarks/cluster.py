"""A sweep on a Ray cluster of several nodes on this machine against joblib's processes
on as many cores: time, bits, and what lies in the object store.

    python tests/benchmarks/cluster.py

needs requirements-cluster.txt. README.md beside this file says what was measured.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # a core for each point, either way
os.environ["RAY_DEDUP_LOGS"] = "0"

import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import click
import torch
from ray._private.internal_api import memory_summary
from ray.cluster_utils import Cluster

from helpers.data.catalogue import load_data
from helpers.training import Experiment, TrainConfig, Trained, run_experiments


def stored(seen: list[int], done: Event) -> None:
    """Notes how many MiB lie in all nodes' object stores, until ``done``."""
    while not done.wait(0.2):
        with suppress(Exception):  # connecting, or not connected any more
            summary = memory_summary(stats_only=True)
            seen += map(int, re.findall(r"Plasma memory usage (\d+) MiB", summary))


def differing(one: list[Trained], other: list[Trained]) -> int:
    """How many points have other weights."""
    return sum(
        any(
            not torch.equal(value, b.model.state_dict()[name])
            for name, value in a.model.state_dict().items()
        )
        for a, b in zip(one, other, strict=True)
    )


@click.command()
@click.option("--nodes", default=2, show_default=True, help="Each has one core.")
@click.option("--points", default=30, show_default=True)
@click.option("--epochs", default=5, show_default=True)
@click.option("--limit", default=1_000, show_default=True, help="Training images.")
def main(nodes: int, points: int, epochs: int, limit: int) -> None:
    """Trains LeNet-5 on Caltech-101 with as many seeds as points."""
    splits = load_data("caltech101").limit(train=limit)
    config = TrainConfig(epochs=epochs, precision="fp32", device="cpu")
    sweep: Any = ({"lenet5": Experiment("lenet5", config)}, splits)
    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 500_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    for _ in range(nodes - 1):
        cluster.add_node(**node)
    seen, done, seconds, found = [0], Event(), {}, {}
    watch = Thread(target=stored, args=(seen, done), daemon=True)
    watch.start()
    try:
        for name, address in (("joblib", ""), ("Ray", cluster.address)):
            os.environ["RAY_ADDRESS"] = address
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                found[name] = run_experiments(
                    *sweep, seeds=points, folder=Path(folder), jobs=nodes
                )["lenet5"]
                seconds[name] = time.perf_counter() - began
    finally:
        done.set()
        watch.join()
        cluster.shutdown()
    data = sum(part.images.nbytes for part in splits.parts.values())
    for name, points_there in found.items():
        trained = sum(point.history.seconds for point in points_there)
        click.echo(
            f"{name}: {seconds[name]:.0f} s, of which cores trained for "
            f"{trained / nodes / seconds[name]:.0%}"
        )
    click.echo(
        f"{points} points, {nodes} nodes, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}; other weights: {differing(*found.values())}; "
        f"images {data / 2**20:.0f} MiB, object stores at most {max(seen)} MiB"
    )


if __name__ == "__main__":
    main()
