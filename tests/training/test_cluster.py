"""Points on a Ray cluster, here of one node on this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from helpers.base.errors import ConfigError, HelpersError, TrainingError
from helpers.cli import main
from helpers.data.splits import Splits
from helpers.training import Experiment, TrainConfig, experiments, run_experiments

ray = pytest.importorskip("ray", reason="needs requirements-cluster.txt")

from ray.cluster_utils import Cluster  # noqa: E402

from helpers.training import cluster  # noqa: E402

CONFIG = TrainConfig(epochs=2, batch_size=16, lr=0.05, precision="fp32", keep_best=True)
SMALL = Experiment("improved_cnn", CONFIG, {"widths": (4, 8)})
train = partial(run_experiments, {"small": SMALL}, seeds=1)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    started = start_cluster()
    yield started.address
    started.shutdown()


def start_cluster(attempts: int = 5) -> Cluster:
    """On a busy machine Ray's own processes may miss the deadlines that it sets."""
    node = {"num_cpus": 2, "num_gpus": 0, "object_store_memory": 80_000_000}
    try:
        return Cluster(initialize_head=True, head_node_args=node)
    except Exception:
        if attempts == 1:
            raise
    return start_cluster(attempts - 1)


@pytest.fixture(scope="module")
def connection(address: str) -> Iterator[None]:
    """One for all tests: its workers have imported what they need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", address)
        with cluster.connected():
            yield


@pytest.fixture
def on_cluster(connection: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "as connected")


def assert_same(one: experiments.Trained, other: experiments.Trained) -> None:
    for a, b in ((one, other), (one.at_best, other.at_best)):
        states = a.model.state_dict(), b.model.state_dict()
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_points_of_a_cluster_have_the_bits_of_one_machine(
    corners: Splits,
    tmp_path: Path,
    connection: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = train(corners, seeds=2, folder=tmp_path / "alone")["small"]
    stored = []
    monkeypatch.setattr(
        ray, "put", lambda data, put=ray.put: stored.append(data) or put(data)
    )
    monkeypatch.setenv("RAY_ADDRESS", "as connected")
    there = train(corners, seeds=2, folder=tmp_path / "there")["small"]
    assert [point.seed for point in there] == [0, 1]
    for one, other in zip(alone, there, strict=True):
        assert_same(one, other)
        assert not other.model.training
    assert sum(isinstance(data, Splits) for data in stored) == 1  # for all points
    kept = sorted(path.name for path in (tmp_path / "there").iterdir())
    assert kept == sorted(path.name for path in (tmp_path / "alone").iterdir())


@pytest.mark.usefixtures("on_cluster")
def test_a_point_whose_worker_dies_goes_on_after_its_last_epoch(
    corners: Splits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain, left = experiments._train, tmp_path / "left.pt"

    def dying(*point: Any, folder: Path, **options: Any) -> Any:
        from helpers.training.loop import TrainingRun  # there

        whole = TrainingRun.one_epoch
        first = not any(folder.glob("*/checkpoint.pt"))

        def one_epoch(run: Any) -> Any:
            if first and run.epoch == 1:
                shutil.copy(*folder.glob("*/checkpoint.pt"), left)
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(run)

        TrainingRun.one_epoch = one_epoch  # type: ignore[method-assign]
        return plain(*point, folder=folder, **options)

    monkeypatch.setattr(experiments, "_train", dying)
    there = train(corners, folder=tmp_path / "there")["small"][0]
    monkeypatch.undo()
    assert re.search(
        "Task 1: The worker died .* Again, from its checkpoint",
        capsys.readouterr().out,
    )
    rows = torch.load(left, weights_only=True)["history"]["rows"]
    assert there.history.rows[:1] == rows  # with its time by the clock
    assert_same(there, train(corners, folder=tmp_path / "alone")["small"][0])


@pytest.mark.usefixtures("on_cluster")
def test_a_point_whose_workers_always_die_is_given_up(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(*_point: Any, **_options: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(experiments, "_train", dying)
    monkeypatch.setattr(cluster, "ATTEMPTS", 2)
    with pytest.raises(HelpersError, match=r"Task 1: The worker died .* 2 of"):
        train(corners, folder=tmp_path)


@pytest.mark.usefixtures("on_cluster")
def test_where_the_folder_is_not_shared_results_come_back(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = SimpleNamespace(name=str(tmp_path / "not/there"))
    monkeypatch.setattr(
        cluster, "NamedTemporaryFile", lambda **_: nullcontext(elsewhere)
    )
    there = train(corners, folder=tmp_path / "points")["small"][0]
    assert not any((tmp_path / "points").iterdir())
    monkeypatch.undo()
    assert_same(there, train(corners, folder=tmp_path / "alone")["small"][0])


@pytest.mark.usefixtures("on_cluster")
def test_what_fails_on_a_node_is_said_in_one_sentence(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steep = {"steep": replace(SMALL, config=replace(CONFIG, lr=1e29))}
    with pytest.raises(TrainingError, match=r"^The (validation )?loss is .*lower lr"):
        run_experiments(steep, corners, seeds=1, folder=tmp_path)
    monkeypatch.setattr(cluster, "TORCH", "1.0")
    with pytest.raises(ConfigError, match=r"has PyTorch 2\S+, the head 1.0: install"):
        train(corners, folder=tmp_path)


@pytest.mark.parametrize(
    ("device", "threads", "refused"),
    [
        ("cuda", 1, r"'num_gpus': 0.5}, .* 2 CPUs and 0 GPUs"),
        ("auto", 8, "'num_cpus': 4"),
    ],
)
def test_what_no_node_has_is_said_at_once(
    device: str, threads: int, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = {"Alive": True, "Resources": {"CPU": 2.0}}
    gone = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    monkeypatch.setattr(ray, "nodes", lambda: [node, gone])
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    with pytest.raises(ConfigError, match=refused):
        cluster._needs(device, 2)


def test_points_share_gpus_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"Alive": True, "Resources": {"CPU": 8.0, "GPU": 4.0}}]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert cluster._needs("auto", 1) == {"num_cpus": 0, "num_gpus": 1.0}
    assert cluster._needs("cuda", 7) == {"num_cpus": 0, "num_gpus": 0.1428}
    assert cluster._needs("cpu", 3) == {"num_cpus": 2, "num_gpus": 0}


def test_a_cluster_whose_nodes_are_gone_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone() -> None:
        raise ConfigError("no node")

    monkeypatch.setattr(ray, "wait", lambda waiting, **_: ([], waiting))
    cancelled = []
    monkeypatch.setattr(ray, "cancel", lambda ref, **_: cancelled.append(ref))
    with pytest.raises(ConfigError, match="no node"):
        list(cluster._finished([partial(object)] * 2, gone))
    assert len(cancelled) == 2


@pytest.mark.parametrize("given", ["127.0.0.1:1", "nonsense", "nowhere.invalid:6379"])
def test_a_cluster_that_cannot_be_reached_is_named(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "")  # which the command sets
    result = CliRunner().invoke(main, ["run", "01_lenet5", "--ray", given])
    assert result.exit_code == 1
    assert result.output.startswith(f"error: The Ray cluster {given} cannot be used (")
    assert len(result.output.splitlines()) == 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of a Ray that is told to start on this machine, and does not."""
    calls: list[str] = []
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda *_, **__: calls.append("init"))
    monkeypatch.setattr(ray, "shutdown", lambda: calls.append("shutdown"))
    return calls


def test_another_python_is_named(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **_options: Any) -> None:
        raise RuntimeError("Version mismatch: Python: 3.9.1")

    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(ConfigError, match=r"3\.9\.1\)\. Expected .* this Python"),
        cluster.connected(),
    ):
        pass


def test_a_connection_is_closed_whatever_happens(asked: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), cluster.connected():
        raise KeyboardInterrupt
    assert asked == ["init", "shutdown"]
