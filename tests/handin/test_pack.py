"""Finished runs in an archive: the way there and back, and what is refused."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.base.errors import ExportError, HelpersError
from helpers.base.record import RunRecord
from helpers.handin.pack import pack_results, unpack_results

NAME = "course/01_a"


@pytest.fixture
def run(
    exports: Path,
    write_notebook: Callable[..., Path],
    real_run: Callable[..., RunRecord],
) -> Path:
    """A run folder with all that a run leaves."""
    write_notebook(NAME)
    folder = exports / NAME
    real_run().save(folder / "metrics.json")
    (folder / "figures").mkdir()
    figures = ("figures/curves.png", "figures/results.csv")
    for name in ("notebook.ipynb", "notebook.html", *figures, "model.pt"):
        (folder / name).write_text(name)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    files = filter(Path.is_file, folder.rglob("*"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.parametrize("models", [False, True])
def test_runs_come_out_as_they_went_in(
    run: Path,
    exports: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    models: bool,
) -> None:
    unfinished = exports / ".unfinished" / NAME
    RunRecord(NAME).save(unfinished / "metrics.json")
    before = content(run)
    if not models:
        del before["model.pt"]
    os.utime(run / "metrics.json", (1e9, 1e9))
    assert pack_results(tmp_path / "runs.tar.gz", models=models) == [NAME]
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path / "elsewhere"))
    there = tmp_path / "elsewhere" / NAME
    assert unpack_results(tmp_path / "runs.tar.gz") == [there]
    assert content(tmp_path / "elsewhere") == {
        f"{NAME}/{name}": text for name, text in before.items()
    }
    # Which run is older than one that it builds on is seen by these.
    assert (there / "metrics.json").stat().st_mtime == 1e9


def test_nothing_to_pack_is_told(exports: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no finished run to pack: python -m helpers"):
        pack_results(tmp_path / "runs.tar.gz")
    assert not (tmp_path / "runs.tar.gz").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"reduced": ["epochs"], "parameters": {"epochs": 1}},
        {"data": {"name": "shapes", "source": "synthetic"}},
        {},  # without its network
    ],
)
def test_a_lesser_run_does_not_take_a_greater_ones_place(
    run: Path,
    exports: Path,
    tmp_path: Path,
    real_run: Callable[..., RunRecord],
    changes: dict[str, Any],
) -> None:
    before = content(run)
    real_run(**changes).save(run / "metrics.json")
    pack_results(tmp_path / "runs.tar.gz")
    (run / "metrics.json").write_bytes(before["metrics.json"])
    assert unpack_results(tmp_path / "runs.tar.gz") == [exports / "lesser" / NAME]
    assert content(run) == before


RECORD = "course/01_a/metrics.json"


def record(**changes: Any) -> dict[str, str]:
    whole = vars(RunRecord(NAME, "complete", error=""))
    return {RECORD: json.dumps(whole | changes)}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "holds no run"),
        ({"../course/01_a/metrics.json": "{}"}, "holds no run"),
        ({"/etc/passwd": "x"}, "etc/passwd is no part of a run"),
        ({"course/99_z/metrics.json": "{}"}, "course/99_z/metrics.json is no part"),
        ({"metrics.json": "{}"}, "metrics.json is no part"),
        ({"course/01_a": "x"}, "course/01_a is no part"),
        ({"course/01_a/notebook.html": "x"}, "no record of a run at .*01_a/metrics"),
        (record() | {"course/01_a/run.sh": "x"}, "01_a/run.sh is no part"),
        (record() | {"course/02_b/run.log": "x"}, "02_b/run.log is no part"),
        (record(status="failed"), "not of a complete run of course/01_a"),
        (record(notebook="course/02_b"), "not of a complete run of course/01_a"),
        (record(notebook="../../x"), "of another version .it.notebook must match"),
        (record(seconds=float("nan")), "damaged or cut short.*JSON"),
        ({RECORD: "[" * 100_000}, "damaged or cut short.*recursion"),
        (record() | {"course/01_a/a.txt": "0" * (80 << 20)}, "more than 100 times"),
    ],
)
def test_what_is_no_archive_of_runs_changes_nothing(
    run: Path, exports: Path, tmp_path: Path, members: dict[str, str], message: str
) -> None:
    path = tmp_path / "runs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    before = content(exports)
    with pytest.raises(HelpersError, match=message) as error:
        unpack_results(path)
    assert str(path) in str(error.value)
    assert ".part" not in str(error.value)
    assert content(exports) == before
    assert not [file for file in tmp_path.rglob("*") if file.name.endswith(".part")]


@pytest.mark.parametrize("damage", [b"", b"<html>", b"PK\x03\x04"])
def test_a_damaged_archive_is_named(run: Path, tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "runs.zip"
    path.write_bytes(damage)
    with pytest.raises(HelpersError, match=r"runs\.zip is not a whole zip"):
        unpack_results(path)


def test_a_full_disk_leaves_no_half_archive(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "add", full)
    with pytest.raises(
        ExportError, match=r"runs\.tar\.gz cannot be written .*No space"
    ):
        pack_results(tmp_path / "runs.tar.gz")
    assert not list(tmp_path.glob("*runs.tar.gz*"))
