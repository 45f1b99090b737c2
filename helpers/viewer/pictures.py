"""What a saved network does: activations, filters, heatmap or saliency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers.base.errors import ConfigError, ExportError, ModelError
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
from helpers.models.saved import SavedModel, load_model
from helpers.plots.grids import plot_activation_grid
from helpers.plots.layers import (
    plot_activation_layers,
    plot_filters,
    plot_heatmaps,
    plot_units,
)
from helpers.plots.style import use_style
from helpers.viewer.inputs import class_names, parse_target, read_image
from helpers.viewer.predict import find_model, written_whole

KINDS = ("activations", "filters", "heatmap", "saliency")
SUFFIXES = (".png", ".pdf", ".svg")
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
    """A figure, to be closed after use, and a sentence for each choice and change."""

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
        image: a file, or ``uint8`` (C, H, W), of any size and mode; None is blank.
        layer: by its name; None takes all layers that suit the kind.
        target: the class of heatmap and saliency, by name or index, a head or
            ``head=class``; None is the class that is predicted.

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
    notes = []
    if saved.trained_on != "real":
        notes.append("The network was trained on drawn stand-in images.")
    pixels, changes = read_image(saved, None if kind == "filters" else image)
    if kind != "filters":
        notes += changes
    elif image is not None:
        notes.append("Filters are found from a blank image: the given one is not used.")
    if kind in ("activations", "filters") and target is not None:
        notes.append(f"No class is explained by {kind}: the target is not used.")
    figure = _DRAW[kind](saved, pixels, layer, target, notes)
    return Picture(figure, tuple(notes))


def write_picture(
    model: str,
    kind: str,
    output: Path,
    *,
    image: Path | None = None,
    layer: str | None = None,
    target: str | None = None,
    quick: bool = False,
) -> tuple[str, ...]:
    """Writes what ``draw_picture`` draws, whose other arguments are the same.

    Args:
        model: as of ``find_model``.
        kind: one of ``KINDS``.
        output: a ``.png``, ``.pdf`` or ``.svg`` file.
        image: an image file.
        layer: a layer's name.
        target: a class by name or number, a head, or ``head=class``.
        quick: take the model of the notebook's quick run.

    Returns:
        A sentence for each thing that was chosen or converted.

    Raises:
        ExportError: the file cannot be written, or is of an unknown kind.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise ExportError(
            f"{output} is no picture that can be written: name a {', '.join(SUFFIXES)} "
            "file."
        )
    mpl.use("Agg")  # there may be no screen
    use_style()
    saved = load_model(find_model(model, quick=quick))
    picture = draw_picture(saved, kind, image=image, layer=layer, target=target)
    with written_whole(output) as temporary:
        picture.figure.savefig(temporary, format=output.suffix[1:].lower(), dpi=150)
    return picture.notes


def suitable_layers(saved: SavedModel, kind: str) -> list[str]:
    """The layers that suit a picture of that kind, in the order of their definition."""
    if kind == "saliency":
        return []
    if kind == "heatmap":
        return layers_with_maps(saved.model, _blank(saved))
    shapes = output_shapes(saved.model, _blank(saved))
    return [name for name, shape in shapes.items() if len(shape) in (1, 3)]


def _draw_activations(
    saved: SavedModel,
    image: Tensor,
    layer: str | None,
    _target: Target,
    notes: list[str],
) -> Figure:
    layers = [layer] if layer else _main_layers(saved, notes)
    found = activations(saved.model, saved.normalise(image[None]), layers)
    outputs = {name: out[0] for name, out in found.items()}
    if any(out.ndim not in (1, 3) for out in outputs.values()):
        raise ModelError(
            f"Layer {layer!r} puts out neither maps nor units: choose another."
        )
    if all(out.ndim == 1 for out in outputs.values()):
        return plot_units(outputs, title="activations")
    if layer:
        title, columns = (
            f"activations of {layer}",
            8 if len(outputs[layer]) <= 64 else 16,
        )
        return plot_activation_grid(outputs[layer], title=title, columns=columns)
    notes.append(
        f"Of each layer the {FEW} strongest maps are drawn; choose a layer to see all."
    )
    shown = {}
    for name, maps in outputs.items():
        chosen = strongest_maps(maps, FEW)
        numbers = ", ".join(map(str, chosen.tolist()))
        shown[f"{name}: maps {numbers} of {len(maps)}"] = maps[chosen]
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
    layers = [layer] if layer else _main_layers(saved, notes)
    most = MOST_FILTERS if layer else FEW
    pictures, titles = {}, {}
    for name in layers:
        shape = tuple(activations(saved.model, _blank(saved), [name])[name].shape[1:])
        count, shown = shape[0], min(shape[0], most)
        found = filter_pictures(
            saved.model,
            name,
            image_size=saved.image_size,
            mean=saved.mean,
            std=saved.std,
            filters=range(shown),
        )
        what = "filters" if len(shape) == 3 else "units"
        part = f"{shown} of {count}" if count > shown else f"{count}"
        heading = f"{name}: {part} {what}"
        responses = found.responses[-1].tolist()
        pictures[heading] = found.images
        titles[heading] = [
            f"{i}: {r:.3g}" for i, r in zip(found.filters, responses, strict=True)
        ]
        if count > shown and layer:
            notes.append(f"The first {shown} of {count} are drawn.")
    if not layer:
        notes.append(
            f"Of each layer the first {FEW} filters are drawn; choose a layer to see "
            "more."
        )
    notes.append("A filter's number is followed by its mean response to its image.")
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
    largest = gradient.max().clamp(min=torch.finfo(gradient.dtype).tiny)
    return plot_heatmaps(
        image[None],
        {"saliency": gradient / largest},
        titles=[_explained(saved, images, target, notes)],
        overlay=False,
        label="absolute gradient, share of its maximum",
        columns=4,
    )


Draw = Callable[[SavedModel, Tensor, str | None, Target, list[str]], Figure]
_DRAW: dict[str, Draw] = {
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
        modules = ((name, saved.model.get_submodule(name)) for name in known)
        layers = [name for name, module in modules if isinstance(module, nn.Linear)]
        kind = "fully connected layers"
    notes.append(f"No layer was given: all {kind} are drawn, {', '.join(layers)}.")
    return layers


def _map_layers(saved: SavedModel, notes: list[str]) -> list[str]:
    """The activation functions on maps; without such modules, the convolutions."""
    known = layers_with_maps(saved.model, _blank(saved))
    if not known:
        raise ModelError(
            f"{type(saved.model).__name__} has no layer with maps, so there is no "
            "heatmap: ask for saliency."
        )
    modules = ((name, saved.model.get_submodule(name)) for name in known)
    layers = [name for name, module in modules if isinstance(module, RECTIFIERS)]
    layers = layers or [n for n in conv_layers(saved.model) if n in known] or known[-1:]
    notes.append(
        "No layer was given: all activation functions on maps are drawn, "
        f"{', '.join(layers)}."
    )
    return layers


def _explained(
    saved: SavedModel, images: Tensor, target: Target, notes: list[str]
) -> str:
    """Such as ``angle: 15° (99.1 %)``."""
    classes, probabilities = explained_classes(saved.model, images, target)
    head = target[0] if isinstance(target, tuple) else target
    if target is None or isinstance(target, str):
        notes.append("No class was given: the predicted one is explained.")
    name = class_names(saved, target)[int(classes[0])]
    before = f"{head}: " if isinstance(head, str) else ""
    return f"{before}{name} ({100 * float(probabilities[0]):.1f} %)"


def _blank(saved: SavedModel) -> Tensor:
    """A normalised blank image (1, C, H, W)."""
    return saved.normalise(read_image(saved, None)[0][None])
