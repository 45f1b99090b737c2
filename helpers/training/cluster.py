"""Points of a training sent to a Ray cluster, as tasks."""

import os
import platform
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import torch

import helpers
from helpers.base.errors import ConfigError, HelpersError, explained
from helpers.base.files import data_dir

# Ray reads them once: what workers print is shown, line by line, as it is.
os.environ |= {"RAY_DEDUP_LOGS": "0", "RAY_COLOR_PREFIX": "0"}
token = Path.home() / ".ray/auth_token"
if token.is_file() and "ray" not in sys.modules:  # then `ray start` asks for it
    os.environ.setdefault("RAY_AUTH_MODE", "token")
try:
    import ray
    from ray._private.services import canonicalize_bootstrap_address
except ImportError as error:
    raise ConfigError(
        f"RAY_ADDRESS is set, but {error}: pip install -r requirements-cluster.txt"
    ) from error

ATTEMPTS = 4  # at a task whose workers die
PATIENCE = 60  # seconds without a result before the nodes are counted again
TORCH = torch.__version__.partition("+")[0]  # for a CPU or a GPU


@contextmanager
def connected() -> Iterator[None]:
    """A connection to the cluster at ``$RAY_ADDRESS``; a ConfigError says why not."""
    if ray.is_initialized():  # by the user, who ends it
        yield
        return
    address = os.environ["RAY_ADDRESS"]
    # Workers import this very library, whatever is installed there.
    env = {"py_modules": [helpers], "env_vars": {"CNN_DATA": str(data_dir())}}
    advice = "Expected auto, local or HOST:PORT of one with this Python and this Ray."
    with explained(ConfigError, f"The Ray cluster {address} cannot be used", advice):
        if found := canonicalize_bootstrap_address(address):
            host, _, port = found.rpartition(":")  # Ray would try for minutes
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(found or "local", runtime_env=env, logging_level="ERROR")
    try:
        yield
    finally:
        ray.shutdown()


def spread(
    call: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    *,
    device: str,
    jobs: int,
    folder: Path,
    done: Callable[[Any], None],
) -> list[Any]:
    """What ``call`` returns for each of ``arguments``, each a task of its own.

    What several have in common is sent once. A task whose worker dies starts again.
    ``call`` is told as ``shared`` whether ``folder``, where this machine keeps what
    tasks leave, is seen from its node; ``done`` is told each result, in order. As many
    ``jobs`` share a GPU, or as many cores as this machine has.

    Raises:
        ConfigError: the cluster cannot be used, or no node has what a task needs.
        HelpersError: what ``call`` raises; or workers die again and again.
    """
    check = partial(_needs, device, jobs)
    sent: dict[int, Any] = {}  # by identity
    starts, found, told = [], dict[int, Any](), 0
    folder.mkdir(parents=True, exist_ok=True)
    with connected(), NamedTemporaryFile(dir=folder, prefix=".shared-") as mark:
        needs = check()
        task = ray.remote(_there).options(max_retries=0, **needs)
        about = call, Path(mark.name), needs["num_cpus"], TORCH
        for values in arguments:
            for value in values:
                sent[id(value)] = sent.get(id(value)) or ray.put(value)
            refs = [sent[id(value)] for value in values]
            starts.append(partial(task.remote, about, *refs))
        for index, result in _finished(starts, check):
            found[index] = result
            while told in found:
                done(found[told])
                told += 1
    return [found[index] for index in range(len(arguments))]


def train_there(
    train: Callable[..., Any], folder: Path, *point: Any, shared: bool
) -> Any:
    """On a node: what ``train`` makes of a point, on the CPU.

    Where ``folder`` is not shared, nothing is kept but the result.
    """
    with nullcontext(folder) if shared else TemporaryDirectory() as own:
        trained = train(*point, folder=Path(own))
    trained.model.cpu()
    best = trained.history.best_weights or {}
    best |= {name: weight.cpu() for name, weight in best.items()}
    return trained


def _finished(
    starts: Sequence[Callable[[], Any]], check: Callable[[], Any]
) -> Iterator[tuple[int, Any]]:
    """Results as they come, by place; ``check`` is called where none comes for long."""
    running = {start(): (index, 1) for index, start in enumerate(starts)}
    try:
        while running:
            ready, _ = ray.wait(list(running), timeout=PATIENCE)
            if not ready:
                check()
            for ref in ready:
                index, attempt = running.pop(ref)
                try:
                    yield index, ray.get(ref)
                except ray.exceptions.RayTaskError as error:
                    known = isinstance(error.cause, HelpersError)
                    raise (error.cause if known else error) from None
                except ray.exceptions.RayError as error:
                    lost = f"Task {index + 1}: {str(error).splitlines()[0]}"
                    if attempt == ATTEMPTS:
                        raise HelpersError(
                            f"{lost} So did {attempt} of them: take fewer jobs if "
                            "memory ran out."
                        ) from None
                    print(f"{lost} Again, from its checkpoint where that is shared.")
                    running[starts[index]()] = index, attempt + 1
    finally:  # one that fails ends them all
        for ref in running:
            ray.cancel(ref, force=True)


def _needs(device: str, jobs: int) -> dict[str, float]:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = (max(n.get(kind, 0) for n in nodes) for kind in ("CPU", "GPU"))
    if device == "cpu" or (device == "auto" and not gpus):
        # As on one machine: other numbers of threads give other bits.
        needs = {"num_cpus": max(torch.get_num_threads() // jobs, 1), "num_gpus": 0.0}
    else:  # Ray counts in ten-thousandths.
        needs = {"num_cpus": 0, "num_gpus": 10_000 // jobs / 10_000}
    if needs["num_cpus"] > cpus or needs["num_gpus"] > gpus:
        raise ConfigError(
            f"A task needs {needs}, but no node has more than {cpus:g} CPUs and "
            f"{gpus:g} GPUs: set OMP_NUM_THREADS, jobs or device."
        )
    return needs


def _there(about: Any, *given: Any) -> Any:
    call, mark, threads, version = about
    if version != TORCH:
        raise ConfigError(
            f"{platform.node()} has PyTorch {TORCH}, the head {version}: install the "
            "same."
        )
    os.environ.pop("RAY_ADDRESS", None)  # what it trains, it trains here
    if threads:
        torch.set_num_threads(threads)
    return call(*given, shared=mark.exists())
