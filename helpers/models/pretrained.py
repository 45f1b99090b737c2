"""Networks that have learned ImageNet, by torchvision's constructors, and their layers
up to a named one.

The weights come from the network, from a file, or are random where that is asked for by
name. What is loaded is said in full: which file, which normalisation its images want,
whether its batch normalisation is folded into the convolutions.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import torch
import torchvision
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.base.files import data_dir, write_atomic
from helpers.base.tensors import UnreadableError, read_tensors

BACKBONES = ("alexnet", "mobilenet_v2", "resnet50", "squeezenet1_1", "vgg11_bn")
TIMEOUT = 30  # seconds without a byte

Stats = tuple[
    tuple[float, ...], tuple[float, ...]
]  # mean and standard deviation of each channel, in 0–1
IMAGENET: Stats = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Files whose images were scaled otherwise than torchvision's, by the first digits of
# their SHA-256.
OTHER_STATS: dict[str, Stats] = {
    "b56ae799": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
}  # MobileNetV2, fp16, folded


@dataclass(frozen=True)
class Backbone:
    """A network with the weights it was given.

    Attributes:
        name: one of ``BACKBONES``.
        network: torchvision's network, 1,000 classes, on the CPU, in evaluation mode;
            no ReLU works in place.
        mean: mean of each channel, in 0–1, that its images are to be normalised with.
        std: standard deviation of each channel, likewise.
        weights: which weights these are, in words.
        pretrained: whether they have learned anything.
        folded: whether its batch normalisation is folded into the convolutions: it then
            changes nothing, and must stay in evaluation mode, for statistics of a batch
            would undo what the network has learned.
    """

    name: str
    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: str
    pretrained: bool
    folded: bool


def load_backbone(
    name: str, weights: str | Path | None, *, stats: Stats | None = None
) -> Backbone:
    """Builds a network and gives it its weights.

    Args:
        name: one of ``BACKBONES``.
        weights: ``imagenet``: torchvision's, downloaded once and checked by hash. A
            path, or the name of a file in ``data/weights``: a state dict of that
            network, in any precision. ``random``, the stand-in of quick runs, and None,
            training from scratch: a fresh start.
        stats: mean and standard deviation that the weights want their images normalised
            with; None takes those known for the file, else torchvision's.

    Raises:
        ModelError: the name is unknown; the file is missing, damaged, no state dict or
            that of another network; or the download fails.
    """
    if name not in BACKBONES:
        raise ModelError(
            f"There is no backbone {name!r}: known are {', '.join(BACKBONES)}."
        )
    network = torchvision.models.get_model(name, weights=None)
    label, digest = "random", ""
    if weights not in (None, "random"):
        path = (
            _imagenet_file(name)
            if weights == "imagenet"
            else _find_file(name, str(weights))
        )
        digest = _checked_digest(path, path.name)
        _fill(network, _read_state(path), name, path)
        label = f"{path.name}, SHA-256 {digest[:8]}"
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # guided backpropagation needs what came into a ReLU
    mean, std = stats or OTHER_STATS.get(digest[:8], IMAGENET)
    return Backbone(
        name,
        network.eval(),
        mean,
        std,
        label,
        pretrained=bool(digest),
        folded=_is_folded(network),
    )


def features(network: nn.Module, layer: str) -> nn.Sequential:
    """The layers of a backbone from the image up to and including ``layer``, sharing
    its weights.

    Args:
        network: one of torchvision's, as ``load_backbone`` gives it.
        layer: ``features.7``, ``layer3`` or ``avgpool`` as torchvision names them;
            ``features`` for all layers of that group; ``conv4`` for the fourth
            convolution of a plain chain such as AlexNet with the normalisation and ReLU
            behind it.

    Returns:
        Images (B, 3, H, W) to maps (B, C, h, w).

    Raises:
        ModelError: there is no such layer; the message names those there are.
    """
    steps = _steps(network)
    ends = _convolutions(steps) | {name: name for name in steps}
    if hasattr(network, "features"):
        ends["features"] = [name for name in steps if name.startswith("features.")][-1]
    if layer not in ends:
        known = ", ".join(
            sorted(ends, key=lambda name: (name.partition(".")[0], len(name), name))
        )
        raise ModelError(
            f"{type(network).__name__} has no layer {layer!r} to end at: known are "
            f"{known}."
        )
    names = list(steps)
    used = names[: names.index(ends[layer]) + 1]
    return nn.Sequential(
        OrderedDict((name.rpartition(".")[2], steps[name]) for name in used)
    )


def _steps(network: nn.Module) -> dict[str, nn.Module]:
    """What a network does with an image, one after the other, as long as the result is
    a map.
    """
    parts = dict(network.named_children())
    if "features" not in parts:  # a ResNet
        return {name: module for name, module in parts.items() if name != "fc"}
    steps = {
        f"features.{name}": module
        for name, module in parts["features"].named_children()
    }
    return steps | {name: module for name, module in parts.items() if name == "avgpool"}


def _convolutions(steps: Mapping[str, nn.Module]) -> dict[str, str]:
    """By ``conv1``, ``conv2`` …: the step at which a convolution's normalisation and
    ReLU are done.
    """
    ends: dict[str, str] = {}
    current = ""
    for name, module in steps.items():
        if isinstance(module, nn.Conv2d):
            current = f"conv{len(ends) + 1}"
        elif not isinstance(module, (nn.BatchNorm2d, nn.ReLU)):
            current = ""
        if current:
            ends[current] = name
    return ends


def _imagenet_file(name: str) -> Path:
    """Where torchvision's weights lie, after a download if need be: torch.hub's own
    folder, shared by all projects.
    """
    url = _imagenet_url(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        return path
    try:
        with write_atomic(path) as temporary:
            pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT, chunk_size=2**16)(
                url, temporary, None
            )
            _checked_digest(temporary, path.name)
    except (OSError, ModelError) as error:
        raise ModelError(
            f"The ImageNet weights of {name} could not be downloaded ({error}). Try "
            f"again; or download {url} "
            f"elsewhere and put it there: {path}; or name another file of such weights "
            "as `weights`."
        ) from error
    return path


def _imagenet_url(name: str) -> str:
    url: str = torchvision.models.get_model_weights(name).DEFAULT.url
    return url


def _find_file(name: str, weights: str) -> Path:
    places = [Path(weights).expanduser(), data_dir() / "weights" / weights]
    for place in places:
        if place.is_file():
            return place
    raise ModelError(
        f"There is no weights file {weights!r} (looked for {places[0].absolute()} and "
        f"{places[1]}). Expected a state "
        f"dict of torchvision's {name}: put it there, or choose weights='imagenet' to "
        "download torchvision's."
    )


def _checked_digest(path: Path, name: str) -> str:
    """SHA-256 of a file, held against the first digits of it if its name ends with
    them, as torchvision's do.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    said = re.search(r"-([0-9a-f]{8,})\.\w+$", name)
    if said and not digest.startswith(said[1]):
        raise ModelError(
            f"{name} is damaged or not what it is called: its SHA-256 begins with "
            f"{digest[: len(said[1])]}, "
            f"not {said[1]}. Delete {path} and download it again."
        )
    return digest


def _read_state(path: Path) -> dict[str, Tensor]:
    try:
        state = read_tensors(path)
    except UnreadableError as error:
        raise ModelError(
            f"{path} cannot be read as weights ({error}). {_EXPECTED}"
        ) from error
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(value, Tensor) for value in state.values())
    ):
        raise ModelError(f"{path} holds no state dict. {_EXPECTED}")
    return state


_EXPECTED = (
    "Expected a dictionary of tensors by name, as "
    "torch.save(network.state_dict(), path) writes it."
)


def _fill(
    network: nn.Module, state: Mapping[str, Tensor], name: str, path: Path
) -> None:
    own = network.state_dict()
    counters = [
        key for key in own if key.endswith("num_batches_tracked")
    ]  # older files have none
    problems = {
        "missing": [key for key in own if key not in state and key not in counters],
        "not known": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
            for key in own
            if key in state and state[key].shape != own[key].shape
        ],
    }
    if any(problems.values()):
        said = "; ".join(
            f"{what}: {_some(keys)}" for what, keys in problems.items() if keys
        )
        raise ModelError(
            f"{path} holds the weights of another network than {name}: {said}."
        )
    network.load_state_dict(
        dict(state), strict=False
    )  # into float32, whatever they are in


def _some(keys: Sequence[str]) -> str:
    rest = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + rest


def _is_folded(network: nn.Module) -> bool:
    """Whether all batch normalisations leave their input as it is, but for the bias; a
    fresh one has no bias either.
    """
    norms: list[Any] = [
        module for module in network.modules() if isinstance(module, nn.BatchNorm2d)
    ]
    return bool(norms) and all(
        norm.running_mean.abs().max() == 0
        and (norm.running_var == 1).all()
        and norm.bias.abs().max() > 0
        for norm in norms
    )
