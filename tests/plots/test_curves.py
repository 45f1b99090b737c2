from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.legend import Legend

from helpers.base.record import summarize
from helpers.plots import (
    PAGE_WIDTH,
    plot_comparison,
    plot_curves,
    plot_learning_curves,
)
from helpers.training.history import History


def make_history(offset: float, epochs: int = 20) -> History:
    names = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
    return History(
        [{"epoch": e, **dict.fromkeys(names, offset + e)} for e in range(1, epochs + 1)]
    )


def legend_texts(legend: Legend | None) -> list[str]:
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()] + [
        legend.get_title().get_text()
    ]


def learning_curves(*histories: History) -> tuple[list[Axes], list[str]]:
    """The axes of loss and accuracy, and the texts of the legend above them."""
    figure = plot_learning_curves({"": histories})
    (legend,) = figure.legends
    return figure.axes, legend_texts(legend)


def test_history_of_one_run_has_two_lines_that_differ_in_more_than_colour() -> None:
    (loss, _), _ = learning_curves(make_history(0))
    train, valid = loss.lines
    assert train.get_linestyle() != valid.get_linestyle()
    assert train.get_color() != valid.get_color()
    assert list(valid.get_xdata()) == list(range(1, 21))


def test_history_of_seeds_is_mean_and_range_even_where_one_stopped_early() -> None:
    (loss, _), texts = learning_curves(make_history(0), make_history(2, epochs=10))
    assert list(loss.lines[0].get_ydata())[8:12] == [10, 11, 11, 12]
    assert len(loss.collections) == 2
    band = loss.collections[0].get_paths()[0].vertices
    assert [band[band[:, 0] == 5, 1].min(), band[band[:, 0] == 5, 1].max()] == [5, 7]
    said = "mean of up to 2 networks, band: lowest to highest"
    assert texts == ["training", "validation", said]
    _, texts = learning_curves(make_history(0), make_history(2))
    assert texts[-1].startswith("mean of 2 networks,")


def test_one_epoch_is_seen_as_a_point() -> None:
    (loss, _), _ = learning_curves(make_history(0, epochs=1))
    assert loss.lines[0].get_marker() == "o"


def test_a_test_curve_is_drawn_where_there_is_one() -> None:
    history = make_history(0)
    for row in history.rows:
        row["test_accuracy"] = 0.5
    (loss, accuracy), texts = learning_curves(history, history)
    assert texts[:3] == ["training", "validation", "test"]
    assert len({(li.get_linestyle(), li.get_color()) for li in accuracy.lines}) == 3
    assert len(loss.lines) == 2


def test_learning_curves_are_labelled_with_units() -> None:
    figure = plot_learning_curves({"": [make_history(0)]})
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "loss (nats)",
        "accuracy (%)",
    ]
    assert figure.get_figwidth() == PAGE_WIDTH


def test_learning_curves_of_several_share_a_legend_that_is_true_of_all() -> None:
    three, two = ([make_history(seed) for seed in range(n)] for n in (3, 2))
    figure = plot_learning_curves({"narrow": three, "wide": three})
    assert [ax.get_title() for ax in figure.axes[::2]] == ["narrow", "wide"]
    assert not any(ax.get_legend() for ax in figure.axes)
    (legend,) = figure.legends
    assert legend.get_title().get_text().startswith("mean of 3 networks")
    (legend,) = plot_learning_curves({"narrow": three, "wide": two}).legends
    assert legend.get_title().get_text() == "mean, band: lowest to highest"


def test_comparison_shows_mean_interval_and_every_seed() -> None:
    results = {"plain": [0.5, 0.6, 0.7], "better": [0.8]}
    halves = {name: summarize(values)["ci95"] for name, values in results.items()}
    ax = plot_comparison(results, halves=halves, reference=("full marks", 0.71))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["plain", "better"]
    assert legend_texts(ax.get_legend())[:3] == [
        "mean and 95 % t-interval",
        "one seed",
        "full marks",
    ]
    interval = ax.collections[0].get_segments()[0][:, 0]
    assert interval[1] - interval[0] == pytest.approx(2 * halves["plain"])
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first variant is on top"
    again = plot_comparison(results, halves=halves, unit="repeat")
    assert legend_texts(again.get_legend())[1] == "one repeat"


def test_names_of_rows_are_no_maths() -> None:
    ax = plot_comparison({"$x_{$": [0.5]}, halves={"$x_{$": None})
    ax.figure.canvas.draw()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["\\$x {\\$"]


def test_the_legend_is_whole_beside_long_names() -> None:
    results = {"trained with: none": [0.6], "trained with: a flip, often": [0.7]}
    halves = dict.fromkeys(results)
    reference = "trained with: none", 0.6
    ax = plot_comparison(results, halves=halves, reference=reference)
    ax.figure.canvas.draw()
    legend = ax.get_legend()
    assert legend is not None
    assert legend_texts(legend)[0] == "mean"  # of one seed there is no interval
    box, whole = legend.get_window_extent(), ax.figure.bbox
    assert whole.x0 <= box.x0 < box.x1 <= whole.x1


def test_a_column_that_is_not_there_is_no_empty_picture() -> None:
    with pytest.raises(KeyError, match="valid_accuracy_angel"):
        plot_curves(
            [make_history(0)], {"angle": "valid_accuracy_angel"}, quantity="accuracy"
        )


def test_any_columns_of_a_history_are_drawn_with_their_names() -> None:
    rows = [
        {"epoch": float(e), "valid_loss_row": 1.0 / e, "valid_loss_column": 2.0 / e}
        for e in (1, 2, 3)
    ]
    columns = {"row": "valid_loss_row", "column": "valid_loss_column"}
    ax = plot_curves(
        [History(rows), History(rows)],
        columns,
        quantity="validation loss (nats)",
        log=True,
    )
    assert [line.get_label() for line in ax.get_lines()] == ["row", "column"]
    assert (
        len({(line.get_linestyle(), line.get_marker()) for line in ax.get_lines()}) == 2
    )
    assert list(ax.get_lines()[1].get_ydata()) == [2.0, 1.0, pytest.approx(2 / 3)]
    assert (ax.get_yscale(), ax.get_ylabel(), ax.get_xlabel()) == (
        "log",
        "validation loss (nats)",
        "epoch",
    )
