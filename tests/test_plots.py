from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from helpers.base.errors import ConfigError
from helpers.base.record import summarize
from helpers.data.splits import Split, Splits
from helpers.plots import (
    PAGE_WIDTH,
    most_confused,
    plot_activation_grid,
    plot_class_accuracy,
    plot_class_counts,
    plot_comparison,
    plot_confusion_matrix,
    plot_history,
    plot_image_grid,
    plot_learning_curves,
    plot_most_confused,
    use_style,
)
from helpers.training.history import History


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with mpl.rc_context():
        use_style()
        yield
    plt.close("all")


def make_history(offset: float, epochs: int = 20) -> History:
    names = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
    return History([{"epoch": e, **dict.fromkeys(names, offset + e)} for e in range(1, epochs + 1)])


def make_splits(sizes: list[int]) -> Splits:
    def split(count: int) -> Split:
        labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes) * count)
        return Split(torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8), labels, tuple(map(str, range(len(labels)))))

    return Splits("toy", "real", tuple(f"class_{i}" for i in range(len(sizes))), split(2), split(1))


def legend_texts(ax: plt.Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()] + [legend.get_title().get_text()]


def test_history_of_one_run_has_two_lines_that_differ_in_more_than_colour() -> None:
    train, valid = plot_history(make_history(0)).lines
    assert train.get_linestyle() != valid.get_linestyle()
    assert train.get_color() != valid.get_color()
    assert list(valid.get_xdata()) == list(range(1, 21))


def test_history_of_several_seeds_is_their_mean_and_range_even_where_one_stopped_early() -> None:
    ax = plot_history([make_history(0), make_history(2, epochs=10)])
    assert list(ax.lines[0].get_ydata())[8:12] == [10, 11, 11, 12]
    assert len(ax.collections) == 2
    assert legend_texts(ax) == ["training", "validation", "mean of 2 seeds,\nband: lowest to highest"]


def test_one_epoch_is_seen_as_a_point() -> None:
    assert plot_history(make_history(0, epochs=1)).lines[0].get_marker() == "o"


def test_history_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(ConfigError, match="choose loss or accuracy"):
        plot_history(make_history(0), metric="f1")
    with pytest.raises(ConfigError, match="at least one"):
        plot_history([])


def test_learning_curves_are_labelled_with_units() -> None:
    figure = plot_learning_curves(make_history(0))
    assert [ax.get_ylabel() for ax in figure.axes] == ["cross-entropy (nats)", "accuracy (%)"]
    assert figure.get_figwidth() == PAGE_WIDTH


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("as_float", [False, True])
def test_image_grid_shows_every_image_as_it_is(channels: int, as_float: bool) -> None:
    images = torch.randint(0, 256, (5, channels, 6, 6), dtype=torch.uint8)
    figure = plot_image_grid(images / 255 if as_float else images, titles=[f"cougar_{i}" for i in range(5)], columns=3)
    assert len(figure.axes) == 5
    shown = figure.axes[4].images[0]
    assert shown.get_clim() == (0, 1 if as_float else 255)
    assert shown.get_array().shape[:2] == (6, 6)
    assert figure.axes[4].get_title() == "cougar 4"


def test_activation_grid_has_one_scale_for_all_maps() -> None:
    maps = torch.rand(10, 4, 4)
    *frames, bar = plot_activation_grid(maps, title="relu1", columns=5).axes
    assert [ax.get_title() for ax in frames] == [str(i) for i in range(10)]
    assert len({ax.images[0].get_clim() for ax in frames}) == 1
    assert frames[0].images[0].get_clim()[0] == 0
    assert bar.get_xlabel() == "activation"


def test_activation_grid_of_negative_values_is_centred_on_zero_and_of_dead_maps_is_drawn() -> None:
    low, high = plot_activation_grid(torch.randn(3, 4, 4)).axes[0].images[0].get_clim()
    assert low == -high
    plot_activation_grid(torch.zeros(1, 2, 2)).savefig(BytesIO())


def test_confusion_matrix_has_the_true_class_in_rows() -> None:
    labels, predictions = torch.tensor([0, 0, 0, 0, 1]), torch.tensor([0, 0, 0, 1, 1])
    ax = plot_confusion_matrix(labels, predictions, ["ant", "big_cat", "unseen"])
    assert np.allclose(ax.images[0].get_array(), [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]])
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true class", "predicted class")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["ant", "big cat", "unseen"]


def test_confusion_matrix_of_many_classes_names_none_of_them_and_keeps_its_labels_in_the_figure() -> None:
    labels = torch.arange(101)
    ax = plot_confusion_matrix(labels, labels.roll(1), [f"a_long_class_name_{i}" for i in range(101)])
    figure = ax.get_figure()
    figure.canvas.draw()
    assert not any("name" in tick.get_text() for tick in ax.get_yticklabels())
    assert ax.yaxis.label.get_window_extent().x0 >= 0


def test_most_confused_pairs_in_order() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    predictions = torch.tensor([1, 1, 0, 0, 1, 1, 2, 2])
    pairs = most_confused(labels, predictions, ["a", "b", "c"])
    assert pairs.to_numpy().tolist() == [["a", "b", 2, 3], ["b", "a", 1, 2], ["c", "b", 1, 3]]
    assert len(most_confused(labels, predictions, ["a", "b", "c"], count=1)) == 1
    ax = plot_most_confused(labels, predictions, ["a", "b", "c"], count=2)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a → b", "b → a"]


def test_no_confusion_at_all_is_an_empty_table_and_still_a_figure() -> None:
    labels = torch.arange(3)
    assert most_confused(labels, labels, ["a", "b", "c"]).empty
    plot_most_confused(labels, labels, ["a", "b", "c"]).get_figure().savefig(BytesIO())


def test_class_counts_are_stacked_largest_first() -> None:
    ax = plot_class_counts(make_splits([1, 3, 2]))
    train, valid = ax.containers
    assert [bar.get_height() for bar in train] == [6, 4, 2]
    assert [bar.get_y() + bar.get_height() for bar in valid] == [9, 6, 3]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["class 1", "class 2", "class 0"]
    assert legend_texts(ax)[:2] == ["training", "validation"]


def test_counts_of_many_classes_name_the_extremes() -> None:
    ax = plot_class_counts(make_splits(list(range(1, 41))))
    assert [text.get_text() for text in ax.texts] == ["class 39: 120", "class 0: 3"]


def test_class_accuracy_shows_the_lowest_and_leaves_out_classes_without_images() -> None:
    ax = plot_class_accuracy(torch.tensor([0.9, float("nan"), 0.1, 0.5]), ["a", "b", "c", "d"], lowest=2)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["c", "d"]
    assert legend_texts(ax)[0] == "mean of all 3 classes: 50.0 %"


def test_comparison_shows_mean_interval_and_every_seed() -> None:
    results = {"plain": [0.5, 0.6, 0.7], "better": [0.8]}
    ax = plot_comparison(results, reference=0.71, reference_name="full marks")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["plain", "better"]
    assert legend_texts(ax)[:3] == ["mean and 95 % t-interval", "one seed", "full marks"]
    interval = ax.collections[0].get_segments()[0][:, 0]
    assert interval[1] - interval[0] == pytest.approx(2 * summarize(results["plain"])["ci95"])
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first variant is on top"


def test_given_axes_are_drawn_on() -> None:
    figure, ax = plt.subplots()
    labels = torch.arange(3)
    assert plot_history(make_history(0), ax=ax) is ax
    assert plot_class_accuracy(torch.rand(3), ["a", "b", "c"], ax=ax) is ax
    assert plot_confusion_matrix(labels, labels, ["a", "b", "c"], ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
