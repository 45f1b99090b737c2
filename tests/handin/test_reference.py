from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.base.errors import ExportError
from helpers.base.files import ROOT
from helpers.base.record import RunRecord
from helpers.handin.reference import save_reference
from helpers.handin.results import result_rows

RealRun = Callable[..., RunRecord]
Save = Callable[[RunRecord], Path]
PRETRAINED = {
    "name": "shapes",
    "source": "real",
    "backbone": "squeezenet1_1",
    "weights": "squeezenet1_1.pth",
}


@pytest.fixture
def save(
    write_notebook: Callable[..., Path], exports: Path, kept: Path
) -> Callable[..., Path]:
    """Keeps a run of a notebook with these parameters."""
    executed = exports / "course/01_a/notebook.ipynb"
    executed.parent.mkdir(parents=True)
    own = 'epochs: int = 60  # passes\nsource: str = "real"  # which data'

    def saved(record: RunRecord, *parameters: str) -> Path:
        path = write_notebook("course/01_a", parameters="\n".join(parameters) or own)
        shutil.copy(path, executed)
        record.save(executed.with_name("metrics.json"))
        return save_reference(record.notebook)

    return saved


def test_a_real_run_is_kept_as_it_is(save: Save, real_run: RealRun, kept: Path) -> None:
    path = save(real_run())
    assert path == kept / "course/01_a.json"
    assert RunRecord.load(path) == real_run()


def test_predictions_are_kept_beside_the_record(
    save: Save, real_run: RealRun, exports: Path, kept: Path
) -> None:
    save(real_run())
    beside = kept / "course/test_predictions.txt"
    assert not beside.exists()
    written = exports / "course/01_a/test_predictions.txt"
    written.write_text("id,label\n0001, 2\n")
    save(real_run())
    assert beside.read_bytes() == written.read_bytes()


def test_a_run_with_another_backbone_is_kept_and_says_which(
    save: Callable[..., Path], real_run: RealRun
) -> None:
    own = (
        'backbone: str = "alexnet"  # which',
        'layer: str = "conv4"  # to',
        'weights: str = "imagenet"  # whose',
    )
    chosen = {
        "backbone": "squeezenet1_1",
        "layer": "features.7",
        "weights": "squeezenet1_1.pth",
    }
    path = save(real_run(parameters=chosen, data=PRETRAINED), *own)
    assert {row[5] for row in result_rows({"course/01_a": RunRecord.load(path)})} == {
        "real shapes, squeezenet1_1"
    }
    untrained = real_run(parameters=chosen, data=PRETRAINED | {"weights": "random"})
    assert result_rows({"course/01_a": untrained})[0][5] == (
        "real shapes, squeezenet1_1; random weights in place of pretrained ones. Not a "
        "result."
    )
    with pytest.raises(ExportError, match="Random weights in place of pretrained ones"):
        save(untrained, *own)


def test_a_smaller_run_is_kept_and_says_in_what_it_is_smaller(
    save: Callable[..., Path], real_run: RealRun
) -> None:
    own = (
        "epochs: int = 60  # passes",
        "train_limit: int | None = None  # images",
        "lr: float = 0.1  # rate",
    )
    values = {"epochs": 6, "train_limit": 900, "lr": 0.1}
    smaller = ["epochs", "train_limit"]
    kept = RunRecord.load(save(real_run(parameters=values, reduced=smaller), *own))
    assert kept.parameters == values
    assert {row[5] for row in result_rows({"course/01_a": kept})} == {
        "real shapes; reduced run: epochs 6, train_limit 900"
    }
    for other in ({"lr": 0.2}, {"epochs": 61}):
        with pytest.raises(
            ExportError, match=f"the notebook's own values of {next(iter(other))}"
        ):
            save(real_run(parameters=values | other, reduced=smaller), *own)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"data": {"name": "shapes", "source": "synthetic"}},
            "Synthetic data: drawn images among shapes. Not a result. Run it anew",
        ),
        ({"data": {}}, "The run does not say what data it is about"),
        (
            {"parameters": {"epochs": 2, "source": "auto"}},
            "the notebook's own values of epochs",
        ),
        (
            {"parameters": {"epochs": 60, "rate": 1}},
            "the notebook's own values of rate",
        ),
        ({"parameters": {}}, "the notebook's own values of epochs"),
        (
            {"environment": {"data": ["/home/me/data"]}},
            'it holds the path "/home/me/data"',
        ),
        ({"environment": {"note": f"in {ROOT}"}}, 'it holds the path "in '),
    ],
)
def test_what_is_no_evidence_is_refused(
    save: Save, real_run: RealRun, kept: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(
        ExportError,
        match=rf"It is no reference: .*{reason}.*run course/01_a$",
    ):
        save(real_run(**changes))
    assert not kept.exists()


def test_a_reduced_run_does_not_replace_a_whole_one(
    save: Save, real_run: RealRun
) -> None:
    path = save(real_run())
    before = path.read_text()
    smaller = real_run(reduced=["epochs"], parameters={"epochs": 1, "source": "auto"})
    with pytest.raises(ExportError, match="is of a larger run, this one is reduced"):
        save(smaller)
    assert path.read_text() == before


def test_pages_of_an_earlier_run_do_not_stay(
    save: Save, real_run: RealRun, exports: Path
) -> None:
    path = save(real_run())
    pages = [path.with_suffix(suffix) for suffix in (".html", ".pdf")]
    assert {*path.parent.iterdir()} == {path, *pages}
    before = path.read_text(), pages[0].read_text()
    (exports / "course/01_a/notebook.ipynb").unlink()
    with pytest.raises(ExportError, match=r"There is no notebook .*01_a/notebook"):
        save_reference("course/01_a")  # whose pages cannot be made
    assert (path.read_text(), pages[0].read_text()) == before
    path.with_suffix(".png").touch()
    faces = real_run(data={"name": "facescrub", "source": "real"})
    faces.save(exports / "course/01_a/metrics.json")
    save_reference("course/01_a")
    assert [*path.parent.iterdir()] == [path]
