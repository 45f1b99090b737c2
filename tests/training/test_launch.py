"""A step that is captured, without a GPU: a stand-in for CUDA graphs records what
PyTorch computes and computes it again, numbers of the host as they were then.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._decomp import get_decompositions
from torch._dynamo.exc import TorchDynamoException
from torch._inductor.decomposition import select_decomp_table
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from helpers.data import Augment
from helpers.data.splits import Splits
from helpers.models import ImprovedCNN
from helpers.training import Experiment, TrainConfig, launch, loop, run_experiments
from helpers.training.launch import EAGER, OneLaunch, compiled, is_compiled, say_once
from helpers.training.loop import TrainingRun, image_size
from helpers.training.optimizers import make_optimizer
from helpers.training.turns import run_alone

CPU = torch.device("cpu")
CONFIG = TrainConfig(epochs=3, batch_size=16, lr=0.05, precision="fp32", device="cpu")
EVERYTHING = replace(
    CONFIG,
    clip_norm=1.0,
    ema=0.9,
    l1=1e-4,
    mixup=0.4,
    cutmix=1.0,
    label_smoothing=0.1,
    augment=Augment(flip=0.5, rotate=10, crop=1, elastic=0.02, contrast=0.1, erase=0.5),
)


ALL_ARE_KNOWN = torch.__version__ >= "2.14"  # generators, to a CUDA graph
UNMIXED = {"mixup": 0.0, "cutmix": 0.0}


class Recording(TorchDispatchMode):
    """Stands for ``torch.cuda.graph``: what is computed within is kept, and has not
    happened afterwards.
    """

    def __init__(self, graph: Graph, *, stream: Stream) -> None:
        super().__init__()
        graph.stream = stream
        self.graph, self.random = graph, torch.get_rng_state()
        self.own: list[tuple[torch.Generator, Tensor]] = []  # with its state
        self.before: dict[int, tuple[Any, Any]] = {}  # memory, and what it held

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        for one in tree_leaves((args, kwargs)):
            if isinstance(one, Tensor):
                memory = one.untyped_storage()
                if memory.data_ptr() not in self.before:
                    self.before[memory.data_ptr()] = memory, memory.clone()
            elif isinstance(one, torch.Generator):  # another object at every call
                state = one.get_state()
                known = (torch.equal(state, g.get_state()) for g in self.graph.known)
                if ALL_ARE_KNOWN or any(known):
                    self.own.append((one, state))
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, Tensor):  # within the capture: nothing to restore
                memory = one.untyped_storage()
                self.before.setdefault(memory.data_ptr(), (memory, None))
        self.graph.calls.append((func, args, kwargs or {}, made))
        return made

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for memory, before in self.before.values():
            if before is not None:
                memory.copy_(before)
        torch.set_rng_state(self.random)
        for generator, state in reversed(self.own):
            generator.set_state(state)
        if error[0]:  # CUDA's own is the last, and says nothing
            raise RuntimeError("operation failed due to a previous error")


class Graph:
    """Stands for ``torch.cuda.CUDAGraph``."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.known: list[Generator] = []
        self.stream: Stream | None = None

    def register_generator_state(self, generator: Generator) -> None:
        assert not ALL_ARE_KNOWN  # there it is deprecated, and warns
        self.known.append(generator)

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, made in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(made), tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Stream:
    device_index = 0

    def __init__(self, device: object = None) -> None:
        pass

    def wait_stream(self, other: object) -> None:
        pass


class Generator:
    """A CPU's, which has no states of its own."""

    device = CPU

    def __init__(self, own: torch.Generator = torch.default_generator) -> None:
        self.clone_state = self.get_state = own.get_state
        self.graphsafe_set_state = self.set_state = own.set_state


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Graph]:
    """The graphs that are made, on a machine that seems to have a GPU."""
    made: list[Graph] = []
    usual = Stream()

    def graph() -> Graph:
        made.append(Graph())
        return made[-1]

    stands_for = {
        "CUDAGraph": graph,
        "graph": Recording,
        "Stream": Stream,
        "stream": lambda _stream: nullcontext(),
        "current_stream": lambda _device: usual,
        "default_stream": lambda _device=None: usual,
        "default_generators": (Generator(),),
    }
    for name, value in stands_for.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(OneLaunch, "fails", False)
    return made


def small_run(splits: Splits, config: TrainConfig) -> TrainingRun:
    torch.manual_seed(0)
    return TrainingRun(ImprovedCNN(4, widths=(4, 8), dropout=0.1), splits, config, None)


def trained(run: TrainingRun) -> dict[str, Tensor]:
    torch.manual_seed(7)
    with torch.random.fork_rng(devices=[]):
        for _ in range(run.config.epochs):
            torch.manual_seed(run.epoch)
            run_alone(run.one_epoch)
    average = {} if run.average is None else run.average.state_dict()
    return run.model.state_dict() | average


def launch_at_once(run: TrainingRun) -> None:
    drawn: Any = Generator(run.train_batches.generator)
    run.take, run.update = (
        OneLaunch(part, run.optimizer, drawn) for part in (run.take, run.update)
    )


class SGDOnGPU(torch.optim.SGD):
    """Stands for the fused one, which on a CPU reads its learning rate."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for weight in group["params"]:
                state, momentum = self.state[weight], group["momentum"]
                move = weight.grad + group["weight_decay"] * weight
                speed = state.setdefault("momentum_buffer", torch.zeros_like(weight))
                speed.mul_(momentum).add_(move)
                weight.sub_(group["lr"] * (move + momentum * speed))


def as_on_a_gpu(
    model: nn.Module, config: TrainConfig, extra: Iterable[nn.Parameter]
) -> torch.optim.Optimizer:
    groups = make_optimizer(model, config, extra).param_groups
    return SGDOnGPU(groups, momentum=config.momentum, nesterov=True)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "step"])
@pytest.mark.parametrize("start_size", [None, 8])
@pytest.mark.parametrize("unmixed", [{}, UNMIXED])
def test_a_replayed_step_computes_what_the_step_computes(
    corners: Splits,
    graphs: list[Graph],
    monkeypatch: pytest.MonkeyPatch,
    *,
    schedule: str,
    start_size: int | None,
    unmixed: dict[str, float],
) -> None:
    config = replace(
        EVERYTHING, schedule=schedule, start_size=start_size, step_epochs=1, **unmixed
    )
    monkeypatch.setattr(loop, "make_optimizer", as_on_a_gpu)
    plain, captured = small_run(corners, config), small_run(corners, config)
    launch_at_once(captured)
    expected, found = trained(plain), trained(captured)
    sizes = {image_size(config, epoch, 16) for epoch in range(config.epochs)}
    # One capture for each or, around mixup, of batch and update.
    assert len(graphs) == len(sizes) * (1 if unmixed else 2)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=name, rtol=1e-4, atol=1e-5)
    losses = [run.history.frame["train_loss"].tolist() for run in (plain, captured)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_what_cannot_be_captured_goes_on_as_it_is_and_says_why_once(
    corners: Splits, graphs: list[Graph], capsys: pytest.CaptureFixture[str]
) -> None:
    say_once.cache_clear()
    # SGD that is not fused reads its learning rate.
    plain, first, second = (small_run(corners, EVERYTHING) for _ in range(3))
    expected = trained(plain)
    for run in (first, second):
        launch_at_once(run)
        for name, value in trained(run).items():
            torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)
    said = capsys.readouterr().out
    assert said.count("launched kernel by kernel: operation not permitted") == 1
    assert len(graphs) == 2  # the batch's and, broken off, the update's: no more after


def test_an_error_of_the_step_itself_is_raised(graphs: list[Graph]) -> None:
    weight = nn.Parameter(torch.ones(()))

    def step(_images: Tensor, _targets: Tensor) -> tuple[Tensor, ...]:
        raise RuntimeError("out of memory")

    optimizer = torch.optim.SGD([weight], lr=0.1)
    launch = OneLaunch(step, optimizer, torch.Generator())
    with pytest.raises(RuntimeError, match="out of memory"):
        launch(torch.ones(2), torch.ones(2))


def test_an_error_after_the_capture_is_none_of_it(
    graphs: list[Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    step = OneLaunch(lambda x: (2 * x,), optimizer, torch.Generator())

    def fails(_graph: Graph) -> None:
        raise RuntimeError("out of memory")

    for _ in range(EAGER):
        step(torch.ones(2))
    monkeypatch.setattr(Graph, "replay", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        step(torch.ones(2))
    assert not OneLaunch.fails
    assert len(graphs) == 1


def test_what_is_returned_is_not_overwritten_by_the_next_step(
    graphs: list[Graph],
) -> None:
    weight = nn.Parameter(torch.ones(()))
    launch = OneLaunch(
        lambda images, targets: (images + targets,),
        torch.optim.SGD([weight], lr=0.1),
        torch.Generator(),
    )
    made = [launch(torch.full((2,), k), torch.ones(2))[0] for k in range(EAGER + 3)]
    assert [one[0].item() for one in made] == [k + 1 for k in range(EAGER + 3)]
    assert len(graphs) == 1


@pytest.mark.parametrize("in_turns", [True, False])
def test_a_step_is_captured_on_the_stream_that_its_training_has(
    graphs: list[Graph], monkeypatch: pytest.MonkeyPatch, *, in_turns: bool
) -> None:
    usual: Any = torch.cuda.default_stream()
    current = Stream() if in_turns else usual
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: current)
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(()))], lr=0.1)
    launch = OneLaunch(lambda x: (2 * x,), optimizer, torch.Generator())
    for _ in range(EAGER + 1):
        launch(torch.ones(2))
    [graph] = graphs
    assert graph.stream is not usual  # which cannot be captured
    assert (graph.stream is current) == in_turns


def test_a_network_that_cannot_be_compiled_is_trained_as_it_is(
    corners: Splits, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_images: Tensor) -> Tensor:
        raise TorchDynamoException("no Triton\nand much more")

    say_once.cache_clear()
    expected, run = trained(small_run(corners, CONFIG)), small_run(corners, CONFIG)
    run.forward = fails
    found = trained(run)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert capsys.readouterr().out.count("not compiled: no Triton\n") == 1


def test_poolings_gradient_is_chosen_where_it_is_used() -> None:
    pooling = torch.ops.aten.max_pool2d_with_indices_backward
    # Once PyTorch does without, so can ``compiled``.
    if torch.__version__ >= "2.14":  # of older ones, not all have it
        assert pooling.default in get_decompositions([pooling])
    compiled(nn.Identity())
    assert pooling.default not in select_decomp_table()


def test_a_network_is_compiled_on_a_gpu_where_that_pays() -> None:
    gpu = torch.device("cuda")
    config = TrainConfig(epochs=10, batch_size=100)
    assert not is_compiled(config, CPU, 10**6)
    assert not is_compiled(config, gpu, 1000)
    assert not is_compiled(replace(config, start_size=8), gpu, 10**6)
    assert is_compiled(config, gpu, 10**6) == (find_spec("triton") is not None)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize(
    "settings", [{}, UNMIXED, {"start_size": 8}, {"compiled_from": 0}]
)
def test_a_gpu_replays_what_it_would_compute_step_by_step(
    corners: Splits,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    settings: dict[str, Any],
) -> None:
    monkeypatch.setattr(OneLaunch, "fails", False)
    settings = dict(settings)
    least = settings.pop("compiled_from", 10**9)
    monkeypatch.setattr(launch, "COMPILED_FROM", least)
    config = replace(EVERYTHING, optimizer=name, lr=1e-3, device="cuda", **settings)
    plain, captured = small_run(corners, config), small_run(corners, config)
    plain.take = plain._take
    plain.update = plain._update if plain.mix else plain._whole
    assert isinstance(captured.update, OneLaunch)
    # Not weight by weight: where a gradient is all rounding, RMSprop makes much of it.
    trained(plain), trained(captured)
    for metric in ("train_loss", "valid_loss"):
        one, other = (run.history.frame[metric].tolist() for run in (plain, captured))
        assert one == pytest.approx(other, rel=1e-3), metric
    assert not OneLaunch.fails
    compiles = find_spec("triton") is not None and least == 0
    assert (captured.forward is not captured.model) == compiles


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("settings", [{}, UNMIXED])
def test_side_by_side_on_a_gpu_each_trains_as_alone(
    corners: Splits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> None:
    monkeypatch.setattr(OneLaunch, "fails", False)
    config = replace(EVERYTHING, device="cuda", **settings)
    net = Experiment("improved_cnn", config, {"widths": (4, 8), "dropout": 0.1})
    alone, beside = (
        run_experiments(
            {"net": net}, corners, seeds=4, folder=tmp_path / str(jobs), jobs=jobs
        )["net"]
        for jobs in (1, 3)
    )
    for one, other in zip(alone, beside, strict=True):
        losses = [point.history.frame["train_loss"].tolist() for point in (one, other)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert not OneLaunch.fails


class NoWaits(TorchDispatchMode):
    """Within the block nothing that was computed from ``sources`` is read by the host.

    On a GPU each such read waits for all that was launched before it.
    """

    READS = (
        torch.ops.aten._local_scalar_dense.default,
        torch.ops.aten.equal.default,
        torch.ops.aten.nonzero.default,
        torch.ops.aten.masked_select.default,
        torch.ops.aten._unique2.default,
    )

    def __init__(self, sources: list[Tensor]) -> None:
        super().__init__()
        self.device = {one.untyped_storage().data_ptr(): one for one in sources}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        if any(one.untyped_storage().data_ptr() in self.device for one in given):
            assert func not in self.READS, f"the host waits for {func}"
            made = func(*args, **(kwargs or {}))
            for one in tree_leaves(made):
                if isinstance(one, Tensor):  # and kept, lest its memory be used again
                    self.device[one.untyped_storage().data_ptr()] = one
            return made
        return func(*args, **(kwargs or {}))


class NoReads(TorchFunctionMode):
    """Likewise by name: nothing of a training leaves the device."""

    NAMES = ("cpu", "numpy", "tolist", "item", "__bool__", "__int__", "__float__")

    def __init__(self, waits: NoWaits) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in self.NAMES and isinstance(args[0], Tensor):
            memory = args[0].untyped_storage().data_ptr()
            assert memory not in self.waits.device, f"the host waits for {name}"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "rmsprop", "schedule": "cosine"},
        {"start_size": 8, "loss": "squared_error"},
        {"momentum": 0.0, "precision": "bf16"},
    ],
)
def test_between_the_draw_of_a_batch_and_the_next_the_host_waits_for_nothing(
    corners: Splits, settings: dict[str, Any]
) -> None:
    run = small_run(corners, replace(EVERYTHING, **settings))
    data = [run.train_batches.images, run.train_batches.labels]
    state = [*run.model.state_dict().values(), *run.model.parameters()]
    average = run.average.state_dict().values() if run.average else ()
    waits = NoWaits([*data, *state, *average, run.classes])
    side, batches = image_size(run.config, 0, 16), run.train_batches.order(0)
    run.model.train()
    with NoReads(waits), waits:
        for _ in range(3):
            run.step(next(batches), side)
            run.schedule.after_step()
    with waits, pytest.raises(AssertionError, match="waits"):
        run.model.fc.weight.sum().item()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("unmixed", [{}, UNMIXED])
def test_a_gpus_own_alarm_is_silent_too(
    corners: Splits, monkeypatch: pytest.MonkeyPatch, unmixed: dict[str, float]
) -> None:
    monkeypatch.setattr(OneLaunch, "fails", False)
    run = small_run(corners, replace(EVERYTHING, device="cuda", **unmixed))
    run.model.train()
    batches = run.train_batches.order(0)
    for _ in range(EAGER + 1):
        run.step(next(batches), 16)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            run.step(next(batches), 16)
            run.schedule.after_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert not OneLaunch.fails
