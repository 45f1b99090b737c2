"""What a saved network does: activations, filters, heatmap or saliency."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers.base.errors import ExportError, ModelError, require_known
from helpers.base.files import write_atomic
from helpers.insight.activations import (
    activations,
    has_positions,
    output_shapes,
    strongest_maps,
)
from helpers.insight.attribution import Target, explained_classes, heatmaps, saliency
from helpers.insight.filters import filter_pictures
from helpers.models.heads import heads_of
from helpers.models.saved import SavedModel, find_model, load_model
from helpers.plots.grids import plot_activation_layers, plot_filters, plot_heatmaps
from helpers.plots.style import use_style
from helpers.viewer.inputs import parse_target, read_image
from helpers.viewer.predict import training_of

# What each kind depends on, besides the network.
KINDS = {
    "activations": ("image", "layer"),
    "filters": ("layer",),
    "heatmap": ("image", "layer", "target"),
    "saliency": ("image", "target"),
}
IDLE = (nn.Identity, nn.Dropout)  # outside training
SUFFIXES = (".png", ".pdf", ".svg")
FEW = 8  # maps or filters of one layer of many
MOST_FILTERS = 64  # of one layer


def draw_picture(
    saved: SavedModel,
    kind: str,
    *,
    image: Path | Tensor | None = None,
    layer: str | None = None,
    target: Target = None,
) -> tuple[Figure, list[str]]:
    """Draws what a network does: a figure, to be closed after use, and notes on it.

    Args:
        saved: the network.
        kind: ``activations``, ``filters`` (what images they respond to), ``heatmap``
            (Grad-CAM: where layers find what speaks for a class) or ``saliency``
            (which pixels do).
        image: as of ``read_image``; None is blank.
        layer: by its name; None takes all convolutions, or else fully connected layers.
        target: as of ``parse_target``; None is the class that is predicted.

    Raises:
        DataError: as ``read_image``.
        ModelError: the layer, head or class is unknown, or the layer does not suit.
    """
    target, notes, used = parse_target(saved, target), [], _used(kind)
    if saved.trained_on != "real":
        notes.append("It was trained on drawn stand-in images.")
    for name, given in (("image", image), ("layer", layer), ("target", target)):
        if given is not None and name not in used:
            notes.append(f"The {name} is not used: {kind} does not depend on it.")
    if image is None and "image" in used:
        notes.append("No image was given: a blank one is used, medium grey.")
    pixels, layers = read_image(saved, image if "image" in used else None), []
    if "layer" in used:
        layers = [layer] if layer else _main_layers(saved, kind)
    if kind == "activations":
        return _draw_activations(saved, pixels, layers), notes
    if kind == "filters":
        return _draw_filters(saved, pixels, layers), notes
    return _draw_heat(saved, pixels, layers, target), notes


def write_picture(
    model: str, kind: str, output: Path, **options: Any
) -> tuple[str, ...]:
    """Writes what ``draw_picture`` draws, with these options, of a model that
    ``find_model`` finds; returns notes. An ExportError says that the file cannot be
    written, or is no ``.png``, ``.pdf`` or ``.svg``.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise ExportError(
            f"{output} is no picture that can be written: name a {', '.join(SUFFIXES)} "
            "file."
        )
    image = options.get("image")
    if image and output.resolve() == image.resolve():
        raise ExportError(f"{output} is the image itself: name another file.")
    mpl.use("Agg")  # there may be no screen
    use_style()
    path = find_model(model)
    saved = load_model(path)
    figure, notes = draw_picture(saved, kind, **options)
    with write_atomic(output) as temporary:
        figure.savefig(temporary, format=output.suffix[1:].lower(), dpi=150)
    return training_of(path, saved), *notes


def suitable_layers(saved: SavedModel, kind: str) -> list[str]:
    """The layers that do something in prediction and suit a picture of that kind, in
    the order of their definition.
    """
    if "layer" not in _used(kind):
        return []
    fits = has_positions if kind == "heatmap" else lambda shape: len(shape) in (1, 3)
    blank = saved.normalise(read_image(saved, None)[None])
    shapes = output_shapes(saved.model, blank)
    find = saved.model.get_submodule
    return [n for n in shapes if fits(shapes[n]) and not isinstance(find(n), IDLE)]


def _used(kind: str) -> Sequence[str]:
    """What a kind depends on; a ModelError says that there is none of that name."""
    require_known(ModelError, "There is no kind", kind, KINDS)
    return KINDS[kind]


def _main_layers(saved: SavedModel, kind: str) -> list[str]:
    find, suited = saved.model.get_submodule, suitable_layers(saved, kind)
    for family in (nn.Conv2d, nn.Linear):
        if layers := [n for n in suited if isinstance(find(n), family)]:
            return layers
    raise ModelError(
        f"{type(saved.model).__name__} has no convolution with maps, so there is no "
        f"{kind}: ask for saliency."
    )


def _draw_activations(
    saved: SavedModel, pixels: Tensor, layers: Sequence[str]
) -> Figure:
    found = activations(saved.model, saved.normalise(pixels[None]), layers)
    shown, columns = {}, 8
    for name, (out,) in found.items():
        if out.ndim == 1:
            shown[f"{name}: all units"], columns = out[:, None, None], 32
        elif len(layers) == 1:
            shown[f"{name}: all maps"], columns = out, 8 if len(out) <= 64 else 16
        else:
            chosen = strongest_maps(out, FEW)
            numbers = ", ".join(map(str, chosen.tolist()))
            shown[f"{name}: maps {numbers} of {len(out)}"] = out[chosen]
    return plot_activation_layers(shown, columns=columns)


def _draw_filters(saved: SavedModel, blank: Tensor, layers: Sequence[str]) -> Figure:
    most = MOST_FILTERS if len(layers) == 1 else FEW
    pictures, titles = {}, {}
    images = saved.normalise(blank[None])
    for name, output in activations(saved.model, images, layers).items():
        count, what = output.shape[1], "filters" if output.ndim == 4 else "units"
        found = filter_pictures(
            saved.model,
            name,
            image_size=saved.image_size,
            mean=saved.mean,
            std=saved.std,
            filters=range(min(count, most)),
        )
        part = f"{most} of {count}" if count > most else f"{count}"
        heading = f"{name}: {part} {what}, with their mean response"
        pairs = zip(found.filters, found.responses[-1].tolist(), strict=True)
        pictures[heading] = found.images
        titles[heading] = [f"{i}: {response:.3g}" for i, response in pairs]
    return plot_filters(pictures, titles=titles)


def _draw_heat(
    saved: SavedModel, pixels: Tensor, layers: Sequence[str], target: Target
) -> Figure:
    """The heatmaps of ``layers``; without any, the saliency."""
    model, images = saved.model, saved.normalise(pixels[None])
    title = _explained(saved, images, target)
    if layers:
        heat = {name: heatmaps(model, images, name, target=target) for name in layers}
        return plot_heatmaps(pixels[None], heat, titles=[title])
    gradient = saliency(model, images, target=target)
    largest = gradient.max().clamp(min=torch.finfo(gradient.dtype).tiny)
    return plot_heatmaps(
        pixels[None],
        {"saliency": gradient / largest},
        titles=[title],
        label="absolute gradient, share of its maximum",
    )


def _explained(saved: SavedModel, images: Tensor, target: Target) -> str:
    """Such as ``angle: 15° (99.1 %)``."""
    classes, probabilities = explained_classes(saved.model, images, target)
    head = target[0] if isinstance(target, tuple) else target
    names, said = saved.classes, ""
    if isinstance(head, str) and (heads := heads_of(saved.model)):
        names, said = heads.factors[head], f"{head}: "
    return f"{said}{names[int(classes[0])]} ({100 * float(probabilities[0]):.1f} %)"
