"""Networks pretrained on ImageNet, by torchvision's constructors, and their layers up
to a named one.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import torch
import torchvision
from torch import nn

from helpers.base.errors import ModelError
from helpers.base.files import data_dir, write_atomic
from helpers.models.weights import load_weights, read_state_dict

BACKBONES = ("alexnet", "mobilenet_v2", "resnet50", "squeezenet1_1", "vgg11_bn")
TIMEOUT = 30  # seconds without a byte
# The first digits of the SHA-256 in torchvision's file names; decimals may be a date.
HASH = re.compile(r"-(?=\d*[a-f])([0-9a-f]{8})\.pth?$")

# Mean and standard deviation of each channel, in 0–1.
Stats = tuple[tuple[float, ...], tuple[float, ...]]
IMAGENET: Stats = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Files that want another normalisation, by the first digits of their SHA-256.
OTHER_STATS: dict[str, Stats] = {
    "b56ae799": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # MobileNetV2, fp16, folded
}


@dataclass(frozen=True)
class Backbone:
    """A network with the weights it was given.

    Attributes:
        network: torchvision's, 1,000 classes, in evaluation mode; no ReLU in place.
        mean: of each channel, in 0–1, to normalise images with, like ``std``.
        std: of each channel.
        weights: which weights these are, in words.
        folded: whether batch normalisation is folded into the convolutions, and must
            stay in evaluation mode: a batch's statistics would undo what was learned.
    """

    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: str
    folded: bool


def load_backbone(name: str, weights: str | Path | None) -> Backbone:
    """Builds a network and loads its weights.

    Args:
        name: one of ``BACKBONES``.
        weights: ``imagenet``: torchvision's, downloaded once and checked by hash; a
            path, or the name of a file in ``data/weights``: a state dict in any
            precision; ``random`` or None.

    Raises:
        ModelError: the name is unknown; the file is missing, damaged, or of another
            network; or the download fails.
    """
    if name not in BACKBONES:
        raise ModelError(
            f"There is no backbone {name!r}: known are {', '.join(BACKBONES)}."
        )
    network = torchvision.models.get_model(name, weights=None)
    label, digest = "random", ""
    if weights not in (None, "random"):
        downloaded = weights == "imagenet"
        path = _imagenet_file(name) if downloaded else _find_file(name, str(weights))
        state = read_state_dict(path)
        digest = _checked_digest(path, path.name)
        fault = f"{path} holds the weights of another network than {name}"
        load_weights(network, state, fault)
        label = f"{path.name}, SHA-256 {digest[:8]}"
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # layers' outputs are looked at
    mean, std = OTHER_STATS.get(digest[:8], IMAGENET)
    return Backbone(network.eval(), mean, std, label, _is_folded(network))


def features(network: nn.Module, layer: str) -> nn.Sequential:
    """The layers of a backbone up to and including ``layer``, sharing its weights.

    Args:
        network: as ``load_backbone`` gives it.
        layer: ``features.7``, ``layer3`` or ``avgpool`` as torchvision names them;
            ``features`` for all of that group; ``conv4`` for the fourth convolution of
            a plain chain, with its normalisation and ReLU.

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
        known = sorted(ends, key=lambda name: (name.split(".")[0], len(name), name))
        raise ModelError(
            f"{type(network).__name__} has no layer {layer!r} to end at: known are "
            f"{', '.join(known)}."
        )
    names = list(steps)
    used = names[: names.index(ends[layer]) + 1]
    return nn.Sequential(
        OrderedDict((name.rpartition(".")[2], steps[name]) for name in used)
    )


def _steps(network: nn.Module) -> dict[str, nn.Module]:
    """The modules before the classifier, in order."""
    steps: dict[str, nn.Module] = {}
    for name, module in network.named_children():
        if name == "features":
            children = module.named_children()
            steps |= {f"features.{child}": part for child, part in children}
        elif name not in ("classifier", "fc"):
            steps[name] = module
    return steps


def _convolutions(steps: Mapping[str, nn.Module]) -> dict[str, str]:
    """By ``conv1``, ``conv2`` …: the step that ends it, its normalisation and ReLU."""
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
    """Torchvision's weights in torch.hub's own folder, downloaded if need be."""
    url = _imagenet_url(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        return path
    download = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT, chunk_size=2**16)
    try:
        with write_atomic(path) as temporary:
            download(url, temporary, None)
            _checked_digest(temporary, path.name)
    except (OSError, ModelError) as error:
        raise ModelError(
            f"The ImageNet weights of {name} could not be downloaded ({error}). Try "
            f"again; or download {url} elsewhere and put it there: {path}."
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
        f"{places[1]}). Expected a state dict of torchvision's {name}: put it there, "
        "or choose weights='imagenet' to download torchvision's."
    )


def _checked_digest(path: Path, name: str) -> str:
    """SHA-256 of a file, which must begin with the digits in its name, if any."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    said = HASH.search(name)
    if said and not digest.startswith(said[1]):
        raise ModelError(
            f"{name} is damaged or not what it is called: its SHA-256 begins with "
            f"{digest[:8]}, not {said[1]}. Move {path} elsewhere and download it "
            "again; or, if its name holds no hash, give it another."
        )
    return digest


def _is_folded(network: nn.Module) -> bool:
    """Whether all batch normalisations only add a bias."""
    norms: list[Any] = [
        module for module in network.modules() if isinstance(module, nn.BatchNorm2d)
    ]
    return bool(norms) and all(
        norm.running_mean.abs().max() == 0
        and (norm.running_var == 1).all()
        and norm.bias.abs().max() > 0
        for norm in norms
    )
