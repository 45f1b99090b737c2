"""A saved network used: predictions, pictures of what it does, and a widget."""

from helpers.viewer.browser import NetworkBrowser
