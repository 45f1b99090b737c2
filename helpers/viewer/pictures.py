"""One picture of what a saved network does: activations, filters, heatmap or saliency.

Whatever is left out (image, layer, class) is chosen here, and the notes say how.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers.base.errors import ConfigError, ModelError
from helpers.insight.activations import (
    activations,
    conv_layers,
    find_layer,
    layers_with_maps,
    output_shapes,
    strongest_maps,
)
from helpers.insight.attribution import Target, explained_classes, heatmaps, saliency
from helpers.insight.filters import filter_pictures
from helpers.models.saved import SavedModel
from helpers.plots.grids import plot_activation_grid
from helpers.plots.layers import (
    plot_activation_layers,
    plot_filters,
    plot_heatmaps,
    plot_units,
)
from helpers.viewer.inputs import class_names, parse_target, read_image

KINDS = ("activations", "filters", "heatmap", "saliency")
FEW = 8  # maps or filters of each layer, where several layers are drawn
MOST_FILTERS = 64  # of one layer
RECTIFIERS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
)


@dataclass(frozen=True)
class Picture:
    """A figure, and what was chosen for it.

    Attributes:
        figure: to be shown or saved; close it afterwards.
        notes: a sentence for each choice that was made and each change to the image.
    """

    figure: Figure
    notes: tuple[str, ...]


def draw_picture(
    saved: SavedModel,
    kind: str,
    *,
    image: Path | Tensor | None = None,
    layer: str | None = None,
    target: Target = None,
) -> Picture:
    """Draws what a network does.

    Args:
        saved: the network.
        kind: ``activations`` (what layers put out for the image), ``filters`` (what
            images their filters respond to), ``heatmap`` (Grad-CAM: where layers find
            what speaks for a class) or ``saliency`` (which pixels do).
        image: a file, or ``uint8`` (C, H, W), of any size and mode; None is a blank
            one.
        layer: by its name; None takes all layers that suit the kind, from first to
            last.
        target: the class of heatmap and saliency, by name or index, or of a network
            with several heads a head or ``head=class``; None is the class that is
            predicted.

    Raises:
        ConfigError: the kind is unknown.
        DataError: the image is missing or none.
        ModelError: the layer, head or class is unknown, or the layer does not suit the
            kind.
    """
    if kind not in KINDS:
        raise ConfigError(
            f"There is no picture of kind {kind!r}: choose {', '.join(KINDS)}."
        )
    target = parse_target(saved, target)
    notes = (
        []
        if saved.trained_on == "real"
        else ["The network was trained on drawn stand-in images."]
    )
    if kind == "filters":
        pixels = read_image(saved, None)[0]
        notes += (
            ["Filters are found from a blank image: the given one is not used."]
            if image is not None
            else []
        )
    else:
        pixels, changes = read_image(saved, image)
        notes += changes
    if kind in ("activations", "filters") and target is not None:
        notes.append(f"No class is explained by {kind}: the target is not used.")
    figure = _DRAW[kind](saved, pixels, layer, target, notes)
    return Picture(figure, tuple(notes))


def suitable_layers(saved: SavedModel, kind: str) -> list[str]:
    """The layers that can be chosen for a picture of that kind, in the order of the
    model's definition.
    """
    images = _blank(saved)
    if kind == "saliency":
        return []
    if kind == "heatmap":
        return layers_with_maps(saved.model, images)
    return [
        name
        for name, shape in output_shapes(saved.model, images).items()
        if len(shape) in (1, 3)
    ]


def _draw_activations(
    saved: SavedModel,
    image: Tensor,
    layer: str | None,
    _target: Target,
    notes: list[str],
) -> Figure:
    layers = [layer] if layer else _main_layers(saved, notes)
    outputs = {
        name: out[0]
        for name, out in activations(
            saved.model, saved.normalise(image[None]), layers
        ).items()
    }
    if any(out.ndim not in (1, 3) for out in outputs.values()):
        raise ModelError(
            f"Layer {layer!r} puts out neither maps nor units: choose another."
        )
    if all(out.ndim == 1 for out in outputs.values()):
        return plot_units(outputs, title="activations")
    if layer:
        maps = outputs[layer]
        return plot_activation_grid(
            maps, title=f"activations of {layer}", columns=8 if len(maps) <= 64 else 16
        )
    notes.append(
        f"Of each layer the {FEW} strongest maps are drawn; choose a layer to see all "
        "of them."
    )
    shown = {}
    for name, maps in outputs.items():
        chosen = strongest_maps(maps, FEW)
        shown[f"{name}: maps {', '.join(map(str, chosen.tolist()))} of {len(maps)}"] = (
            maps[chosen]
        )
    return plot_activation_layers(
        shown, title="activations, from the first layer to the last"
    )


def _draw_filters(
    saved: SavedModel,
    _image: Tensor,
    layer: str | None,
    _target: Target,
    notes: list[str],
) -> Figure:
    layers, most = (
        ([layer], MOST_FILTERS) if layer else (_main_layers(saved, notes), FEW)
    )
    pictures, titles = {}, {}
    for name in layers:
        shape = tuple(activations(saved.model, _blank(saved), [name])[name].shape[1:])
        count = shape[0]
        found = filter_pictures(
            saved.model,
            name,
            image_size=saved.image_size,
            mean=saved.mean,
            std=saved.std,
            filters=range(min(count, most)),
        )
        what = "filters" if len(shape) == 3 else "units"
        heading = (
            f"{name}: {min(count, most)} of {count} {what}"
            if count > most
            else f"{name}: {count} {what}"
        )
        pictures[heading] = found.images
        titles[heading] = [
            f"{i}: {r:.3g}"
            for i, r in zip(found.filters, found.responses[-1].tolist(), strict=True)
        ]
        if count > most and layer:
            notes.append(f"The first {most} of {count} are drawn.")
    if not layer:
        notes.append(
            f"Of each layer the first {FEW} filters are drawn; choose a layer to see "
            "more of them."
        )
    notes.append(
        "Each filter's number is followed by its mean response to its own image."
    )
    return plot_filters(pictures, titles=titles, title="what the filters respond to")


def _draw_heatmap(
    saved: SavedModel,
    image: Tensor,
    layer: str | None,
    target: Target,
    notes: list[str],
) -> Figure:
    images = saved.normalise(image[None])
    layers = [layer] if layer else _map_layers(saved, notes)
    heat = {name: heatmaps(saved.model, images, name, target=target) for name in layers}
    if silent := [name for name, maps in heat.items() if maps.max() == 0]:
        notes.append(
            f"Nothing speaks for the class in {', '.join(silent)}: no heat there."
        )
    return plot_heatmaps(
        image[None], heat, titles=[_explained(saved, images, target, notes)]
    )


def _draw_saliency(
    saved: SavedModel,
    image: Tensor,
    layer: str | None,
    target: Target,
    notes: list[str],
) -> Figure:
    if layer is not None:
        find_layer(saved.model, layer)
        notes.append("Saliency is about the image's pixels: the layer is not used.")
    images = saved.normalise(image[None])
    gradient = saliency(saved.model, images, target=target)
    return plot_heatmaps(
        image[None],
        {
            "saliency": gradient
            / gradient.max().clamp(min=torch.finfo(gradient.dtype).tiny)
        },
        titles=[_explained(saved, images, target, notes)],
        overlay=False,
        label="absolute gradient, share of its maximum",
        columns=4,
    )


_DRAW: dict[
    str, Callable[[SavedModel, Tensor, str | None, Target, list[str]], Figure]
] = {
    "activations": _draw_activations,
    "filters": _draw_filters,
    "heatmap": _draw_heatmap,
    "saliency": _draw_saliency,
}


def _main_layers(saved: SavedModel, notes: list[str]) -> list[str]:
    """The convolutions, or the fully connected layers of a network without any."""
    known = output_shapes(saved.model, _blank(saved))
    layers = [name for name in conv_layers(saved.model) if name in known]
    kind = "convolutions"
    if not layers:
        layers = [
            name
            for name, module in saved.model.named_modules()
            if isinstance(module, nn.Linear)
        ]
        layers, kind = (
            [name for name in layers if name in known],
            "fully connected layers",
        )
    notes.append(f"No layer was given: all {kind} are drawn, {', '.join(layers)}.")
    return layers


def _map_layers(saved: SavedModel, notes: list[str]) -> list[str]:
    """The activation functions on maps, or the convolutions of a network that has none
    as modules.
    """
    known = layers_with_maps(saved.model, _blank(saved))
    if not known:
        raise ModelError(
            f"{type(saved.model).__name__} has no layer with maps, so there is no "
            "heatmap: ask for saliency."
        )
    layers = [
        name
        for name in known
        if isinstance(saved.model.get_submodule(name), RECTIFIERS)
    ]
    layers = (
        layers
        or [name for name in conv_layers(saved.model) if name in known]
        or known[-1:]
    )
    notes.append(
        "No layer was given: all activation functions on maps are drawn, "
        f"{', '.join(layers)}."
    )
    return layers


def _explained(
    saved: SavedModel, images: Tensor, target: Target, notes: list[str]
) -> str:
    """The explained class and its probability: ``angle: 15° (99.1 %)``."""
    classes, probabilities = explained_classes(saved.model, images, target)
    head = (
        target
        if isinstance(target, str)
        else target[0]
        if isinstance(target, tuple)
        else None
    )
    if target is None or isinstance(target, str):
        notes.append("No class was given: the predicted one is explained.")
    name = class_names(saved, target)[int(classes[0])]
    return (
        f"{head + ': ' if head else ''}{name} ({float(probabilities[0]):.1%})".replace(
            "%)", " %)"
        )
    )


def _blank(saved: SavedModel) -> Tensor:
    """A normalised blank image (1, C, H, W)."""
    return saved.normalise(read_image(saved, None)[0][None])
