"""How the weights of a network start, by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from helpers.base.errors import ModelError

INITIALISERS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier": nn.init.xavier_uniform_,  # Glorot and Bengio 2010
    "he": lambda weight: nn.init.kaiming_normal_(
        weight, nonlinearity="relu"
    ),  # He et al. 2015
}


def initialise(model: nn.Module, init: str | None) -> None:
    """Draws the weights of all convolutions and fully connected layers anew; their
    biases become zero.

    Args:
        model: any network.
        init: one of ``INITIALISERS``, or None to leave PyTorch's default as it is.

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
