from __future__ import annotations

import numpy as np
import torch

from helpers.data.splits import Split, Splits
from helpers.plots import (
    most_confused,
    plot_class_accuracy,
    plot_class_counts,
    plot_confusion_matrix,
)


def make_splits(sizes: list[int]) -> Splits:
    def split(count: int) -> Split:
        labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes) * count)
        return Split(
            torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8),
            labels,
            tuple(map(str, range(len(labels)))),
        )

    return Splits(
        "toy",
        "real",
        tuple(f"class_{i}" for i in range(len(sizes))),
        split(2),
        split(1),
    )


def test_confusion_matrix_has_the_true_class_in_rows() -> None:
    labels, predictions = torch.tensor([0, 0, 0, 0, 1]), torch.tensor([0, 0, 0, 1, 1])
    ax = plot_confusion_matrix(labels, predictions, ["ant", "big_cat", "unseen"])
    shares = ax.collections[0].get_array()
    assert np.allclose(shares, [[75, 25, 0], [0, 100, 0], [0, 0, 0]])
    assert [text.get_text() for text in ax.texts] == ["75", "25", *[""] * 2, "100"] + [
        ""
    ] * 4
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true class", "predicted class")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        "ant",
        "big cat",
        "unseen",
    ]


def test_a_share_below_half_a_percent_is_not_written_as_none() -> None:
    labels = torch.zeros(400, dtype=torch.int64)
    predictions = labels.clone()
    predictions[:2] = 1
    ax = plot_confusion_matrix(labels, predictions, ["ant", "bee"])
    assert [text.get_text() for text in ax.texts] == ["100", "", "", ""]


def test_confusion_matrix_of_many_classes_names_none_and_fits_the_figure() -> None:
    labels = torch.arange(101)
    ax = plot_confusion_matrix(
        labels, labels.roll(1), [f"a_long_class_name_{i}" for i in range(101)]
    )
    figure = ax.get_figure()
    figure.canvas.draw()
    assert not any("name" in tick.get_text() for tick in ax.get_yticklabels())
    assert ax.yaxis.label.get_window_extent().x0 >= 0


def test_most_confused_pairs_in_order() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    predictions = torch.tensor([1, 1, 0, 0, 1, 1, 2, 2])
    pairs = most_confused(labels, predictions, ["a", "b", "c"])
    assert pairs.to_numpy().tolist() == [
        ["a", "b", 2, 3],
        ["b", "a", 1, 2],
        ["c", "b", 1, 3],
    ]
    assert len(most_confused(labels, predictions, ["a", "b", "c"], count=1)) == 1


def test_no_confusion_at_all_is_an_empty_table() -> None:
    labels = torch.arange(3)
    assert most_confused(labels, labels, ["a", "b", "c"]).empty


def test_class_counts_are_stacked_largest_first() -> None:
    ax = plot_class_counts(make_splits([1, 3, 2]))
    train, valid = ax.containers
    assert [bar.get_height() for bar in train] == [6, 4, 2]
    assert [bar.get_y() + bar.get_height() for bar in valid] == [9, 6, 3]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [
        "class 1",
        "class 2",
        "class 0",
    ]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "training",
        "validation",
    ]


def test_counts_of_many_classes_name_the_extremes() -> None:
    ax = plot_class_counts(make_splits(list(range(1, 41))))
    assert ax.get_xlabel() == "the 40 classes, from class 39 (120) to class 0 (3)"


def test_class_accuracy_shows_the_lowest_and_leaves_out_classes_without_images() -> (
    None
):
    ax = plot_class_accuracy(
        torch.tensor([*[0.9] * 14, float("nan"), 0.1, 0.5]), "abcdefghijklmnopq"
    )
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["p", "q", *"abcdefghijklm"]
    mean = ax.get_legend().get_texts()[0].get_text()
    assert mean == "mean of all 16 classes: 82.5 %"


def test_two_classes_may_look_alike() -> None:
    ax = plot_class_accuracy(torch.tensor([0.1, 0.2, 0.3]), ["a_b", "a b", "c"])
    assert len({bar.get_y() for bar in ax.patches}) == 3
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a b", "a b", "c"]
