"""A widget for JupyterLab: choose an image and see what the network does."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from helpers.base.errors import HelpersError, ModelError
from helpers.data.splits import Split
from helpers.models.heads import heads_of
from helpers.models.saved import SavedModel
from helpers.viewer.pictures import KINDS, draw_picture, suitable_layers

ALL_LAYERS = ("all layers", None)


class NetworkBrowser(widgets.VBox):  # type: ignore[misc]
    """Menus for kind, layer, class and image, and for the head that is explained.

    Without a browser the first choice is drawn, and exports leave the widget out.

    Args:
        saved: the network.
        split: the images to choose from.
        classes: names of the split's labels; None takes the network's own.
        kind: what is shown first, one of ``KINDS``.
        layer: the layer that is shown first; None takes all.

    Raises:
        ModelError: ``layer`` does not suit the kind.
    """

    def __init__(
        self,
        saved: SavedModel,
        split: Split,
        classes: Sequence[str] | None = None,
        *,
        kind: str = "activations",
        layer: str | None = None,
    ) -> None:
        self._saved, self._split = saved, split
        names = saved.classes if classes is None else classes
        present = split.labels.unique().tolist()
        self.kind_menu = widgets.Dropdown(options=KINDS, value=kind, description="kind")
        layers = [ALL_LAYERS, *((name, name) for name in suitable_layers(saved, kind))]
        if layer not in dict(layers).values():
            known = ", ".join(name for name, _ in layers[1:]) or "none"
            raise ModelError(
                f"Layer {layer!r} of {type(saved.model).__name__} has no {kind}: "
                f"choose {known}."
            )
        self.layer_menu = widgets.Dropdown(
            options=layers, value=layer, description="layer"
        )
        heads = heads_of(saved.model)
        offered = [] if heads is None else [(name, name) for name in heads.factors]
        self.head_menu = widgets.Dropdown(
            options=[("all heads", None), *offered], description="head"
        )
        self.class_menu = widgets.Dropdown(
            options=[(names[label], label) for label in present], description="class"
        )
        self.image_menu = widgets.Dropdown(
            options=self._images_of(present[0]), description="image"
        )
        self._image, self._picture = widgets.Image(width=160), widgets.Image()
        self._notes = widgets.HTML()
        self._shown: tuple[Any, ...] = ()
        self._show()
        self.kind_menu.observe(self._offer_layers, "value")
        self.class_menu.observe(self._offer_images, "value")
        for menu in (self.layer_menu, self.head_menu, self.image_menu):
            menu.observe(self._show, "value")
        menus = [self.kind_menu, self.layer_menu, self.class_menu, self.image_menu]
        menus[2:2] = [self.head_menu] if offered else []
        top = widgets.HBox([widgets.VBox(menus), self._image])
        super().__init__([top, self._notes, self._picture])

    def _images_of(self, label: int) -> list[tuple[str, int]]:
        indices = (self._split.labels == label).nonzero().flatten().tolist()
        return [(self._split.ids[i].rpartition("/")[2], i) for i in indices]

    def _offer_images(self, change: dict[str, Any]) -> None:
        # New options also pick the first of them, which is then shown.
        self.image_menu.options = self._images_of(change["new"])

    def _offer_layers(self, change: dict[str, Any]) -> None:
        kept = self.layer_menu.value
        layers = suitable_layers(self._saved, change["new"])
        # New options also pick the first of them: do not draw that.
        self.layer_menu.unobserve(self._show, "value")
        self.layer_menu.options = [ALL_LAYERS, *((name, name) for name in layers)]
        self.layer_menu.value = kept if kept in layers else None
        self.layer_menu.disabled = not layers
        self.layer_menu.observe(self._show, "value")
        self._show()

    def _show(self, _change: Any = None) -> None:
        kind, index = self.kind_menu.value, self.image_menu.value
        # Draw anew only what depends on the image or the head.
        choice = (
            kind,
            self.layer_menu.value,
            None if kind == "filters" else index,
            self.head_menu.value if kind in ("heatmap", "saliency") else None,
        )
        self._image.value = _image_png(self._split.images[index])
        if choice == self._shown:
            return
        self._shown = choice
        self._notes.value = "drawing …"
        image = None if kind == "filters" else self._split.images[index]
        try:
            picture = draw_picture(
                self._saved, kind, image=image, layer=choice[1], target=choice[3]
            )
        except HelpersError as error:
            self._notes.value, self._picture.value = escape(str(error)), b""
            return
        self._picture.value = _figure_png(picture.figure)
        self._notes.value = "<br>".join(map(escape, picture.notes))


def _image_png(image: Tensor) -> bytes:
    """A ``uint8`` image (C, H, W) with one or three channels as a file."""
    pixels = image.cpu().movedim(0, -1).numpy()  # (H, W, C)
    buffer = BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(
        buffer, format="png"
    )
    return buffer.getvalue()


def _figure_png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()
