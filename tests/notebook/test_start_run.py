from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch

from helpers import notebook
from helpers.base import declared
from helpers.base.environment import git
from helpers.base.errors import ConfigError, DivergedError, ModelError, NotebookError
from helpers.base.files import ROOT, exports_dir
from helpers.data.splits import Split, Splits
from helpers.models.lenet5 import LeNet5
from helpers.models.saved import load_model
from helpers.notebook import Run, show_source, start_run
from helpers.training import Experiment, History, TrainConfig, Trained

NAME = "toy/01_first"
PARAMETERS = """epochs: int = 60  # passes
lr: float = 0.1  # learning rate
fast: bool = True  # whether to hurry
seed: int = 7  # of everything random"""
START = """from helpers.notebook import start_run
run = start_run("toy/01_first")
run.say(f"epochs {epochs!r}, lr {lr!r}, fast {fast!r}")"""
FIGURE = """import matplotlib.pyplot as plt
run.figure(plt.subplots()[1], "nothing", alt="An empty pair of axes.")"""


@pytest.fixture(autouse=True)
def toy_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with one notebook, whose folder is what ``notebooks_dir`` returns."""
    path = tmp_path / "notebooks" / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    cells = [
        nbformat.v4.new_markdown_cell("# Toy"),
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(START),
        nbformat.v4.new_code_cell(FIGURE),
        nbformat.v4.new_code_cell("run.finish()"),
    ]
    metadata = {
        "kernelspec": {
            "name": "python3",
            "language": "python",
            "display_name": "Python 3",
        }
    }
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    for module in (notebook.run, declared):
        monkeypatch.setattr(module, "notebooks_dir", lambda: tmp_path / "notebooks")
    yield path
    plt.close("all")
    plt.rcdefaults()


def make_splits(source: str = "real", name: str = "toy") -> Splits:
    images = (
        torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 3, 16, 16) * 40
    )
    split = Split(images, torch.tensor([0, 1] * 3), tuple("abcdef"))
    return Splits(name, source, ("ant", "cup"), split, split.subset(torch.arange(2)))


def make_point() -> Trained:
    experiment = Experiment("lenet5", TrainConfig(), {"image_size": 16})
    model = LeNet5(num_classes=2, image_size=16)
    return Trained(experiment, 0, model, History([]), (0.5,) * 3, (0.5,) * 3)


def record_of(run: Run) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run.folder / "metrics.json").read_text())
    return content


def call_start_run(**names: Any) -> Any:
    """What ``start_run`` does in a script with these global names; returns the run and
    the names afterwards.
    """
    namespace = {"start_run": start_run, **names}
    exec(f"run = start_run({NAME!r})", namespace)  # noqa: S102
    return namespace


def test_run_starts_with_defaults_and_leaves_a_record_of_a_running_run(
    tmp_path: Path,
) -> None:
    run = start_run(NAME)
    assert run.folder == tmp_path / "exports/trial/.unfinished" / NAME
    assert run.parameters == {"epochs": 60, "lr": 0.1, "fast": True, "seed": 7}
    record = record_of(run)
    assert (record["notebook"], record["status"]) == (NAME, "unfinished")
    assert record["parameters"] == run.parameters
    assert {"device", "torch", "torchvision", "python", "threads"} <= set(
        record["environment"]
    )


def test_rows_of_the_same_name_are_refused() -> None:
    one = Experiment("lenet5", TrainConfig())
    rows = {"light": {"none": one}, "geometry": {"none": one}}
    with pytest.raises(ConfigError, match="Two rows have the same name: none"):
        start_run(NAME).compare("rows", rows, make_splits(), seeds=1)


def test_accuracy_without_images_that_look_like_training_images(
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = torch.randint(
        256, (10, 3, 16, 16), generator=torch.manual_seed(0), dtype=torch.uint8
    )
    labels = torch.tensor([0, 1, 0, 1, 0, 0, 1, 1, 1, 0])
    split = Split(images, labels, tuple("abcdefghij"))
    train, valid = (
        split.subset(part) for part in (torch.arange(6), torch.arange(4, 10))
    )
    config = TrainConfig(epochs=1, batch_size=2, device="cpu")
    experiment = Experiment("lenet5", config, {"image_size": 16})
    run = start_run(NAME)
    splits = Splits("toy", "real", ("ant", "cup"), train, valid)
    study = run.train("net", experiment, splits, seeds=2)
    fall = run.without_near_copies(study)  # the first two are training images
    judged = [one.predictions == one.labels for one in study.evaluations]
    left = [right[2:].double().mean().item() for right in judged]
    found = record_of(run)["results"]["net"]
    assert found["valid_accuracy_without_near_copies"]["values"] == left
    usual = found["valid_accuracy"]["mean"]
    assert fall.mean == pytest.approx(usual - sum(left) / 2)
    assert " % on 4 of 6 images\n" in capsys.readouterr().out


def test_parameters_are_what_the_caller_has_and_text_becomes_what_it_stands_for() -> (
    None
):
    names = call_start_run(epochs=2, lr="1e-3", fast="false")
    assert names["run"].parameters == {
        "epochs": 2,
        "lr": 0.001,
        "fast": False,
        "seed": 7,
    }
    assert (names["epochs"], names["lr"], names["fast"]) == (2, 0.001, False)
    assert "seed" not in names


def test_a_smaller_run_than_the_notebooks_own_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = call_start_run(epochs=2)["run"]
    assert record_of(run)["reduced"] == ["epochs"]
    assert "REDUCED RUN" in (shown := capsys.readouterr().out)
    assert "epochs 2 (of 60): less" in shown
    for names in ({}, {"epochs": 61, "lr": 1e-9}):
        run = call_start_run(**names)["run"]
        assert "reduced" not in record_of(run)
        assert "REDUCED" not in capsys.readouterr().out


def test_what_changes_after_the_start_is_not_finished_as_what_was_started() -> None:
    names = call_start_run(epochs=60)
    names["epochs"] = 2  # its cell is run again, that of start_run is not
    with pytest.raises(NotebookError, match="epochs changed after start_run"):
        names["run"].finish()
    assert record_of(names["run"])["status"] == "unfinished"
    names["epochs"] = 60
    run = names["run"]
    run.record("net", valid_accuracy=0.9)
    assert record_of(run)["status"] == "unfinished"
    run.finish()
    names["epochs"] = 2  # and a cell of a complete run once more
    with pytest.raises(NotebookError, match="epochs changed after start_run"):
        run.record("net", valid_accuracy=0.1)
    names["epochs"] = 60  # what was refused leaves nothing behind
    run.finding("It learns.", 0.2)
    assert record_of(run)["results"]["net"]["valid_accuracy"]["values"] == [0.9]


def test_an_edited_cell_of_parameters_is_another_experiment(
    toy_notebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git = ["git", "-C", str(toy_notebook.parent)]
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "a"]):
        subprocess.run([*git, *command], check=True)
    text = toy_notebook.read_text()
    toy_notebook.write_text(text.replace("epochs: int = 60", "epochs: int = 2"))
    run = start_run(NAME)
    assert run.parameters["epochs"] == 2
    assert record_of(run)["reduced"] == ["epochs"]
    assert "epochs 2 (of 60): less" in capsys.readouterr().out


def test_parameter_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(ConfigError, match="epochs"):
        call_start_run(epochs="many")


def test_a_misspelt_parameter_of_plain_papermill_is_refused() -> None:
    cells = ["", "# Parameters\nepocs = 3\nlr = 0.2\n"]
    with pytest.raises(
        ConfigError, match=r"no parameter epocs\. .*: epochs \(int\), lr"
    ):
        call_start_run(In=cells, epocs=3, lr=0.2)
    # Whoever has put it right goes on in the same kernel.
    cells.append("# Parameters\nlr = 0.2\n")
    names = call_start_run(In=cells, epocs=3, lr=0.2)
    assert names["run"].parameters["lr"] == 0.2


def test_a_cell_that_only_looks_like_papermills_is_none_of_its() -> None:
    names = call_start_run(In=["# Parameters\nmine: int = 3\n"], mine=3)
    assert "mine" not in names["run"].parameters


def test_what_is_asked_again_is_asked_once() -> None:
    run = start_run(NAME)
    run.use_data(make_splits())
    for value in (0.6, 0.8):
        run.ask("1", "more than a half", value, at_least=0.7)
    [finding] = record_of(run)["findings"]
    assert (finding["estimate"]["mean"], finding["verdict"]) == (0.8, "met")
    run.finish()
    folder = run.folder
    run.finish()  # its cell is run again
    assert run.folder == folder
    assert record_of(run)["status"] == "complete"


def test_unknown_notebook_is_refused() -> None:
    with pytest.raises(NotebookError, match="02_second"):
        start_run("toy/02_second")


def test_every_generator_is_seeded() -> None:
    def draw(seed: int) -> tuple[float, float]:
        call_start_run(seed=seed)
        return torch.rand(1).item(), np.random.rand()  # noqa: NPY002

    assert draw(1) == draw(1) != draw(2)
    assert draw(-1) != draw(1)


def test_results_are_summarised_and_written_at_once() -> None:
    run = start_run(NAME)
    run.record("net", valid_accuracy=[0.5, 0.7], train_loss=1.25)
    run.record("net", test_accuracy=torch.tensor([0.5]))
    results = record_of(run)["results"]["net"]
    assert results["valid_accuracy"]["values"] == [0.5, 0.7]
    assert results["valid_accuracy"]["mean"] == pytest.approx(0.6)
    assert results["train_loss"]["values"] == [1.25]
    assert results["test_accuracy"]["values"] == [0.5]


def verdicts(run: Run) -> list[str]:
    return [row["verdict"] for row in record_of(run)["findings"]]


def test_what_is_asked_and_claimed_is_judged_on_real_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(NAME)
    run.use_data(make_splits())
    assert record_of(run)["data"] == {
        "name": "toy",
        "source": "real",
        "splits": {"train": 6, "valid": 2},
        "classes": [2],
    }
    accuracy = run.estimate([0.8, 0.81, 0.82], "percent")
    run.ask("1(b)", "accuracy of at least 71 %", accuracy, at_least=0.71)
    run.ask("1(b), goal", "accuracy of at least 81 %", accuracy, at_least=0.81)
    run.ask("2", "four parameters", 3, exactly=4)
    run.finding("It learns.", run.estimate([0.1, 0.11, 0.12], "points"))
    run.finding("It forgets.", accuracy, at_most=0.5)
    assert verdicts(run) == [
        "met",
        "met on average",
        "missed",
        "supported",
        "contradicted",
    ]
    row = record_of(run)["findings"][0]
    assert (row["section"], row["at_least"]) == ("1(b)", 0.71)
    assert row["estimate"]["unit"] == "percent"
    shown = capsys.readouterr().out
    assert "**met** · 1(b): accuracy of at least 71 %: 81.0 ± 2.5 % (3 seeds)." in shown
    assert "**supported** · It learns: +11.0 ± 2.5 points (3 seeds)." in shown
    run.finish()
    assert "| 2 | four parameters | 3 | missed |" in capsys.readouterr().out


def test_a_verdict_says_what_stands_for_the_courses_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(NAME)
    for _ in range(2):  # cells may be run again
        run.use_data(make_splits(), replaces="PACS")
        run.use_backbone("squeezenet1_1", "a file", course="alexnet")
    assert (
        record_of(run)["data"]["replaces"] == "PACS; squeezenet1_1 in place of alexnet"
    )
    run.ask("2.2", "accuracy of at least 95 %", 1.0, at_least=0.95)
    run.finding("It learns.", 1)
    shown = capsys.readouterr().out
    assert "**met, PACS; squeezenet1_1 in place of alexnet** · 2.2" in shown
    assert "**supported** · It learns" in shown
    assert verdicts(run) == ["met", "supported"]


def test_a_run_on_two_sets_is_as_real_as_both_are() -> None:
    run = start_run(NAME)
    real, drawn = make_splits(), make_splits("synthetic", name="other")
    run.use_data(real, drawn)
    data = record_of(run)["data"]
    assert (data["name"], data["source"]) == ("toy, other", "synthetic")
    assert data["splits"] == {
        "toy_train": 6,
        "toy_valid": 2,
        "other_train": 6,
        "other_valid": 2,
    }
    run.ask("1", "any", 1.0, at_least=0.5)
    assert verdicts(run) == ["not judged"]
    with pytest.raises(NotebookError, match="has 2 data sets"):
        run.save(make_point())
    run.save(make_point(), data=real, name="model_toy")
    run.finish()
    assert load_model(f"{NAME}/model_toy").trained_on == "real"
    with pytest.raises(ModelError, match=f"run {NAME}$"):
        load_model(f"{NAME}/model_other")


@pytest.mark.parametrize("splits", [None, make_splits("synthetic")])
def test_nothing_is_judged_without_real_data(
    splits: Splits | None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start_run(NAME)
    if splits is not None:
        run.use_data(splits)
        assert "SYNTHETIC DATA" in capsys.readouterr().out
    run.ask("1(b)", "at least 71 %", 0.99, at_least=0.71)
    run.finding("It learns.", 1)
    assert verdicts(run) == ["not judged", "not judged"]


def test_a_stand_in_is_not_forgotten_for_what_is_real() -> None:
    run = start_run(NAME)
    finished("toy/02_ants", make_splits("synthetic"))
    finished("toy/03_cups", make_splits(), backbone="alexnet", weights="random")
    run.use_results("toy/02_ants", "toy/03_cups")
    run.use_data(make_splits())
    run.use_backbone("alexnet", "alexnet-owt-7be5be79.pth")
    data = record_of(run)["data"]
    assert (data["source"], data["weights"]) == ("synthetic", "random")
    run.finding("It learns.", 1)
    assert verdicts(run) == ["not judged"]


@pytest.mark.parametrize("bound", [None, float("nan"), float("inf")])
def test_what_has_no_bound_is_not_asked(bound: float | None) -> None:
    run = start_run(NAME)
    run.use_data(make_splits())
    with pytest.raises(ConfigError, match=r"bound|finite"):
        run.ask("1", "a good accuracy", 0.01, at_least=bound)
    run.ask("1", "half", 0.6, at_least=torch.tensor(0.5))  # type: ignore[arg-type]  # as notebooks may
    assert verdicts(run) == ["met"]


def test_a_run_says_which_backbone_it_had_and_judges_nothing_by_one_that_is_random(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(NAME)
    run.use_backbone("alexnet", "alexnet-owt-7be5be79.pth, SHA-256 7be5be79")
    run.use_data(make_splits())
    assert "RANDOM" not in capsys.readouterr().out
    assert record_of(run)["data"] == {
        "name": "toy",
        "source": "real",
        "splits": {"train": 6, "valid": 2},
        "classes": [2],
        "backbone": "alexnet",
        "weights": "alexnet-owt-7be5be79.pth, SHA-256 7be5be79",
    }
    run.ask("2.2", "at least 71 %", 0.99, at_least=0.71)
    run.use_backbone("alexnet", "random")
    assert "RANDOM WEIGHTS" in capsys.readouterr().out
    run.ask("2.2", "once more", 0.99, at_least=0.71)
    assert verdicts(run) == ["met", "not judged"]


def test_figure_is_saved_twice_the_same_every_time_and_closed() -> None:
    run = start_run(NAME)
    saved = []
    for _ in range(2):
        run.figure(plt.subplots()[1], "curves", alt="Loss falls.")
        saved.append(
            [
                (run.folder / "figures" / f"curves.{suffix}").read_bytes()
                for suffix in ("png", "pdf")
            ]
        )
    assert saved[0] == saved[1]
    assert not plt.get_fignums()


def test_figure_without_alternative_text_or_with_a_bad_name_is_refused() -> None:
    run = start_run(NAME)
    with pytest.raises(ConfigError, match="alternative text"):
        run.figure(plt.figure(), "curves", alt=" ")
    with pytest.raises(ConfigError, match=r"\.\./curves"):
        run.figure(plt.figure(), "../curves", alt="Loss falls.")


def test_a_figure_of_another_run_is_shown_as_its_own() -> None:
    run, other = start_run(NAME), Run("toy/00_zeroth", {})
    other.figure(plt.subplots()[1], "curves", alt="Loss falls.")
    other.finish()
    run.figure_from("toy/00_zeroth/curves", "first_curves", alt="Loss falls.")
    for suffix in ("png", "pdf"):
        copy, original = (
            r.folder / "figures" / name
            for r, name in ((run, "first_curves"), (other, "curves"))
        )
        assert (
            copy.with_suffix(f".{suffix}").read_bytes()
            == original.with_suffix(f".{suffix}").read_bytes()
        )
    with pytest.raises(
        NotebookError,
        match=r"toy/00_zeroth left no .*maps\.p.*: .*helpers run toy/00_zeroth",
    ):
        run.figure_from("toy/00_zeroth/maps", "maps", alt="Maps.")
    with pytest.raises(ConfigError, match="alternative text"):
        run.figure_from("toy/00_zeroth/curves", "first_curves", alt="")


def finished(
    name: str, splits: Splits, *, backbone: str = "", weights: str = ""
) -> Run:
    run = Run(name, {})
    run.use_data(splits)
    if backbone:
        run.use_backbone(backbone, weights)
    run.finish()
    return run


def test_a_report_is_about_the_data_of_all_its_notebooks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(NAME)
    finished("toy/02_ants", make_splits(name="ants")).record(
        "net", valid_accuracy=[0.5, 0.75]
    )
    finished(
        "toy/03_cups",
        make_splits(name="cups"),
        backbone="alexnet",
        weights="IMAGENET1K_V1",
    )
    records = run.use_results("toy/02_ants", "toy/03_cups")
    assert records["toy/02_ants"].values("net", "valid_accuracy") == [0.5, 0.75]
    data = record_of(run)["data"]
    assert (data["name"], data["source"], data["backbone"]) == (
        "ants, cups",
        "real",
        "alexnet",
    )
    assert data["splits"] == {
        "ants_train": 6,
        "ants_valid": 2,
        "cups_train": 6,
        "cups_valid": 2,
    }
    run.ask("1", "all of it", 2, exactly=2)
    assert verdicts(run) == ["met"]
    assert "> **" not in capsys.readouterr().out


def test_a_report_says_what_was_drawn_or_knows_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(NAME)
    finished("toy/02_ants", make_splits("synthetic"))
    finished("toy/03_cups", make_splits(), backbone="alexnet", weights="random")
    capsys.readouterr()
    run.use_results("toy/02_ants", "toy/03_cups")
    said = capsys.readouterr().out
    drawn, untrained = "Synthetic data: drawn images among toy.", "Random weights in"
    assert re.search(rf"> 02_ants: \*\*{drawn} Not a result\.\*\*\n", said)
    assert re.search(rf"> 03_cups: \*\*{untrained} .* Not a result\.\*\*\n", said)
    data = record_of(run)["data"]
    assert (data["source"], data["weights"]) == ("synthetic", "random")
    run.ask("1", "all of it", 2, exactly=2)
    assert verdicts(run) == ["not judged"]


def test_of_two_notebooks_of_one_name_neither_is_forgotten(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(NAME)
    finished("toy/02_ants", make_splits("synthetic"))
    finished("game/02_ants", make_splits())
    capsys.readouterr()
    run.use_results("toy/02_ants", "game/02_ants")
    assert "Synthetic data" in capsys.readouterr().out


def test_a_report_says_what_was_smaller_than_planned(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(NAME)
    smaller = Run(
        "toy/02_ants",
        {"epochs": 2, "limit": 10, "lr": 0.1},
        reduced=("epochs", "limit"),
    )
    smaller.use_data(make_splits())
    smaller.finish()
    capsys.readouterr()
    run.use_results("toy/02_ants")
    assert "> 02_ants: **Reduced run: epochs 2, limit 10**" in capsys.readouterr().out


def test_a_report_names_every_notebook_that_has_not_been_run() -> None:
    run = start_run(NAME)
    finished("toy/02_ants", make_splits())
    Run("toy/03_cups", {})  # has not come to its end
    with pytest.raises(
        NotebookError,
        match=r"their end: toy/03_cups, toy/04_bees\. .*run toy/03_cups toy/04_bees$",
    ):
        run.use_results("toy/02_ants", "toy/03_cups", "toy/04_bees")


def test_a_table_of_another_run_is_shown_as_it_was_saved(
    capsys: pytest.CaptureFixture[str],
) -> None:
    frame = pd.DataFrame({"net": ["a|b"], "accuracy": [0.123456], "difference": [""]})
    other = Run("toy/00_zeroth", {})
    other.table(frame, "nets")
    other.finish()
    run = start_run(NAME)
    run.table_from("toy/00_zeroth/nets", columns=["net", "accuracy"], caption="Nets.")
    saved = run.folder / "figures" / "nets.csv"
    assert saved.read_text() == "net,accuracy\na|b,0.123456\n"
    assert "*Nets.*" in capsys.readouterr().out
    with pytest.raises(
        NotebookError,
        match=r"toy/00_zeroth left no .*all\.csv: .*helpers run toy/00_zeroth",
    ):
        run.table_from("toy/00_zeroth/all")


def test_results_of_other_notebooks_are_compared() -> None:
    one, other = (finished(f"toy/0{i}_net", make_splits()) for i in (2, 3))
    one.record("a", valid_accuracy=[0.8, 0.8, 0.9])
    one.record("b", valid_accuracy=[0.7, 0.7, 0.8])
    one.record("dealt", over="repeats", valid_accuracy=[0.7, 0.7, 0.8])
    other.record("c", valid_accuracy=[0.6, 0.6, 0.7])
    one.finding("It learns.", 1)
    reports = start_run(NAME).use_results("toy/02_net", "toy/03_net")
    a, b, c = (
        ("toy/02_net", "a", "valid_accuracy"),
        ("toy/02_net", "b", "valid_accuracy"),
        ("toy/03_net", "c", "valid_accuracy"),
    )
    assert str(reports.difference(a, b)) == "+10.0 points (3 seeds)"  # paired
    assert reports.difference(a, c).ci95 == pytest.approx(
        2**0.5 * (reports[a[0]].estimate(*a[1:]).ci95 or 0)
    )
    dealt = "toy/02_net", "dealt", "valid_accuracy"  # no pairs: a seed and a repeat
    for difference in (reports.difference(a, dealt), reports.difference(dealt, a)):
        assert difference.ci95 == pytest.approx(reports.difference(a, c).ci95)
    assert list(reports.findings("toy/02_net")["verdict"]) == ["supported"]


def test_a_network_of_a_lesser_run_says_so(
    toy_notebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(toy_notebook, toy_notebook.with_stem("00_zeroth"))
    other = Run("toy/00_zeroth", {"epochs": 2}, reduced=("epochs",))
    other.use_data(make_splits())
    other.use_backbone("squeezenet1_1", "random")
    other.save(make_point())
    other.finish()
    capsys.readouterr()
    run = start_run(NAME)
    run.load_model("toy/00_zeroth", trained_on="real")
    told = capsys.readouterr().out
    assert "> 00_zeroth: **Reduced run: epochs 2**" in told
    assert "> 00_zeroth: **Random weights in place" in told
    others = replace(make_splits(), classes=("bee", "cup")), make_splits("synthetic")
    for other_data in others:
        run.use_data(other_data)
        with pytest.raises(
            ModelError, match=r"model\.pt is of other classes or images"
        ):
            run.load_model("toy/00_zeroth")


def test_a_network_of_a_trial_run_says_so(
    toy_notebook: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(toy_notebook, toy_notebook.with_stem("00_zeroth"))
    other = Run("toy/00_zeroth", {})
    other.use_data(make_splits())
    other.save(make_point())
    other.finish()
    run = start_run(NAME)
    capsys.readouterr()
    said = f"The network is that of `{exports_dir() / 'trial/toy/00_zeroth'}`."
    run.load_model("toy/00_zeroth")
    assert said in capsys.readouterr().out
    monkeypatch.chdir(other.folder)  # a path as short as can be
    run.load_model("model.pt")
    assert said in capsys.readouterr().out


def test_figures_and_tables_carry_what_a_paper_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(
        notebook.display,
        "show",
        lambda bundle, metadata=None: shown.append((bundle, metadata)),
    )
    run = start_run(NAME)
    run.figure(plt.subplots()[1], "curves", alt="Loss falls.", caption="Curves.")
    run.table(pd.DataFrame({"net": ["a"]}), "nets", caption="All nets.")
    (_, picture), (caption, caption_of), (table, source) = shown
    assert picture["image/png"] == {
        "alt": "Loss falls.",
        "width": 432,
        "figure": "curves",
        "caption": "Curves.",
    }
    assert (caption["text/markdown"], caption_of) == (
        "*Curves.*",
        {"text/markdown": {"caption_of": "curves"}},
    )
    assert source["text/markdown"] == {
        "table": "nets",
        "source": "| net |\n| --- |\n| a |",
        "caption": "All nets.",
    }
    assert table["text/markdown"].endswith("| a |\n\n*All nets.*")


def test_table_is_shown_rounded_and_saved_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(NAME)
    frame = pd.DataFrame(
        {"net": ["a|b"], "accuracy": [0.123456], "parameters": [11_689_512]}
    )
    run.table(frame, "nets", caption="All nets.")
    assert "| a\\|b | 0.1235 | 11689512 |\n\n*All nets.*" in capsys.readouterr().out
    assert (
        run.folder / "figures" / "nets.csv"
    ).read_text() == "net,accuracy,parameters\na|b,0.123456,11689512\n"
    run.table(frame.set_index("net"), "by_net")
    assert (
        "| net | accuracy | parameters |\n| --- | --: | --: |"
        in capsys.readouterr().out
    )


def test_names_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    names = ['<img src="/etc/passwd">', "![x](/etc/passwd)", "+ a_b*c", "two\nlines"]
    start_run(NAME).table(pd.DataFrame({"class": names}), "classes")
    shown = capsys.readouterr().out
    assert "<img" not in shown.replace("\\<img", "")
    assert "![x](" not in shown.replace("\\!\\[x\\]", "")
    assert "+ a\\_b\\*c |" in shown
    assert "| two lines |" in shown


def test_saved_model_knows_the_classes_and_what_it_was_normalised_with() -> None:
    run = start_run(NAME)
    with pytest.raises(NotebookError, match="use_data"):
        run.save(make_point())
    splits = make_splits()
    run.use_data(splits)
    point = make_point()
    run.save(point)
    run.finish()
    saved = run.load_model(NAME)
    assert saved.classes == ("ant", "cup")
    assert (saved.image_size, saved.channels) == (16, 3)
    assert (saved.mean, saved.std) == (point.mean, point.std)
    assert saved.mean != splits.channel_stats()[0]  # a part of them may be learned from


def test_each_experiment_gets_the_learning_rate_that_validates_best() -> None:
    run = start_run(NAME)
    splits = make_splits()
    run.use_data(splits)
    settings = {"epochs": 5, "batch_size": 2, "device": "cpu", "precision": "fp32"}
    rows = {
        row: Experiment("lenet5", TrainConfig(lr=lr, **settings), {"image_size": 16})
        for row, lr in {"a": 1e-7, "b": 1e-5}.items()
    }
    tuned = run.tune("rates", rows, splits, seeds=1, factors=(0.5, 1e4, 1e-6))
    tried = record_of(run)["results"]
    assert set(tried) == {f"a, {r}" for r in ("5e-08", "0.001", "1e-13")} | {
        f"b, {r}" for r in ("5e-06", "0.1", "1e-11")
    }
    assert {f"{one.config.lr:.2g}" for one in tuned.values()} != {"1e-13", "1e-11"}
    for row, one in tuned.items():
        chosen = tried[f"{row}, {one.config.lr:.2g}"]["valid_accuracy"]["mean"]
        own = [v["valid_accuracy"]["mean"] for k, v in tried.items() if k[0] == row]
        assert chosen == max(own)
        assert one == replace(
            rows[row], config=replace(rows[row].config, lr=one.config.lr)
        )


def test_what_is_compared_is_judged_without_the_test_split_unless_asked() -> None:
    run = start_run(NAME)
    splits = make_splits()
    whole = replace(splits, test=splits.valid)
    run.use_data(whole)
    settings = {"epochs": 1, "batch_size": 2, "device": "cpu", "precision": "fp32"}
    rows = {"a": Experiment("lenet5", TrainConfig(**settings), {"image_size": 16})}
    study = run.compare("rows", rows, whole, seeds=1)["a"]
    assert study.judged_split == "validation"
    assert not [m for m in record_of(run)["results"]["a"] if m.startswith("test_")]
    study = run.compare("rows", rows, whole, seeds=1, test=True)["a"]
    assert study.judged_split == "test"
    assert "test_accuracy" in record_of(run)["results"]["a"]


def test_a_cross_validation_is_recorded_with_its_corrected_interval() -> None:
    run = start_run(NAME)
    splits = make_splits()
    images = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8)
    split = Split(images, torch.arange(20) % 2, tuple(map(str, range(20))))
    splits = replace(splits, train=split, valid=split.subset(torch.arange(0)))
    run.use_data(splits)
    settings = {"epochs": 1, "batch_size": 4, "device": "cpu", "precision": "fp32"}
    rows = {"a": Experiment("lenet5", TrainConfig(**settings), {"image_size": 16})}
    how = {"folds": 2, "repeats": 2}
    for watch in (0.0, 0.2):
        study = run.cross_validate("rows", rows, splits, watch=watch, **how)["a"]
        kept = record_of(run)["results"]["a"]["valid_accuracy"]
        assert (kept["over"], len(kept["values"])) == ("repeats", 2)
        assert kept["ci95"] == study["valid_accuracy"].ci95
        assert study.shared == pytest.approx(1 / (1 - watch))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_learning_rate_at_which_training_diverges_is_not_chosen(
    jobs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start_run(NAME)
    run.parameters["jobs"] = jobs
    splits = make_splits()
    run.use_data(splits)
    settings = {"epochs": 3, "batch_size": 2, "device": "cpu", "precision": "fp32"}
    how = {"optimizer": "sgd", "lr": 1e-5, **settings}
    rows = {"a": Experiment("lenet5", TrainConfig(**how), {"image_size": 16})}
    tuned = run.tune("rates", rows, splits, seeds=2, factors=(1e30, 1, 1e29))
    assert tuned == rows
    assert set(record_of(run)["results"]) == {"a, 1e-05"}
    said = capsys.readouterr().out
    for row in ("a, 1e+25", "a, 1e+24"):
        assert re.search(rf"{re.escape(row)} is out\. The .*loss is (nan|inf)", said)
    with pytest.raises(DivergedError, match="Training has diverged"):
        run.tune("rates", rows, splits, seeds=2, factors=(1e30,))


def test_source_of_a_class_and_of_a_function(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_source(LeNet5, show_source)
    shown = capsys.readouterr().out
    assert shown.startswith('```python\n@register("lenet5")\nclass LeNet5')
    assert "\n\n\ndef show_source(" in shown


# A kernel is a process of its own, which the patch of this one does not reach.
IN_KERNEL = (
    "import helpers.notebook.run as r; r.notebooks_dir = lambda: "
    "__import__('pathlib').Path({folder!r})"
)


def test_plain_papermill_from_any_folder_leaves_the_same_files(
    toy_notebook: Path, tmp_path: Path
) -> None:
    content = nbformat.read(toy_notebook, as_version=4)
    content.cells.insert(
        0,
        nbformat.v4.new_code_cell(IN_KERNEL.format(folder=str(tmp_path / "notebooks"))),
    )
    nbformat.write(content, tmp_path / "in.ipynb")
    command = [
        sys.executable,
        "-m",
        "papermill",
        "-k",
        "python3",
        "in.ipynb",
        "out.ipynb",
    ]
    values = ["-p", "epochs", "2", "-r", "lr", "1e-3", "-r", "fast", "false"]
    subprocess.run([*command, *values], cwd=tmp_path, check=True, capture_output=True)

    left = tmp_path / "exports/trial" / NAME
    record = json.loads((left / "metrics.json").read_text())
    assert record["status"] == "complete"
    assert record["parameters"] == {"epochs": 2, "lr": 0.001, "fast": False, "seed": 7}
    outputs = [
        o
        for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        for o in cell.get("outputs", [])
    ]
    texts = [
        o.data["text/markdown"]
        for o in outputs
        if o.output_type == "display_data" and "text/markdown" in o.data
    ]
    assert texts[-1] == "epochs 2, lr 0.001, fast False"
    pictures = [
        o for o in outputs if o.output_type == "display_data" and "image/png" in o.data
    ]
    assert len(pictures) == 1, "a figure is not displayed twice"
    assert pictures[0].metadata["image/png"]["alt"] == "An empty pair of axes."
    assert (left / "figures" / "nothing.pdf").is_file()


def test_commit_is_recorded_where_there_is_git() -> None:
    if git(ROOT, "rev-parse", "HEAD"):
        assert record_of(start_run(NAME))["environment"]["commit"]


def test_a_network_that_is_shown_stays_on_its_device() -> None:
    elsewhere = LeNet5(num_classes=2, image_size=16).to("meta")
    start_run(NAME).show_model(elsewhere, make_splits())
    assert {one.device.type for one in elsewhere.parameters()} == {"meta"}


def test_torchinfo_is_always_told_the_device() -> None:
    # By default it moves the network to a GPU.
    sources = [*ROOT.glob("helpers/**/*.py"), *ROOT.glob("notebooks/*/*.ipynb")]
    calls = [
        call
        for source in sources
        for call in re.findall(r"\bsummary\((?s:.*?)verbose=0", source.read_text())
    ]
    assert len(calls) >= 2
    assert all("device=" in call for call in calls)
