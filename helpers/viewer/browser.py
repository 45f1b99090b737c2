"""A widget for JupyterLab: choose an image and see what the network does."""

from collections.abc import Callable
from html import escape
from io import BytesIO
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
from torchvision.transforms.v2.functional import to_pil_image

from helpers.base.errors import HelpersError, ModelError, require_known
from helpers.data.splits import Split
from helpers.models.heads import heads_of
from helpers.models.saved import SavedModel
from helpers.viewer.pictures import KINDS, draw_picture, suitable_layers

KINDS_SAID = {
    "activations": "activations of a layer",
    "filters": "what filters respond to most",
    "heatmap": "heatmap of a class",
    "saliency": "saliency of pixels",
}


class NetworkBrowser(widgets.VBox):  # type: ignore[misc]
    """Menus for kind, layer, image, and for the class or head that is explained.

    The images are those of ``split``, of the network's classes and size. ``kind``, one
    of ``KINDS``, and ``layer`` (None: all) are shown first; a ModelError says that they
    do not suit each other.
    """

    def __init__(
        self,
        saved: SavedModel,
        split: Split,
        *,
        kind: str = "activations",
        layer: str | None = None,
    ) -> None:
        self._saved, self._split = saved, split
        layers = suitable_layers(saved, kind)
        if layer is not None:
            require_known(ModelError, f"{kind} has no layer", layer, layers)
        heads = getattr(heads_of(saved.model), "factors", ())
        targets: list[tuple[str, Any]] = [("the predicted class", None)]
        targets += [(f"the predicted {name}", name) for name in heads]
        targets += [(name, index) for index, name in enumerate(saved.classes)]
        present = split.labels.unique().tolist()
        self.kind_menu = _menu("Show", [(KINDS_SAID[k], k) for k in KINDS], kind)
        self.layer_menu = _menu("Layer", _layer_options(layers), layer)
        self.target_menu = _menu("Explain", targets, None)
        names = [(saved.classes[label], label) for label in present]
        self.class_menu = _menu("Images of", names, present[0])
        images = self._images_of(present[0])
        self.image_menu = _menu("Image", images, images[0][1])
        self._image, self._picture = widgets.Image(width=160), widgets.Image()
        self._notes = widgets.HTML()
        self._show()
        self.kind_menu.observe(self._offer_layers, "value")
        self.class_menu.observe(self._offer_images, "value")
        for menu in (self.layer_menu, self.target_menu, self.image_menu):
            menu.observe(self._show, "value")
        choice = [self.kind_menu, self.layer_menu, self.target_menu]
        menus = widgets.VBox([*choice, self.class_menu, self.image_menu])
        top = widgets.HBox([menus, self._image])
        super().__init__([top, self._notes, self._picture])

    def _images_of(self, label: int) -> list[tuple[str, int]]:
        indices = (self._split.labels == label).nonzero().flatten().tolist()
        return [(self._split.ids[i].rpartition("/")[2], i) for i in indices]

    def _offer_images(self, change: dict[str, Any]) -> None:
        self.image_menu.options = self._images_of(change["new"])

    def _offer_layers(self, change: dict[str, Any]) -> None:
        kept = self.layer_menu.value
        layers = suitable_layers(self._saved, change["new"])
        # New options also pick the first of them: do not draw that.
        self.layer_menu.unobserve(self._show, "value")
        self.layer_menu.options = _layer_options(layers)
        self.layer_menu.value = kept if kept in layers else None
        self.layer_menu.observe(self._show, "value")
        self._show()

    def _show(self, _change: Any = None) -> None:
        kind, image = self.kind_menu.value, self._split.images[self.image_menu.value]
        self.layer_menu.disabled = "layer" not in KINDS[kind]
        self.target_menu.disabled = "target" not in KINDS[kind]
        self.class_menu.disabled = self.image_menu.disabled = "image" not in KINDS[kind]
        self._image.value = _png(to_pil_image(image.cpu()).save)
        self._notes.value = "drawing …"
        given = {
            "image": image,
            "layer": self.layer_menu.value,
            "target": self.target_menu.value,
        }
        try:
            figure, notes = draw_picture(
                self._saved, kind, **{name: given[name] for name in KINDS[kind]}
            )
        except HelpersError as error:
            self._notes.value, self._picture.value = escape(str(error)), b""
            return
        self._picture.value = _png(figure.savefig, dpi=110)
        plt.close(figure)
        self._notes.value = "<br>".join(map(escape, notes))


def _menu(description: str, options: list[Any], value: Any) -> widgets.Dropdown:
    return widgets.Dropdown(options=options, value=value, description=description)


def _layer_options(layers: list[str]) -> list[tuple[str, str | None]]:
    return [("all layers", None), *((name, name) for name in layers)]


def _png(save: Callable[..., Any], **options: Any) -> bytes:
    buffer = BytesIO()
    save(buffer, format="png", **options)
    return buffer.getvalue()
