"""One launch per training step: on a GPU it is captured once and replayed.

A step of a small network is some hundred kernels, which a processor launches more
slowly than a GPU computes them. A CUDA graph holds them all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch._dynamo import config as dynamo
from torch.optim import Optimizer

from helpers.training.config import TrainConfig

EAGER = 3  # calls before a capture, as in PyTorch's notes on CUDA graphs
COMPILATIONS = 64  # of a class of networks in a process; PyTorch would end at 8
COMPILED_FROM = 2000  # steps: each saves 1 ms; compiling, some 15 s, is once for all

Step = Callable[..., tuple[Tensor, ...]]


def is_compiled(config: TrainConfig, device: torch.device, images: int) -> bool:
    """Whether a training on so many images compiles its network."""
    steps = config.epochs * max(1, images // config.batch_size)
    pays = steps >= COMPILED_FROM and not config.start_size  # once for each size
    return device.type == "cuda" and pays and find_spec("triton") is not None


def compiled(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The network by ``torch.compile``, which starts at its first use."""
    from torch._inductor.decomposition import select_decomp_table

    # Pooling's gradient is chosen where it is used, not added up in float32.
    added_up = torch.ops.aten.max_pool2d_with_indices_backward.default
    select_decomp_table().pop(added_up, None)
    # Each probability of ``nn.Dropout`` is another compilation.
    dynamo.recompile_limit = COMPILATIONS
    forward: Callable[[Tensor], Tensor] = torch.compile(model, dynamic=False)
    return forward


class OneLaunch:
    """A training step on a GPU, or a part around mixup, from a CUDA graph.

    The first calls with tensors of a shape run kernel by kernel: they compile, and make
    the optimizer's state. Numbers stay as they were captured, but for the learning
    rates: the optimizer is given tensors for them. ``generator`` is what is drawn from,
    besides PyTorch's own. The step must not wait for the GPU. What cannot be captured
    goes on kernel by kernel, as does whatever comes after, and says why once.
    """

    fails = False  # for all: a capture that is broken off spoils generators and memory

    def __init__(
        self, step: Step, optimizer: Optimizer, generator: torch.Generator
    ) -> None:
        self._step, self._optimizer = step, optimizer
        self._generator, self._device = generator, generator.device
        self._stream: torch.cuda.Stream
        # PyTorch would warn that the first steps are not captured.
        vars(optimizer)["_warned_capturable_if_run_uncaptured"] = True
        self._kind: object = None
        self._calls = 0
        self._rates: list[Tensor] = []

    def __call__(self, *given: Tensor, **numbers: int) -> tuple[Tensor, ...]:
        """As the step; what it returns is the caller's own."""
        kind = [one.shape for one in given], numbers
        if kind != self._kind:  # images only grow: the graph before is done with
            self._kind, self._calls = kind, 0
        self._calls += 1
        step = partial(self._step, **numbers)
        if not OneLaunch.fails:
            try:
                with self._rates_on_device():
                    return self._launch(step, given)
            except RuntimeError as error:
                if not self.fails:
                    raise
                why = str(error.__context__ or error)  # that of the capture says less
                say_once("Training steps are launched kernel by kernel", why)
        return step(*given)

    def _launch(self, step: Step, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        current = torch.cuda.current_stream(self._device)
        if self._calls == 1:  # where it will be captured: gradients know streams
            # In order with all of its training: streams are few, two may have the same.
            usual = current == torch.cuda.default_stream(self._device)
            self._stream = torch.cuda.Stream(self._device) if usual else current
        if self._calls <= EAGER:
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                made = step(*given)
            current.wait_stream(self._stream)
            return made
        if self._calls == EAGER + 1:
            self._capture(step, given)
        for kept, new in zip(self._given, given, strict=True):
            kept.copy_(new)
        self._graph.replay()
        return tuple(one.clone() for one in self._made)  # the next writes there too

    def _capture(self, step: Step, given: tuple[Tensor, ...]) -> None:
        self._graph = torch.cuda.CUDAGraph()
        if torch.__version__ < "2.14":  # later ones know of all generators
            self._graph.register_generator_state(self._generator)
        usual = torch.cuda.default_generators[self._stream.device_index]
        generators = usual, self._generator
        before = [(one, one.clone_state()) for one in generators]
        self._given = [one.clone() for one in given]
        try:
            # PyTorch 2.11 would stay on the stream of a capture that fails.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(self._graph, stream=self._stream),
            ):
                self._made = step(*self._given)
        except RuntimeError:
            OneLaunch.fails = True  # random numbers are unusable then
            for generator, state in before:
                generator.graphsafe_set_state(state)
            raise

    @contextmanager
    def _rates_on_device(self) -> Iterator[None]:
        """Within the block the optimizer finds its learning rates as tensors."""
        groups = self._optimizer.param_groups
        numbers = [group["lr"] for group in groups]
        if not self._rates:
            self._rates = [torch.zeros((), device=self._device) for _ in groups]
        for group, number, rate in zip(groups, numbers, self._rates, strict=True):
            group["lr"] = rate.fill_(number)  # unlike a copy, without a wait
        try:
            yield
        finally:
            for group, number in zip(groups, numbers, strict=True):
                group["lr"] = number


@cache
def say_once(what: str, why: str) -> None:
    """Prints what happens instead, and the first line of why."""
    print(f"{what}: {why.strip().partition(chr(10))[0]}", flush=True)
