"""Every notebook, run with the quick settings on drawn data, as a reader would get it.

What one notebook leaves is looked at in one test: one that fails turns one test red.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from joblib import cpu_count

from helpers.base.declared import DeclaredNotebook, find_notebooks
from helpers.base.record import RunRecord
from helpers.export.pages import export_notebook
from helpers.handin.courses import COURSES
from helpers.handin.submit import submit
from helpers.runner.execute import Outcome
from helpers.runner.run import report, run_notebooks

NOTEBOOKS = find_notebooks()


@pytest.fixture(scope="module")
def outcomes(
    drawn_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """What became of each notebook, by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNN_DATA", str(drawn_data))
        patch.setenv("CNN_EXPORTS", str(tmp_path_factory.mktemp("exports")))
        patch.setenv("CNN_QUICK", "1")
        # The real lines would be drawn otherwise: they need no download.
        found = run_notebooks(
            parameters={"source": "synthetic"},
            jobs=min(4, cpu_count()),
            export=export_notebook,
        )
    return {outcome.name: outcome for outcome in found}


def test_without_any_download_lines_are_real_and_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CNN_QUICK", "1")
    [outcome] = run_notebooks(["lines/03_multi_head"])
    assert outcome.ok, report([outcome])
    record = RunRecord.load(outcome.folder / "metrics.json")
    assert record.data["source"] == "real"
    assert "not judged" not in {row["verdict"] for row in record.findings}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_a_quick_run_leaves_a_page_and_claims_nothing(
    outcomes: dict[str, Outcome], notebook: DeclaredNotebook
) -> None:
    outcome = outcomes[notebook.name]
    assert outcome.ok, report([outcome])
    record = RunRecord.load(outcome.folder / "metrics.json")
    assert record.status == "complete"
    assert record.data["source"] == "synthetic"
    assert record.results
    assert {row["verdict"] for row in record.findings} == {"not judged"}
    assert (outcome.folder / "notebook.pdf").read_bytes().startswith(b"%PDF-")
    assert (outcome.folder / "run.log").stat().st_size > 0
    look_at_page(outcome.folder / "notebook.html")
    assert notebook.figure
    assert (outcome.folder / "figures" / f"{notebook.figure}.png").is_file()
    if notebook.headline:
        assert record.values(*notebook.headline)


def look_at_page(path: Path) -> None:
    """It opens offline, says that its data are drawn, and describes its pictures."""
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    # Of its own images, or of a run that it reports on.
    assert re.search("SYNTHETIC DATA|Synthetic data: drawn", page.get_text())
    images = page.find_all("img")
    assert images
    assert all(image.get("alt") for image in images)
    tags = page.find_all(["img", "script", "link", "iframe"])
    resources = [str(tag.get("src") or tag.get("href")) for tag in tags]
    assert not [url for url in resources if re.match(r"(https?:)?//", url)]


@pytest.mark.parametrize("assignment", COURSES)
def test_what_is_handed_in_has_the_length_and_size_that_is_asked_for(
    outcomes: dict[str, Outcome],
    assignment: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = [o for name, o in outcomes.items() if name.startswith(f"{assignment}/")]
    if failed := [outcome.name for outcome in own if not outcome.ok]:
        pytest.skip(f"{', '.join(failed)} did not run: see the test of that notebook")
    exports = own[0].folder.parents[2]
    monkeypatch.setenv("CNN_EXPORTS", str(exports))
    hand_in = tmp_path / "hand-in.toml"
    hand_in.write_text('group = "13"\n[[authors]]\nname = "Ada"', encoding="utf-8")
    monkeypatch.setenv("CNN_HAND_IN", str(hand_in))
    monkeypatch.setenv("CNN_QUICK", "1")
    submission = submit(assignment, draft=True)
    assert [fault for fault in submission.missing if "asked for" in fault] == []
    # Of drawn images and quick runs, all is there but for the papers, which are set
    # after a run, and the evidence.
    stand_ins = (
        "Synthetic data: drawn",
        "Random weights in place",
        "Based on stand-ins",
        "trained on synthetic data",
    )
    gaps = [
        fault
        for fault in submission.missing
        if not any(words in fault for words in stand_ins)
    ]
    assert gaps[0] == "the real runs: these are quick ones"
    not_set = "has not been made: python -m helpers paper"
    assert [fault for fault in gaps[1:] if not_set not in fault] == []
