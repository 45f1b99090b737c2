from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from torch import nn

from helpers.base.errors import ConfigError
from helpers.data.splits import Splits
from helpers.models import ImprovedCNN, building
from helpers.training import (
    Experiment,
    TrainConfig,
    device,
    experiments,
    launch,
    run_experiments,
)
from helpers.training.experiments import _train
from helpers.training.history import History
from helpers.training.turns import run_alone

CONFIG = TrainConfig(epochs=1, batch_size=16, lr=0.05, precision="fp32")
SMALL = Experiment("improved_cnn", CONFIG, {"widths": (4, 8)})


def test_each_experiment_is_trained_with_each_seed(
    corners: Splits, tmp_path: Path
) -> None:
    wide = Experiment("improved_cnn", CONFIG, {"widths": (4, 12)})
    results = run_experiments(
        {"small": SMALL, "wide": wide}, corners, seeds=2, folder=tmp_path
    )
    assert {
        name: [point.seed for point in points] for name, points in results.items()
    } == {
        "small": [0, 1],
        "wide": [0, 1],
    }
    first, second = (
        point.model.state_dict()["fc.weight"] for point in results["small"]
    )
    assert not torch.equal(first, second)


def test_a_row_may_have_any_name(corners: Splits, tmp_path: Path) -> None:
    run_experiments({"a: 1/2?": SMALL}, corners, seeds=1, folder=tmp_path)
    [kept] = tmp_path.iterdir()
    assert kept.name.startswith("a_ 1_2_-seed0-")


def test_a_finished_point_is_not_trained_again(
    corners: Splits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = run_experiments({"small": SMALL}, corners, seeds=1, folder=tmp_path)[
        "small"
    ][0]
    monkeypatch.setattr(experiments, "TrainingRun", None)  # calling it would fail
    again = run_experiments({"small": SMALL}, corners, seeds=1, folder=tmp_path)[
        "small"
    ][0]
    assert "trained before" in capsys.readouterr().out
    assert again.history.rows == first.history.rows
    for name, value in first.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value)


@pytest.mark.parametrize(
    "changed",
    [
        Experiment("improved_cnn", replace(CONFIG, lr=0.06), SMALL.arguments),
        Experiment("improved_cnn", CONFIG, {"widths": (4, 9)}),
    ],
)
def test_another_setting_is_another_point(
    corners: Splits, tmp_path: Path, changed: Experiment
) -> None:
    run_experiments({"small": SMALL}, corners, seeds=1, folder=tmp_path)
    run_experiments({"small": changed}, corners, seeds=1, folder=tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_other_data_is_another_point(corners: Splits, tmp_path: Path) -> None:
    run_experiments({"small": SMALL}, corners, seeds=1, folder=tmp_path)
    run_experiments({"small": SMALL}, corners.limit(train=64), seeds=1, folder=tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 2


@pytest.mark.parametrize("name", ["has_fast_bf16", "is_compiled"])
def test_other_arithmetic_of_the_same_settings_is_another_point(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    auto = replace(SMALL, config=replace(CONFIG, precision="auto"))
    module = device if name == "has_fast_bf16" else experiments
    for answer in (False, True, True):
        monkeypatch.setattr(module, name, lambda *_, answer=answer: answer)
        run_experiments({"small": auto}, corners, seeds=1, folder=tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_a_point_with_a_test_curve_is_kept_apart(
    corners: Splits, tmp_path: Path
) -> None:
    tested = replace(corners, test=corners.valid)
    curve = replace(SMALL, config=replace(CONFIG, watch_test=True))
    rows = {"plain": SMALL, "watched": curve}
    for _ in range(2):
        found = run_experiments(rows, tested, seeds=1, folder=tmp_path)
        [plain], [watched] = found.values()
        assert watched.history.rows[0].keys() - plain.history.rows[0].keys() == {
            "test_loss",
            "test_accuracy",
        }
    assert len(list(tmp_path.glob("*.pt"))) == 2
    assert torch.equal(
        plain.model.state_dict()["fc.weight"], watched.model.state_dict()["fc.weight"]
    )


def test_points_side_by_side_are_the_points_one_after_the_other(
    corners: Splits, tmp_path: Path
) -> None:
    one = run_experiments({"small": SMALL}, corners, seeds=2, folder=tmp_path / "one")[
        "small"
    ]
    two = run_experiments(
        {"small": SMALL}, corners, seeds=2, folder=tmp_path / "two", jobs=2
    )["small"]
    for a, b in zip(one, two, strict=True):
        assert torch.allclose(
            a.model.state_dict()["fc.weight"],
            b.model.state_dict()["fc.weight"],
            atol=1e-5,
        )


@pytest.mark.parametrize("module", ["__main__", "networks_of_mine"])
def test_a_network_of_a_notebook_is_trained_with_any_number_of_jobs(
    corners: Splits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: str,
) -> None:
    def own(num_classes: int, in_channels: int) -> nn.Module:
        return ImprovedCNN(num_classes, in_channels, widths=(4, 8))

    own.__module__ = module
    monkeypatch.setitem(building._BUILDERS, "own", own)
    rows = {"own": Experiment("own", CONFIG), "small": SMALL}
    launch.say_once.cache_clear()
    run_experiments(rows, corners, seeds=2, folder=tmp_path, jobs=2)
    assert len(list(tmp_path.glob("*.pt"))) == 4
    assert capsys.readouterr().out.startswith("Trained one by one: only")
    names = set(building.model_names()) - {"own"}
    assert all(map(building.is_known_elsewhere, names))


def test_an_argument_may_be_a_class(
    corners: Splits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def own(num_classes: int, in_channels: int, act: type[nn.Module]) -> nn.Module:
        network = ImprovedCNN(num_classes, in_channels, widths=(4, 8))
        return nn.Sequential(network, act())

    monkeypatch.setitem(building._BUILDERS, "own", own)
    for act in (nn.GELU, nn.SiLU, nn.GELU):
        row = {"own": Experiment("own", CONFIG, {"act": act})}
        run_experiments(row, corners, seeds=1, folder=tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 2
    assert capsys.readouterr().out.count("trained before") == 1


def test_a_list_is_the_tuple_that_it_was(corners: Splits, tmp_path: Path) -> None:
    for widths in ((4, 8), [4, 8]):
        one = replace(SMALL, arguments={"widths": widths})
        run_experiments({"small": one}, corners, seeds=1, folder=tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 1


def test_no_unlabelled_image_goes_to_another_process(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def pickled(_: object, points: Iterable[Any], *__: object) -> list[Any]:
        sent.extend(pickle.dumps(point) for point in points)
        return []

    monkeypatch.setattr(experiments, "side_by_side", pickled)
    views = {str(n): image for n, image in enumerate(torch.zeros(500, 3, 16, 16))}
    unlabelled = replace(corners, unlabelled=views)
    for splits in (corners, unlabelled):
        run_experiments({"small": SMALL}, splits, seeds=1, folder=tmp_path)
    plain, other = map(len, sent)
    assert other == plain


def test_the_last_weights_and_the_best_are_kept_side_by_side(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(**how: Any) -> experiments.Trained:
        config = replace(CONFIG, epochs=4, lr=0.3, **how)
        [[point]] = run_experiments(
            {"small": replace(SMALL, config=config)}, corners, seeds=1, folder=tmp_path
        ).values()
        return point

    last, best, both = train(), train(patience=4), train(keep_best=True)
    monkeypatch.setattr(
        experiments, "TrainingRun", None
    )  # the second time, from the disk
    for point in (both, train(keep_best=True)):
        for kept, expected in ((point, last), (point.at_best, best)):
            own, other = kept.model.state_dict(), expected.model.state_dict()
            assert all(torch.equal(own[name], value) for name, value in other.items())
    for point in (last, best):
        with pytest.raises(ConfigError, match="set keep_best"):
            _ = point.at_best


def test_images_and_filters_lie_in_memory_as_trained_wherever_a_point_is_used(
    corners: Splits, tmp_path: Path
) -> None:
    layout = torch.channels_last
    seen: list[bool] = []
    for _ in range(2):  # trained, then from the disk
        [point] = run_experiments({"small": SMALL}, corners, seeds=1, folder=tmp_path)[
            "small"
        ]
        point.model.register_forward_pre_hook(
            lambda _module, images: seen.append(
                images[0].is_contiguous(memory_format=layout)
            )
        )
        point.evaluate(corners.valid)
        filters = [p for p in point.model.parameters() if p.ndim == 4]
        assert all(p.is_contiguous(memory_format=layout) for p in filters)
    assert seen == [True, True]


def test_whoever_waits_for_another_process_stops_nobody_and_takes_its_point(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "here", tmp_path / "there"
    point = ("one", SMALL, 0, corners, corners.fingerprint())
    steps = _train(*point, folder=folder, report=None)
    next(steps)  # the first step: its folder is held
    [lock] = folder.glob("*.lock")
    steps.close()
    assert not lock.exists()
    trained = run_alone(_train, *point, folder=elsewhere, report=None)
    with FileLock(lock):  # as another process
        steps = _train(*point, folder=folder, report=None)
        next(steps)
        next(steps)  # returns: others have their turns
        shutil.copy(*elsewhere.glob("*.pt"), folder)
    monkeypatch.setattr(experiments, "TrainingRun", None)
    taken = run_alone(lambda: steps)
    assert taken.history.rows == trained.history.rows
    weights = taken.model.state_dict()
    for name, value in trained.model.state_dict().items():
        assert torch.equal(weights[name], value)
    assert [path.suffix for path in folder.iterdir()] == [".pt"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_point_found_done_counts_all_the_epochs_that_were_planned(
    corners: Splits, tmp_path: Path, jobs: int
) -> None:
    config = replace(CONFIG, epochs=30, patience=1, lr=1e-9)
    patient = {"one": replace(SMALL, config=config)}
    options = {"seeds": 2, "folder": tmp_path, "jobs": jobs}
    for _ in range(2):  # trained, then found
        heard: dict[str, list[int]] = {}

        def report(label: str, _: History, epochs: int) -> None:
            heard.setdefault(label, []).append(epochs)  # noqa: B023

        found = run_experiments(patient, corners, report=report, **options)
        ended = [len(point.history) for point in found["one"]]
        assert max(ended) < 30
        assert [(one[0], one[-1]) for one in heard.values()] == [
            (30, epochs) for epochs in ended
        ]


def test_no_seeds_are_refused(corners: Splits, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seeds"):
        run_experiments({"small": SMALL}, corners, seeds=0, folder=tmp_path)
