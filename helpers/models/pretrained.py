"""Networks pretrained on ImageNet, by torchvision's constructors, and their layers up
to a named one.
"""

from pathlib import Path
from typing import Any

import pooch
import torch
import torchvision
from torch import nn

from helpers.base.errors import ModelError, explained, require_known
from helpers.base.files import data_dir
from helpers.models.building import read_file

BACKBONES = ("alexnet", "mobilenet_v2", "resnet50", "squeezenet1_1", "vgg11_bn")
# Mean and standard deviation of each channel, in 0–1.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# By its SHA-256, a MobileNetV2 in half precision that wants images normalised with
# HALVES. Its batch normalisation is folded into the convolutions and must stay in
# evaluation mode: a batch's statistics would undo what was learned.
FOLDED = "b56ae799"
WRAPPERS = ("state_dict", "model", "model_state_dict")


def load_backbone(name: str, weights: str | None) -> tuple[nn.Module, str]:
    """Builds a network for 1,000 classes and loads its weights.

    Args:
        name: one of ``BACKBONES``.
        weights: ``imagenet``: torchvision's, downloaded once and checked by hash; a
            path, or the name of a file in ``data/weights``: a state dict in any
            precision, or a checkpoint that holds one; ``random`` or None.

    Returns:
        The network, in evaluation mode and without ReLU in place; and which weights it
        has, ``random`` or the file and the first eight digits of its SHA-256.

    Raises:
        ModelError: the name is unknown; the file is missing, damaged, or of another
            network; or the download fails.
    """
    require_known(ModelError, "There is no backbone", name, BACKBONES)
    network = torchvision.models.get_model(name, weights=None)
    label = "random"
    if weights and weights != "random":
        if weights == "imagenet":
            path = _imagenet_file(name)
        else:
            path = Path(weights).expanduser()
            path = path if path.is_file() else data_dir() / "weights" / path
        expected = (
            f"Expected a state dict of torchvision's {name}, as "
            "torch.save(model.state_dict(), path) writes it; or choose "
            "weights='imagenet' to download torchvision's."
        )
        state = _plain_state(read_file(path, expected))
        misfit = f"The weights in {path} do not fit {type(network).__name__}"
        with explained(ModelError, misfit, expected):
            network.load_state_dict(state)
        label = f"{path.name}, SHA-256 {pooch.file_hash(path)[:8]}"
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # layers' outputs are looked at
    return network.eval(), label


def _plain_state(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    return next(filter(None, map(content.get, WRAPPERS)), content)


def features(network: nn.Module, layer: str) -> nn.Sequential:
    """The layers of a backbone up to and including ``layer``, sharing its weights.

    Args:
        network: as ``load_backbone`` gives it.
        layer: ``features.7`` or ``layer3`` as torchvision names them; ``features`` for
            all of that group; ``conv4`` for the fourth convolution of a plain chain,
            with its normalisation and ReLU.

    Returns:
        Images (B, 3, H, W) to maps (B, C, h, w).

    Raises:
        ModelError: there is no such layer; the message names those there are.
    """
    steps: dict[str, nn.Module] = {}
    for name, module in network.named_children():
        if name == "features":
            steps |= {f"features.{key}": step for key, step in module.named_children()}
        elif name not in ("classifier", "fc"):
            steps[name] = module
    chain = nn.Sequential()
    ends: dict[str, int] = {}  # how long the chain is at the end of each layer
    convolutions, convolved = 0, False
    for name, module in steps.items():
        chain.add_module(name.rpartition(".")[2], module)
        ends[name] = ends[name.partition(".")[0]] = len(chain)
        if isinstance(module, nn.Conv2d):
            convolutions, convolved = convolutions + 1, True
        elif not isinstance(module, (nn.BatchNorm2d, nn.ReLU)):
            convolved = False
        if convolved:
            ends[f"conv{convolutions}"] = len(chain)
    no = f"{type(network).__name__} cannot end at layer"
    require_known(ModelError, no, layer, ends)
    return chain[: ends[layer]]


def _imagenet_file(name: str) -> Path:
    """Torchvision's weights in torch.hub's own folder, downloaded if need be."""
    url: str = torchvision.models.get_model_weights(name).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if not path.is_file():
        failed = f"The ImageNet weights of {name} could not be downloaded"
        advice = f"Try again; or download {url} elsewhere and put it there: {path}."
        with explained(ModelError, failed, advice):
            torch.hub.load_state_dict_from_url(
                url, check_hash=True, map_location="cpu", weights_only=True
            )
    return path
