"""A saved network looked into: from a model, an image and a layer to a picture, and the
same as a widget.
"""

from helpers.viewer.browser import NetworkBrowser
from helpers.viewer.pictures import KINDS, Picture, draw_picture, suitable_layers

__all__ = ["KINDS", "NetworkBrowser", "Picture", "draw_picture", "suitable_layers"]
