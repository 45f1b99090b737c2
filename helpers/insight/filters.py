"""What a filter responds to: the image that excites it most, found by gradient ascent
from a blank one.

After K. Simonyan, A. Vedaldi, A. Zisserman: Deep Inside Convolutional Networks (ICLR
workshop 2014). Left to itself the ascent ends in noise that only the network sees; what
keeps it clean here is the choice of C. Olah, A. Mordvintsev, L. Schubert (Feature
Visualization, Distill 2017) that suits images of 28 to 64 pixels: the image is a
blurred one by construction, and it is shifted a little at every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.base.errors import ConfigError, ModelError
from helpers.insight.activations import device_of, find_layer
from helpers.training.evaluate import evaluation_mode

START_NOISE = (
    0.01  # in logits of the pixels: a quarter of one of 256 steps of brightness
)
LEAK = 0.1  # the slope of the ascent where a filter is silent, as in a leaky ReLU


@dataclass(frozen=True)
class FilterPictures:
    """The images that some filters of one layer respond to.

    Attributes:
        layer: the layer's name.
        filters: F indices of its filters, or of its units if it is fully connected.
        images: float32 (F, C, H, W), 0–1, on the CPU; before the network's own
            normalisation.
        responses: how strongly each filter responds to its own image before each step
            and after the last, float32 (steps + 1, F), on the CPU. The first row is the
            response to the blank image.
    """

    layer: str
    filters: tuple[int, ...]
    images: Tensor
    responses: Tensor


def filter_pictures(
    model: nn.Module,
    layer: str,
    *,
    image_size: int,
    mean: Sequence[float],
    std: Sequence[float],
    filters: Sequence[int] | None = None,
    steps: int = 64,
    lr: float = 0.1,
    blur: float = 0.7,
    jitter: int = 4,
    seed: int = 0,
) -> FilterPictures:
    """Finds an image for each filter of a layer that excites it, all of them in one
    batch.

    The response of a filter is what a ReLU lets through of its map, averaged over all
    positions; that of a unit of a fully connected layer is its value. Of a ReLU the
    input is looked at: where it is negative the ascent still goes uphill, at a tenth of
    the slope, so that a filter that is silent on the blank image is not stuck there.
    One that nothing excites keeps a response of 0 and a nearly blank image.

    The ascent is Adam's, on the logits of the pixels: no value leaves 0–1. It starts
    from medium grey with noise far too weak to see; without it all positions would be
    equal and stay so. ``blur=0, jitter=0`` is the plain ascent.

    Args:
        model: any network that takes images (B, C, image_size, image_size); it is left
            as it was.
        layer: a convolution, activation, normalisation or fully connected layer, or a
            block of layers; where one is used several times in a pass, its last use
            counts.
        image_size: side of the images in pixels.
        mean: mean of each channel, 0–1, as in training.
        std: standard deviation of each channel, 0–1, as in training.
        filters: indices of the filters (or units); None takes all.
        steps: of the ascent.
        lr: length of a step, in logits of the pixels.
        blur: standard deviation in pixels of the Gaussian that the image is smoothed
            with; 0 for none.
        jitter: pixels by which the image is shifted at random at each step, at most,
            around the edges; 0 for none.
        seed: of the noise and the shifts.

    Raises:
        ModelError: there is no such layer or filter, or the layer puts out neither maps
            nor units.
        ConfigError: a number is out of range.
    """
    if steps < 1 or lr <= 0 or blur < 0 or jitter < 0:
        raise ConfigError(
            f"steps={steps}, lr={lr}, blur={blur}, jitter={jitter}: expected at least "
            "one step, a positive lr, and "
            "neither blur nor jitter below 0."
        )
    device, generator = device_of(model), torch.Generator().manual_seed(seed)
    centre, spread = (
        torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (mean, std)
    )
    with evaluation_mode(model), _probe(model, layer) as outputs_for:
        blank = torch.full((1, len(mean), image_size, image_size), 0.5, device=device)
        with torch.no_grad():
            chosen = _choose(
                layer, outputs_for((blank - centre) / spread).shape[1], filters
            )

        def respond(images: Tensor) -> Tensor:
            """What each filter (or unit) makes of its own image: (F, h, w), or (F,)."""
            return outputs_for((images - centre) / spread)[
                torch.arange(len(chosen)), chosen
            ]

        noise = START_NOISE * torch.randn(
            len(chosen), *blank.shape[1:], generator=generator
        )
        logits = noise.to(device).requires_grad_()
        optimizer = torch.optim.Adam([logits], lr=lr)
        responses = []
        for _ in range(steps):
            shift = torch.randint(
                -jitter, jitter + 1, (2,), generator=generator
            ).tolist()
            with torch.enable_grad():
                values = respond(
                    _smooth(logits, blur).sigmoid().roll(shift, dims=(2, 3))
                )
                (logits.grad,) = torch.autograd.grad(
                    -_response(values, leak=LEAK).sum(), logits
                )
            optimizer.step()
            responses.append(_response(values.detach()))
        with torch.no_grad():
            images = _smooth(logits, blur).sigmoid()
            responses.append(_response(respond(images)))
    return FilterPictures(
        layer,
        tuple(chosen.tolist()),
        images.cpu(),
        torch.stack(responses).float().cpu(),
    )


class _Reached(Exception):  # no error: the rest of the forward pass is of no interest
    """The forward pass has come to the layer."""


@contextmanager
def _probe(model: nn.Module, layer: str) -> Iterator[Callable[[Tensor], Tensor]]:
    """Within the block, a function from normalised images to what the layer puts out,
    or takes in if it is a ReLU.

    Its first call runs the whole network and counts how often the layer is used; later
    ones go no further than its last use.
    """
    module = find_layer(model, layer)
    seen: list[Tensor] = []
    uses = 0

    def keep(value: Any) -> None:
        if not isinstance(value, Tensor) or value.ndim not in (2, 4):
            found = (
                f"a tensor of shape {tuple(value.shape)}"
                if isinstance(value, Tensor)
                else type(value).__name__
            )
            raise ModelError(
                f"Layer {layer!r} works on {found}: choose one of maps (B, maps, h, w) "
                "or units (B, n)."
            )
        seen.append(
            value.clone()
        )  # a copy, for a ReLU that works in place writes over it
        if len(seen) == uses:
            raise _Reached

    def outputs_for(images: Tensor) -> Tensor:
        nonlocal uses
        seen.clear()
        with suppress(_Reached):
            model(images)
        if not seen:
            raise ModelError(
                f"The forward pass of {type(model).__name__} does not use layer "
                f"{layer!r}."
            )
        uses = len(seen)
        return seen[-1]

    if isinstance(module, nn.ReLU):
        hook = module.register_forward_pre_hook(lambda _module, inputs: keep(inputs[0]))
    else:
        hook = module.register_forward_hook(
            lambda _module, _inputs, output: keep(output)
        )
    try:
        yield outputs_for
    finally:
        hook.remove()


def _choose(layer: str, count: int, filters: Sequence[int] | None) -> Tensor:
    """The indices of the chosen filters, ``int64`` (F,)."""
    chosen = list(range(count) if filters is None else filters)
    if not chosen or not all(0 <= index < count for index in chosen):
        raise ModelError(
            f"Layer {layer!r} has filters 0 to {count - 1}: choose some of these, not "
            f"{chosen}."
        )
    return torch.tensor(chosen)


def _response(values: Tensor, *, leak: float = 0.0) -> Tensor:
    """The responses (F,) of filters by their maps (F, h, w), or of units by their
    values (F,).
    """
    return F.leaky_relu(values, leak).mean(dim=(1, 2)) if values.ndim == 3 else values


def _smooth(images: Tensor, sigma: float) -> Tensor:
    """Images (B, C, H, W) convolved with a Gaussian of standard deviation ``sigma``
    pixels, around the edges.
    """
    if sigma == 0:
        return images
    reach = math.ceil(3 * sigma)
    kernel = torch.exp(
        -0.5 * (torch.arange(-reach, reach + 1, device=images.device) / sigma) ** 2
    )
    kernel = (kernel / kernel.sum()).expand(
        images.shape[1], 1, 1, -1
    )  # (C, 1, 1, width)
    padded = F.pad(images, (reach, reach, reach, reach), mode="circular")
    return F.conv2d(
        F.conv2d(padded, kernel, groups=images.shape[1]),
        kernel.transpose(2, 3),
        groups=images.shape[1],
    )
