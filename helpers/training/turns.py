"""Several trainings share a GPU from one process: they take turns, step by step."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")
Steps = Generator[None, None, Result]  # takes a step whenever it is asked for the next


def run_alone(start: Callable[..., Steps[Result]], *given: Any, **named: Any) -> Result:
    """What ``start`` of these arguments returns, all steps taken at once."""
    steps = start(*given, **named)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def take_turns(trainings: Iterable[Steps[Result]], jobs: int) -> list[Result]:
    """What the trainings return; ``jobs`` of them take a step each in turn.

    A launch does not wait: the GPU computes for several at once, each on its own
    stream. PyTorch's default generators are common to all: whoever has the turn finds
    them as it left them, and draws what it would alone. An error ends all.
    """
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.init()  # makes the generators
    cpu, gpus = own = _random_state()
    waiting = (
        # A captured step draws from the state of its capture: each has a copy.
        (
            place,
            steps,
            torch.cuda.Stream() if on_gpu else None,
            (cpu, [one.clone_state() for one in gpus]),
        )
        for place, steps in enumerate(trainings)
    )
    active = deque(islice(waiting, jobs))
    found: dict[int, Result] = {}
    try:
        while active:
            place, steps, stream, state = active[0]
            _set_random_state(state)
            with torch.cuda.stream(stream):
                try:
                    next(steps)
                except StopIteration as end:
                    found[place] = end.value
                    active.extend(islice(waiting, 1))
                else:
                    active.append((place, steps, stream, _random_state()))
            active.popleft()
    finally:
        for _, steps, *_ in active:
            steps.close()
        _set_random_state(own)
        if on_gpu:
            torch.cuda.synchronize()
    return [found[place] for place in sorted(found)]


def _random_state() -> tuple[torch.Tensor, list[Any]]:
    states = [one.graphsafe_get_state() for one in torch.cuda.default_generators]
    return torch.get_rng_state(), states


def _set_random_state(state: tuple[torch.Tensor, list[Any]]) -> None:
    torch.set_rng_state(state[0])
    for generator, own in zip(torch.cuda.default_generators, state[1], strict=True):
        generator.graphsafe_set_state(own)
