"""What building a network takes: its name, first weights, sizes, files of weights."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError, explained, require_known
from helpers.base.tensors import read_tensors

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])
_BUILDERS: dict[str, Callable[..., nn.Module]] = {}
INITIALISERS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier": nn.init.xavier_uniform_,  # Glorot and Bengio 2010
    "he": partial(nn.init.kaiming_normal_, nonlinearity="relu"),  # He et al. 2015
}


def register(name: str) -> Callable[[Builder], Builder]:
    """A decorator that makes a network known as ``name``."""

    def add(builder: Builder) -> Builder:
        _BUILDERS[name] = builder
        return builder

    return add


def model_names() -> list[str]:
    """The names of all networks."""
    return sorted(_BUILDERS)


def is_known_elsewhere(name: str) -> bool:
    """Whether another process can build it, too: not what others register."""
    return getattr(_BUILDERS.get(name), "__module__", "").startswith("helpers.")


def create_model(name: str, /, **arguments: Any) -> nn.Module:
    """Builds a network with fresh random weights.

    Raises:
        ModelError: the name is unknown, or the arguments do not fit the network.
    """
    require_known(ModelError, "There is no model", name, model_names())
    try:
        return _BUILDERS[name](**arguments)
    except ModelError:
        raise
    except Exception as error:  # depends on the network
        raise ModelError(
            f"Model {name!r} cannot be built with {arguments}: {error}."
        ) from error


def initialise(model: nn.Module, init: str | None) -> None:
    """Draws the weights of convolutions and linear layers anew; biases become zero.

    ``init`` is one of ``INITIALISERS``, or None to keep PyTorch's default.

    Raises:
        ModelError: the name is unknown.
    """
    if init is None:
        return
    require_known(ModelError, "There is no initialisation", init, INITIALISERS)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            INITIALISERS[init](module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def flat_size(features: nn.Module, in_channels: int, image_size: int) -> int:
    """How many values fresh layers make of one image; found by trying.

    Raises:
        ModelError: the images are too small for so many layers.
    """
    images = torch.zeros(1, in_channels, image_size, image_size)
    advice = "Choose fewer layers, smaller filters and strides, or larger images."
    used_up = f"Images of {image_size}×{image_size} pixels are used up"
    with explained(ModelError, used_up, advice):
        maps = features.eval()(images)
    features.train()
    return int(maps.numel())


def read_file(path: Path, expected: str) -> Any:
    """The tensors and plain values in a file, on the CPU.

    Raises:
        ModelError: the file is missing, damaged or something else; ``expected`` is a
            sentence on what it should be.
    """
    if not path.is_file():
        raise ModelError(f"There is no model file {path}. {expected}")
    with explained(ModelError, f"{path} cannot be read", expected):
        content: Any = read_tensors(path)
    return content
