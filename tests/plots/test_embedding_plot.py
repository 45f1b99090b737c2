from __future__ import annotations

import torch
from matplotlib.colors import to_rgb

from helpers.plots import plot_embedding


def test_every_class_has_a_name_and_a_look_of_its_own() -> None:
    classes = [f"class_{label}" for label in range(65)]
    labels = torch.arange(65).repeat(3)
    ax = plot_embedding(torch.rand(195, 2), labels, classes)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        name.replace("_", " ") for name in classes
    ]
    looks = {
        (to_rgb(dots.get_facecolor()[0]), dots.get_paths()[0].vertices.tobytes())
        for dots in ax.collections
    }
    assert len(ax.collections) == len(looks) == 65


def test_classes_without_points_are_left_out() -> None:
    ax = plot_embedding(
        torch.rand(4, 2), torch.tensor([0, 2, 2, 0]), ["ant", "bee", "cat"]
    )
    assert [dots.get_label() for dots in ax.collections] == ["ant", "cat"]
