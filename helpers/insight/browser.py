"""A widget for JupyterLab: pick any image and any layer, and see the maps.

Without a browser there is nothing to pick: the first choice is drawn, and exports leave the widget out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.data.splits import Split
from helpers.insight.activations import activations, capture, layer_names


class ActivationBrowser(widgets.VBox):  # type: ignore[misc]
    """Three menus (class, image, layer), the image, and the maps that the layer makes of it.

    Args:
        model: any network.
        split: the images to choose from.
        classes: class names, in the order of the labels.
        mean: mean of each channel, 0–1, as in training.
        std: standard deviation of each channel, likewise.
        draw: maps (maps, h, w) and a title to a figure, such as ``plots.plot_activation_grid``.
        layer: the layer that is shown first; None takes the first that has maps.

    Raises:
        ModelError: ``layer`` is not one that has maps.
    """

    def __init__(
        self,
        model: nn.Module,
        split: Split,
        classes: Sequence[str],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        draw: Callable[..., Figure],
        layer: str | None = None,
    ) -> None:
        self._model, self._split, self._draw = model, split, draw
        self._mean, self._std = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
        present = split.labels.unique().tolist()
        self.class_menu = widgets.Dropdown(options=[(classes[label], label) for label in present], description="class")
        self.image_menu = widgets.Dropdown(options=self._images_of(present[0]), description="image")
        layers = layers_with_maps(model, self._normalised(0))
        if layer is not None and layer not in layers:
            raise ModelError(f"{type(model).__name__} makes no maps in layer {layer!r}: choose {', '.join(layers)}.")
        self.layer_menu = widgets.Dropdown(options=layers, value=layer or layers[0], description="layer")
        self._image = widgets.Image(width=160)
        self._maps = widgets.Image()
        self._show()
        self.class_menu.observe(self._offer_images, "value")
        self.image_menu.observe(self._show, "value")
        self.layer_menu.observe(self._show, "value")
        menus = widgets.VBox([self.class_menu, self.image_menu, self.layer_menu])
        super().__init__([widgets.HBox([menus, self._image]), self._maps])

    def _normalised(self, index: int) -> Tensor:
        """The image as the network takes it: float (1, C, H, W)."""
        return (self._split.images[index : index + 1].cpu().float() / 255 - self._mean) / self._std

    def _images_of(self, label: int) -> list[tuple[str, int]]:
        """The file names and indices of one class."""
        indices = (self._split.labels == label).nonzero().flatten().tolist()
        return [(self._split.ids[i].rpartition("/")[2], i) for i in indices]

    def _offer_images(self, change: dict[str, Any]) -> None:
        # New options also pick the first of them, which is then shown.
        self.image_menu.options = self._images_of(change["new"])

    def _show(self, _change: Any = None) -> None:
        index, layer = self.image_menu.value, self.layer_menu.value
        maps = activations(self._model, self._normalised(index), [layer])[layer][0]
        figure = self._draw(maps, title=f"{layer} · {self._split.ids[index]}")
        self._maps.value = _figure_png(figure)
        self._image.value = _image_png(self._split.images[index])


def layers_with_maps(model: nn.Module, image: Tensor) -> list[str]:
    """The layers whose output for ``image`` (1, C, H, W) is a stack of maps (1, maps, h, w)."""
    leaves = [name for name in layer_names(model) if not list(model.get_submodule(name).children())]
    device = next(model.parameters()).device
    with torch.no_grad(), capture(model, leaves) as outputs:
        model(image.to(device))
    return [name for name in leaves if name in outputs and outputs[name].ndim == 4]


def _image_png(image: Tensor) -> bytes:
    """A ``uint8`` image (C, H, W) with one or three channels as a file."""
    pixels = image.cpu().movedim(0, -1).numpy()  # (H, W, C)
    buffer = BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(buffer, format="png")
    return buffer.getvalue()


def _figure_png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()
