"""Which parts of an image speak for a class: Grad-CAM, saliency, guided backprop.

Every function takes a classifier, which is left as it was, and normalised images, float
(B, C, H, W), and raises a ModelError if the network has no such head or class. What is
explained is the class's logit; of all heads together, its log-probability.
"""

import torch
from captum.attr import LayerAttribution, LayerGradCam, Saliency
from torch import Tensor, nn

from helpers.base.errors import ModelError, require_known
from helpers.insight.activations import (
    activations,
    device_of,
    find_layer,
    has_positions,
    output_shapes,
)
from helpers.models.heads import class_logits, heads_of
from helpers.training.evaluate import evaluation_mode

Target = int | str | tuple[str, int] | None
"""What is explained: a class, a head (the class it predicts), or (head, class); None is
the class that the network predicts."""


def explained_classes(
    model: nn.Module, images: Tensor, target: Target = None
) -> tuple[Tensor, Tensor]:
    """The class that ``target`` means for each image, and its probability.

    Returns:
        Indices among the classes (of the head), ``int64`` (B,); probabilities, float32
        (B,). On the CPU.
    """
    with torch.no_grad(), evaluation_mode(model):
        logits = _Scores(model, target)(images.to(device_of(model))).float().cpu()
    index = target[1] if isinstance(target, tuple) else target
    if index is None or isinstance(target, str):
        classes = logits.argmax(1)
    elif index in range(logits.shape[1]):
        classes = torch.full((len(logits),), int(index))
    else:
        raise ModelError(
            f"There is no class {index}: there are {logits.shape[1]}, numbered from 0."
        )
    return classes, logits.softmax(1).gather(1, classes[:, None])[:, 0]


def heatmaps(
    model: nn.Module, images: Tensor, layer: str, *, target: Target = None
) -> Tensor:
    """Grad-CAM: where in the image a layer finds what speaks for a class.

    The layer's maps, weighted with the mean gradients of the score, are added up, cut
    off below zero (Selvaraju et al. 2017), and interpolated to the image's size. The
    layer's last use in a pass counts.

    Returns:
        Float32 (B, H, W) on the CPU, 0–1: each divided by its largest value, or all 0.

    Raises:
        ModelError: there is no such layer, or none with maps of several positions.
    """
    _check_maps(model, images, layer)
    classes = explained_classes(model, images, target)[0].tolist()
    with evaluation_mode(model):
        method = LayerGradCam(_Scores(model, target), find_layer(model, layer))
        coarse = method.attribute(
            images.to(device_of(model)), classes, relu_attributions=True
        )
    fine: Tensor = LayerAttribution.interpolate(
        coarse.detach().float(), images.shape[2:], "bilinear"
    )[:, 0].cpu()
    tiny = torch.finfo(fine.dtype).tiny
    return fine / fine.amax(dim=(1, 2), keepdim=True).clamp(min=tiny)


def saliency(model: nn.Module, images: Tensor, *, target: Target = None) -> Tensor:
    """The absolute gradient of a class's score, the largest of the channels (Simonyan,
    Vedaldi and Zisserman 2014, section 3).

    Returns:
        Float32 (B, H, W) on the CPU, in score per unit of the normalised image.
    """
    return _gradient(model, images, target).abs().amax(dim=1)


def guided_backprop(
    model: nn.Module, images: Tensor, *, target: Target = None
) -> Tensor:
    """The gradient of a class's score that every ``nn.ReLU`` lets back if positive
    (Springenberg et al.: Striving for Simplicity, 2015).

    Returns:
        Float32 (B, C, H, W) on the CPU, of either sign.

    Raises:
        ModelError: the network has no ReLU module.
    """
    relus = [m for m in model.modules() if isinstance(m, (nn.ReLU, nn.ReLU6))]
    if not relus:
        raise ModelError(
            f"{type(model).__name__} has no nn.ReLU module for guided backpropagation "
            "to act on: ask for saliency, the plain gradient."
        )

    def cut(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient.clamp(min=0))

    # Hooks on the output, unlike captum's on the module, take in-place ReLUs as well.
    hooks = [relu.register_forward_hook(cut) for relu in relus]
    try:
        return _gradient(model, images, target)
    finally:
        for hook in hooks:
            hook.remove()


class _Scores(nn.Module):
    """Images to the scores (B, K) among which the class is explained, for captum."""

    def __init__(self, model: nn.Module, target: Target) -> None:
        super().__init__()
        self.model = model
        self.heads = heads_of(model)
        self.head = target[0] if isinstance(target, tuple) else target
        if isinstance(self.head, str):
            known = self.heads.factors if self.heads else ()
            no = f"{type(model).__name__} has no head"
            require_known(ModelError, no, self.head, known)

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.model(images)
        if self.heads is not None and isinstance(self.head, str):
            return self.heads.logits(outputs)[self.head]
        return class_logits(self.model, outputs)


def _gradient(model: nn.Module, images: Tensor, target: Target) -> Tensor:
    """The gradient of each image's score, float32 (B, C, H, W), on the CPU."""
    classes = explained_classes(model, images, target)[0].tolist()
    inputs = images.detach().to(device_of(model), copy=True).requires_grad_()
    with evaluation_mode(model):
        gradient: Tensor = Saliency(_Scores(model, target)).attribute(
            inputs, classes, abs=False
        )
    return gradient.detach().float().cpu()


def _check_maps(model: nn.Module, images: Tensor, layer: str) -> None:
    if has_positions(activations(model, images[:1], [layer])[layer].shape[1:]):
        return
    shapes = output_shapes(model, images)
    others = ", ".join(name for name in shapes if has_positions(shapes[name]))
    raise ModelError(
        f"Layer {layer!r} has no map of several positions, so there is no place in the "
        f"image to show: choose {others or 'saliency'}."
    )
