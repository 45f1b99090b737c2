"""Initialisation of weights, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from helpers.base.errors import ModelError

INITIALISERS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier": nn.init.xavier_uniform_,  # Glorot and Bengio 2010
    "he": partial(nn.init.kaiming_normal_, nonlinearity="relu"),  # He et al. 2015
}


def initialise(model: nn.Module, init: str | None) -> None:
    """Draws the weights of convolutions and linear layers anew; biases become zero.

    ``init`` is one of ``INITIALISERS``, or None to keep PyTorch's default.

    Raises:
        ModelError: the name is unknown.
    """
    if init is None:
        return
    if init not in INITIALISERS:
        raise ModelError(
            f"There is no initialisation {init!r}: known are {', '.join(INITIALISERS)}."
        )
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            INITIALISERS[init](module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
