"""A saved network used: predictions, pictures of what it does, and a widget."""

from helpers.viewer.browser import NetworkBrowser
from helpers.viewer.pictures import KINDS, Picture, draw_picture, suitable_layers

__all__ = ["KINDS", "NetworkBrowser", "Picture", "draw_picture", "suitable_layers"]
