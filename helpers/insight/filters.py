"""What a filter responds to: the image that excites it most, by gradient ascent.

After Simonyan, Vedaldi and Zisserman: Deep Inside Convolutional Networks (ICLR workshop
2014). Against noise that only the network sees (Olah, Mordvintsev and Schubert: Feature
Visualization, Distill 2017), the image is blurred, and shifted a little at every step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.v2.functional import gaussian_blur, normalize

from helpers.base.errors import ModelError
from helpers.insight.activations import capture, device_of

START_NOISE = 0.01  # in logits of the pixels; invisible, but breaks the symmetry
STEP = 0.1  # length of a step of Adam, in logits of the pixels
LEAK = 0.1  # the slope of the ascent where a filter is silent


def weight_pictures(weight: Tensor) -> Tensor:
    """Filters (F, C, h, w) as pictures, 0–1, each on its own scale, 0 mid-gray."""
    values = weight.detach().float().cpu()
    largest = values.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    return 0.5 + 0.5 * values / largest


@dataclass(frozen=True)
class FilterPictures:
    """The images that some filters of one layer respond to, on the CPU.

    Attributes:
        filters: F indices of its filters, or of its units if it is fully connected.
        images: float32 (F, C, H, W), 0–1, before normalisation.
        responses: of each filter to its own image before each step and after the last,
            float32 (steps + 1, F).
    """

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
    filters: Sequence[int],
    steps: int = 64,
    blur: float = 0.7,
    jitter: int = 4,
) -> FilterPictures:
    """Finds an image for each filter of a layer that excites it, all in one batch.

    The response of a filter is the mean of its map after a ReLU; that of a unit is its
    value. Where a map is negative the ascent goes on at a tenth of the slope, so that a
    silent filter is not stuck; of a ReLU the input is looked at. The ascent is Adam's,
    on the logits of the pixels, from medium grey with faint noise. ``blur=0, jitter=0``
    is the plain ascent.

    Args:
        model: any network; it is left as it was.
        layer: of maps or units; its last use in a pass counts.
        image_size: side of the images in pixels.
        mean: of each channel, 0–1, as in training.
        std: likewise.
        filters: indices of the filters (or units).
        steps: of the ascent.
        blur: standard deviation of the Gaussian blur, in pixels.
        jitter: pixels by which the image is shifted at most, at each step.

    Raises:
        ModelError: there is no such layer or filter, or neither maps nor units.
    """
    device, generator = device_of(model), torch.Generator().manual_seed(0)
    shape = (len(mean), image_size, image_size)
    with capture(model, [layer], before_relu=True) as outputs:
        with torch.no_grad():
            gray = torch.full((1, *shape), 0.5, device=device)
            model(normalize(gray, mean, std))
        chosen = _choose(layer, outputs[layer], filters)

        def respond(images: Tensor) -> Tensor:
            """What each filter (or unit) makes of its own image: (F, h, w), or (F,)."""
            model(normalize(images, mean, std))
            return outputs[layer][torch.arange(len(chosen)), chosen]

        noise = START_NOISE * torch.randn(len(chosen), *shape, generator=generator)
        logits = noise.to(device).requires_grad_()
        optimizer = torch.optim.Adam([logits], lr=STEP)
        responses = []
        for _ in range(steps):
            shift = torch.randint(-jitter, jitter + 1, (2,), generator=generator)
            with torch.enable_grad():
                images = _smooth(logits, blur).sigmoid()
                values = respond(images.roll(shift.tolist(), dims=(2, 3)))
                loss = -_response(values, leak=LEAK).sum()
                (logits.grad,) = torch.autograd.grad(loss, logits)
            optimizer.step()
            responses.append(_response(values.detach()))
        with torch.no_grad():
            images = _smooth(logits, blur).sigmoid()
            responses.append(_response(respond(images)))
    rows = torch.stack(responses).float().cpu()
    return FilterPictures(tuple(chosen.tolist()), images.cpu(), rows)


def _choose(layer: str, output: Tensor, filters: Sequence[int]) -> Tensor:
    """The indices of the chosen filters, ``int64`` (F,)."""
    if output.ndim not in (2, 4):
        raise ModelError(
            f"Layer {layer!r} works on {tuple(output.shape)}: choose one of maps "
            "(B, maps, h, w) or units (B, n)."
        )
    count = output.shape[1]
    if not filters or not all(0 <= index < count for index in filters):
        raise ModelError(
            f"Layer {layer!r} has filters 0 to {count - 1}: choose some of these, not "
            f"{[*filters]}."
        )
    return torch.tensor(filters)


def _response(values: Tensor, *, leak: float = 0.0) -> Tensor:
    """Responses (F,) of filters to maps (F, h, w), or of units to values (F,)."""
    return F.leaky_relu(values, leak).mean(dim=(1, 2)) if values.ndim == 3 else values


def _smooth(images: Tensor, sigma: float) -> Tensor:
    """Images (B, C, H, W) blurred by a Gaussian of ``sigma`` pixels, circularly."""
    if sigma == 0:
        return images
    reach = math.ceil(3 * sigma)
    padded = F.pad(images, (reach,) * 4, mode="circular")
    blurred: Tensor = gaussian_blur(padded, [2 * reach + 1] * 2, [sigma] * 2)
    return blurred[..., reach:-reach, reach:-reach]
