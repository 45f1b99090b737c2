from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers.base.errors import ExportError, WriteError
from helpers.base.record import RunRecord, summarize
from helpers.base.runs import (
    GIVEN,
    command,
    find_run,
    place,
    unfinished,
    unfinished_dir,
)

NAME = "course/01_a"


def make_run(
    folder: Path, *, source: str = "real", reduced: bool = False, epochs: int = 9
) -> Path:
    values = {"epochs": epochs, "seeds": 3, "train_limit": None}
    record = RunRecord(NAME, "complete", {"source": source}, values)
    record.reduced = ["epochs"] if reduced else []
    record.save(folder / "metrics.json")
    (folder / "model.pt").write_text(f"{source} {reduced} {epochs}")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [
        ({}, {"reduced": True}, True),
        ({"reduced": True}, {"source": "synthetic"}, True),
        ({}, {}, False),
        ({"reduced": True}, {}, False),
        ({"reduced": True}, {"reduced": True, "epochs": 1}, True),
        ({"reduced": True}, {"reduced": True, "epochs": 20}, False),
        ({"source": "synthetic"}, {"reduced": True}, False),
    ],
)
def test_a_lesser_run_never_replaces_a_greater_one(
    tmp_path: Path,
    old: dict[str, object],
    new: dict[str, object],
    stays: bool,
) -> None:
    there = make_run(tmp_path / NAME, **old)  # type: ignore[arg-type]
    before = (there / "model.pt").read_text()
    folder = unfinished(tmp_path, NAME)
    target = place(make_run(folder, **new), tmp_path, NAME)  # type: ignore[arg-type]
    assert target == (tmp_path / "lesser" / NAME if stays else there)
    assert ((there / "model.pt").read_text() == before) == (stays or old == new)
    assert not folder.exists()


def test_a_run_that_measured_nothing_replaces_none_that_did(tmp_path: Path) -> None:
    def run(results: dict[str, dict[str, dict[str, Any]]]) -> Path:
        folder = unfinished(tmp_path, NAME)
        record = RunRecord(NAME, "complete", {"source": "real"}, results=results)
        record.save(folder / "metrics.json")
        return place(folder, tmp_path, NAME)

    measured = {"net": {"valid_accuracy": summarize([0.5, 0.6, 0.7])}}
    assert run(measured) == tmp_path / NAME
    assert run({}) == tmp_path / "lesser" / NAME
    assert run(measured) == tmp_path / NAME


def test_networks_are_not_lost_to_a_run_without(tmp_path: Path) -> None:
    there = place(make_run(unfinished(tmp_path, NAME)), tmp_path, NAME)
    bare = make_run(unfinished(tmp_path, NAME))
    (bare / "model.pt").unlink()
    assert place(bare, tmp_path, NAME) == tmp_path / "lesser" / NAME
    assert (there / "model.pt").is_file()


def test_a_run_that_is_in_its_place_stays_there(tmp_path: Path) -> None:
    there = place(make_run(unfinished(tmp_path, NAME)), tmp_path, NAME)
    for _ in range(2):
        assert place(there, tmp_path, NAME) == there
    assert (there / "model.pt").is_file()


def test_an_exercise_does_not_replace_the_notebooks_own_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "notebooks"
    monkeypatch.setattr("helpers.base.runs.notebooks_dir", lambda: folder)
    cell = nbformat.v4.new_code_cell("lr: float = 0.1", id="a")
    cell.metadata.tags = ["parameters"]
    path = folder / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    for lr, where in ((5.0, ""), (0.1, ""), (3.0, "lesser"), (0.1, "")):
        made = make_run(unfinished(tmp_path, NAME))
        RunRecord(NAME, "complete", {"source": "real"}, {"lr": lr}).save(
            made / "metrics.json"
        )
        assert place(made, tmp_path, NAME) == tmp_path / where / NAME


def test_a_run_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk/01").mkdir(parents=True)
    (tmp_path / NAME).parent.mkdir()
    (tmp_path / NAME).symlink_to(tmp_path / "disk/01")
    for _ in range(2):
        place(make_run(unfinished(tmp_path, NAME)), tmp_path, NAME)
        assert (tmp_path / "disk/01/model.pt").is_file()
        assert (tmp_path / NAME).is_symlink()
    assert not list((tmp_path / ".unfinished").rglob("*.old"))


def test_a_run_that_has_not_ended_is_in_nobodys_way(tmp_path: Path) -> None:
    there = make_run(tmp_path / NAME)
    RunRecord(NAME).save(unfinished(tmp_path, NAME) / "metrics.json")
    assert RunRecord.load(there / "metrics.json").status == "complete"
    assert not list(unfinished(tmp_path, NAME).iterdir())


def test_the_best_run_is_found_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path))
    assert find_run(NAME) == tmp_path / NAME
    quick = make_run(tmp_path / "quick" / NAME, source="synthetic")
    assert find_run(NAME) == quick
    lesser = make_run(tmp_path / "lesser" / NAME, reduced=True)
    assert find_run(NAME) == lesser
    trial = make_run(tmp_path / "trial" / NAME)
    assert find_run(NAME) == trial
    assert find_run(NAME, source="synthetic") == quick
    full = make_run(tmp_path / NAME)
    assert find_run(NAME) == full
    (quick / "metrics.json").write_text("{}")
    assert find_run(NAME) == full
    (full / "metrics.json").write_text("{}")
    with pytest.raises(ExportError, match="another version"):
        find_run(NAME)


def test_a_better_run_without_its_network_hides_none_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path))
    full = make_run(tmp_path / NAME)
    (full / "model.pt").unlink()  # as unpacked from an archive without networks
    lesser = make_run(tmp_path / "lesser" / NAME, reduced=True)
    assert find_run(NAME) == full
    assert find_run(NAME, file="model.pt") == lesser


def test_a_headless_run_takes_no_trial_or_quick_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path))
    monkeypatch.setenv(GIVEN, str(tmp_path / ".unfinished"))
    make_run(tmp_path / "quick" / NAME, source="synthetic")
    make_run(tmp_path / "trial" / NAME, source="synthetic")
    assert find_run(NAME, source="synthetic") == tmp_path / NAME
    full = make_run(tmp_path / NAME)
    # A stand-in's run is a lesser one where there is a real one.
    lesser = make_run(tmp_path / "lesser" / NAME, source="synthetic")
    assert find_run(NAME, source="synthetic") == lesser
    assert find_run(NAME, source="real") == full


def test_no_run_starts_that_could_not_take_its_place(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir(parents=True)
    (tmp_path / NAME / "metrics.json").write_text("{")
    with pytest.raises(ExportError, match="damaged or cut short"):
        unfinished(tmp_path, NAME)


def test_the_folder_of_another_process_is_left_alone(
    tmp_path: Path, run_elsewhere: Callable[[str, Path], object]
) -> None:
    record = unfinished_dir(tmp_path, NAME) / "metrics.json"
    run_elsewhere(NAME, record)
    with pytest.raises(ExportError, match="another kernel or command is at it"):
        unfinished(tmp_path, NAME)
    assert record.is_file()


def test_a_run_that_does_not_reach_its_place_whole_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = place(make_run(unfinished(tmp_path, NAME)), tmp_path, NAME)

    def interrupted(source: Path, target: Path) -> None:  # on another disk: by file
        target.mkdir()
        (target / "metrics.json").touch()
        raise KeyboardInterrupt

    new = make_run(unfinished(tmp_path, NAME))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.move", interrupted)
        with pytest.raises(KeyboardInterrupt):
            place(new, tmp_path, NAME)
    assert (there / "model.pt").is_file()
    assert (new / "model.pt").is_file()
    assert [path.name for path in place(new, tmp_path, NAME).parent.iterdir()] == [
        "01_a"
    ]


def test_a_run_comes_back_from_between_two_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = place(make_run(unfinished(tmp_path, NAME)), tmp_path, NAME)
    renamed, failing = Path.rename, iter([False, True])

    def rename(path: Path, target: Path) -> Path:
        if next(failing, False):
            raise error
        return renamed(path, target)

    # Killed: the new run lies beside its place, and goes before a lesser one.
    new, error = make_run(unfinished(tmp_path, NAME), epochs=10), KeyboardInterrupt()
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        place(new, tmp_path, NAME)
    assert not there.exists()
    lesser = place(make_run(unfinished(tmp_path, NAME), reduced=True), tmp_path, NAME)
    assert lesser == tmp_path / "lesser" / NAME
    assert (there / "model.pt").read_text() == "real False 10"
    # A file is open, on Windows: both are where they were.
    for fails in ([True], [False, True]):
        new, error = make_run(unfinished(tmp_path, NAME), epochs=11), PermissionError()
        failing = iter(fails)
        with pytest.raises(PermissionError):
            place(new, tmp_path, NAME)
        assert (new / "model.pt").read_text() == "real False 11"
        assert (there / "model.pt").read_text() == "real False 10"


def test_a_folder_for_all_runs_may_be_called_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "quick"
    monkeypatch.setenv("CNN_EXPORTS", str(root))
    place(make_run(unfinished(root, NAME)), root, NAME)
    lesser = place(make_run(unfinished(root, NAME), reduced=True), root, NAME)
    assert lesser == root / "lesser" / NAME


def test_real_runs_go_before_stand_ins_whoever_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path))
    make_run(tmp_path / NAME, source="synthetic")
    trial = make_run(tmp_path / "trial" / NAME)
    assert find_run(NAME) == find_run(NAME, source="real") == trial


def test_a_command_can_be_typed_as_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CNN_QUICK", "1")
    typed = command("export", "my runs/notebook.ipynb")
    assert typed == "python -m helpers export 'my runs/notebook.ipynb' --quick"


def test_a_file_where_runs_should_lie_is_named(tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("a file")
    with pytest.raises(WriteError, match=r"exports cannot be written.*CNN_EXPORTS"):
        unfinished(tmp_path / "exports", NAME)
    assert (tmp_path / "exports").read_text() == "a file"
