"""Several trainings share a GPU from one process: one launches at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


def take_turns(
    calls: Sequence[Callable[[Callable[[], None]], Result]], jobs: int
) -> list[Result]:
    """What the calls return; ``jobs`` of them take turns, each until it pauses.

    A launch does not wait: the GPU computes for several at once, each on its own
    stream. PyTorch's default generators are the same for all threads: whoever has the
    turn finds them as it left them, and draws what it would alone. An error ends all.
    """
    turn, order = threading.Condition(), deque[object]()  # a turn holds the lock
    failed: list[BaseException] = []
    on_gpu = torch.cuda.is_available()

    def work(call: Callable[[Callable[[], None]], Result]) -> Result:
        me, stream = object(), torch.cuda.Stream() if on_gpu else None
        order.append(me)
        with turn, torch.cuda.stream(stream):
            try:
                wait(me)
                for generator in torch.cuda.default_generators:
                    # A captured step draws from the state that it was captured with.
                    generator.graphsafe_set_state(generator.clone_state())
                return call(partial(pass_on, me))
            except BaseException as error:
                failed.append(error)
                raise
            finally:
                order.remove(me)
                turn.notify_all()
                if stream:
                    stream.synchronize()

    def pass_on(me: object) -> None:
        mine = _random_state()
        order.rotate(-1)
        turn.notify_all()
        wait(me)
        _set_random_state(*mine)

    def wait(me: object) -> None:
        turn.wait_for(lambda: failed or order[0] is me)
        if failed:
            raise failed[0]

    if on_gpu:
        torch.cuda.init()  # makes the generators
    own = _random_state()
    try:
        with ThreadPoolExecutor(jobs) as pool:
            try:
                return list(pool.map(work, calls))
            except BaseException as error:
                failed.append(error)  # before the pool waits for its threads
                raise
    finally:
        _set_random_state(*own)


def _random_state() -> tuple[torch.Tensor, list[Any]]:
    states = [one.graphsafe_get_state() for one in torch.cuda.default_generators]
    return torch.get_rng_state(), states


def _set_random_state(cpu: torch.Tensor, gpus: list[Any]) -> None:
    torch.set_rng_state(cpu)
    for generator, state in zip(torch.cuda.default_generators, gpus, strict=True):
        generator.graphsafe_set_state(state)
