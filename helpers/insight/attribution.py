"""Which parts of an image speak for a class: heatmaps, saliency and guided
backpropagation, by captum.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from captum.attr import GuidedBackprop, LayerAttribution, LayerGradCam, Saliency
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.insight.activations import (
    activations,
    device_of,
    find_layer,
    layers_with_maps,
)
from helpers.models.heads import Heads, class_logits, heads_of
from helpers.training.evaluate import evaluation_mode

Target = int | str | tuple[str, int] | None
"""What is explained: a class; of a network with several heads also a head (the class it predicts) or (head, class).
None is the class that the network predicts."""


def explained_classes(
    model: nn.Module, images: Tensor, target: Target = None
) -> tuple[Tensor, Tensor]:
    """The class that ``target`` means for each image, and how probable the network
    finds it.

    Args:
        model: a classifier, with one head or several; it is left as it was.
        images: what the network takes, normalised: float (B, C, H, W).
        target: as ``Target`` says.

    Returns:
        Indices among the classes, or among those of the head, ``int64`` (B,);
        probabilities, float32 (B,). On the CPU.

    Raises:
        ModelError: the network has no such head or class.
    """
    with torch.no_grad(), evaluation_mode(model):
        logits = _Scores(model, target)(images.to(device_of(model))).float().cpu()
    classes = _classes(logits, target)
    return classes, logits.softmax(1).gather(1, classes[:, None])[:, 0]


def heatmaps(
    model: nn.Module, images: Tensor, layer: str, *, target: Target = None
) -> Tensor:
    """Grad-CAM: where in the image a layer finds what speaks for a class.

    The layer's maps are weighted with the mean gradient of the class's score, added up,
    and cut off below zero (R. R. Selvaraju et al.: Grad-CAM, ICCV 2017); the result is
    interpolated to the image's size.

    Args:
        model: a classifier, with one head or several; it is left as it was.
        images: what the network takes, normalised: float (B, C, H, W).
        layer: one whose output is maps of more than one position; where it is used
            several times in a pass, its last use counts.
        target: as ``Target`` says; the score is the logit, of several heads together
            the log-probability.

    Returns:
        Float32 (B, H, W) on the CPU, each divided by its largest value: 0 says nothing
        for the class, 1 most in this image. All of it is 0 where the layer finds
        nothing that speaks for the class.

    Raises:
        ModelError: there is no such layer, head or class, or the layer has no maps; the
            message lists those that have.
    """
    _check_maps(model, images, layer)
    images, classes = _on_device(model, images, target)
    with evaluation_mode(model):
        method = LayerGradCam(_Scores(model, target), find_layer(model, layer))
        coarse = method.attribute(
            images, classes, relu_attributions=True
        )  # (B, 1, h, w)
    fine: Tensor = LayerAttribution.interpolate(
        coarse.detach().float(), images.shape[2:], "bilinear"
    )[:, 0].cpu()
    return fine / fine.amax(dim=(1, 2), keepdim=True).clamp(
        min=torch.finfo(fine.dtype).tiny
    )


def saliency(model: nn.Module, images: Tensor, *, target: Target = None) -> Tensor:
    """How much each pixel moves the score of a class: its absolute gradient, the
    largest of the channels.

    After K. Simonyan, A. Vedaldi, A. Zisserman: Deep Inside Convolutional Networks
    (ICLR workshop 2014), section 3.

    Args:
        model: a classifier, with one head or several; it is left as it was.
        images: what the network takes, normalised: float (B, C, H, W).
        target: as ``Target`` says; the score is the logit, of several heads together
            the log-probability.

    Returns:
        Float32 (B, H, W) on the CPU, at least 0, in score per unit of the normalised
        image.

    Raises:
        ModelError: the network has no such head or class.
    """
    images, classes = _on_device(model, images, target)
    with evaluation_mode(model):
        method = Saliency(_Scores(model, target))
        gradient: Tensor = method.attribute(
            images.detach().clone().requires_grad_(), classes
        )
    return gradient.amax(dim=1).detach().float().cpu()


def guided_backprop(
    model: nn.Module, images: Tensor, *, target: Target = None
) -> Tensor:
    """The gradient of a class's score, of which every ReLU on the way back lets only
    the positive part through.

    After J. T. Springenberg et al.: Striving for Simplicity: The All Convolutional Net
    (ICLR workshop 2015).

    Args:
        model: a classifier whose ReLUs (or ReLU6, as MobileNet's) are modules, in place
            or not; it is left as it was.
        images: what the network takes, normalised: float (B, C, H, W).
        target: as ``Target`` says; the score is the logit, of several heads together
            the log-probability.

    Returns:
        Float32 (B, C, H, W) on the CPU, of either sign.

    Raises:
        ModelError: the network has no such head or class, or no ReLU module.
    """
    if not any(isinstance(module, (nn.ReLU, nn.ReLU6)) for module in model.modules()):
        raise ModelError(
            f"{type(model).__name__} has no nn.ReLU module for guided backpropagation "
            "to act on (a function in "
            "`forward`, or another activation, does not count): ask for saliency, the "
            "plain gradient."
        )
    images, classes = _on_device(model, images, target)
    with evaluation_mode(model), _relus_for_the_rule(model), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Setting backward hooks on ReLU"
        )  # they are removed again
        method = GuidedBackprop(_Scores(model, target))
        gradient: Tensor = method.attribute(
            images.detach().clone().requires_grad_(), classes
        )
    return gradient.detach().float().cpu()


class _Scores(nn.Module):
    """The network as captum wants it: images to the scores (B, K) among which the class
    is explained.
    """

    def __init__(self, model: nn.Module, target: Target) -> None:
        super().__init__()
        self.model = model
        self.head = _head(model, target)

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.model(images)
        if self.head is None:
            return class_logits(self.model, outputs)
        heads: Heads = self.model.heads  # type: ignore[assignment]  # a head's name was found there
        return heads.logits(outputs)[self.head]


def _on_device(
    model: nn.Module, images: Tensor, target: Target
) -> tuple[Tensor, list[int]]:
    """Images where the model is, and the class to explain for each: numbers, which
    captum takes on any device.
    """
    return images.to(device_of(model)), explained_classes(model, images, target)[
        0
    ].tolist()


def _head(model: nn.Module, target: Target) -> str | None:
    """The head that ``target`` names."""
    if target is None or isinstance(target, int):
        return None
    head = target if isinstance(target, str) else target[0]
    heads = heads_of(model)
    if heads is None:
        raise ModelError(
            f"{type(model).__name__} has a single head: choose a class, not the head "
            f"{head!r}."
        )
    if head not in heads.factors:
        raise ModelError(
            f"{type(model).__name__} has no head {head!r}: known are "
            f"{', '.join(heads.factors)}."
        )
    return head


def _classes(scores: Tensor, target: Target) -> Tensor:
    """The index of the class that is explained for each row of ``scores`` (B, K)."""
    index = target[1] if isinstance(target, tuple) else target
    if not isinstance(index, int):
        return scores.argmax(1)
    if not 0 <= index < scores.shape[1]:
        raise ModelError(
            f"There is no class {index}: there are {scores.shape[1]}, numbered from 0."
        )
    return torch.full((len(scores),), index)


def _check_maps(model: nn.Module, images: Tensor, layer: str) -> None:
    shape = activations(model, images[:1], [layer])[layer].shape[1:]
    if len(shape) == 3 and shape[1:] > (1, 1):
        return
    found = "one value per map" if len(shape) == 3 else "no maps"
    known = ", ".join(layers_with_maps(model, images))
    raise ModelError(
        f"Layer {layer!r} puts out {found}, so there is no place in the image to show: "
        f"choose {known}."
    )


class _CappedReLU(nn.ReLU):
    """A ReLU6 that captum takes for a ReLU: its gradient is that of ReLU6, to which the
    rule is then applied.
    """

    def forward(self, values: Tensor) -> Tensor:
        return F.relu6(values)


@contextmanager
def _relus_for_the_rule(model: nn.Module) -> Iterator[None]:
    """Within the block no ReLU overwrites its input, which the rule needs, and captum
    finds those that end at 6.
    """
    overwriting = [
        module
        for module in model.modules()
        if isinstance(module, nn.ReLU) and module.inplace
    ]
    capped = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.ReLU6)
    ]
    for relu in overwriting:
        relu.inplace = False
    for parent, name, _ in capped:
        setattr(parent, name, _CappedReLU())
    try:
        yield
    finally:
        for relu in overwriting:
            relu.inplace = True
        for parent, name, child in capped:
            setattr(parent, name, child)
