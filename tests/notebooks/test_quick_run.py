"""Every notebook, run to its end with the quick settings on drawn data, and looked at
as a reader would get it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from helpers.base.declared import DeclaredNotebook, find_notebooks
from helpers.base.record import RunRecord
from helpers.export.pages import export_notebook
from helpers.handin.courses import COURSES
from helpers.handin.submit.build import submit
from helpers.runner.run import report, run_notebooks

NOTEBOOKS = find_notebooks()
NAMES = [notebook.name for notebook in NOTEBOOKS]


@pytest.fixture(scope="module")
def quick_exports(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    exports = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNN_DATA", str(drawn_data))
        patch.setenv("CNN_EXPORTS", str(exports))
        # The real lines would be drawn otherwise: they need no download.
        outcomes = run_notebooks(
            quick=True, parameters={"source": "synthetic"}, export=export_notebook
        )
    assert all(outcome.ok for outcome in outcomes), report(outcomes)
    return exports / "quick"


@pytest.mark.parametrize("name", NAMES)
def test_a_quick_run_is_complete_and_claims_nothing(
    quick_exports: Path, name: str
) -> None:
    record = RunRecord.load(quick_exports / name / "metrics.json")
    assert record.status == "complete"
    assert record.data["source"] == "synthetic"
    assert record.results
    assert record.requirements
    assert all(row["met"] is None for row in record.requirements)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_opens_offline_and_says_that_its_data_are_drawn(
    quick_exports: Path, name: str
) -> None:
    page = BeautifulSoup(
        (quick_exports / name / "notebook.html").read_text(encoding="utf-8"),
        "html.parser",
    )
    assert "SYNTHETIC DATA" in page.get_text()
    images = page.find_all("img")
    assert images
    assert all(image.get("alt") for image in images)
    resources = [
        str(tag.get("src") or tag.get("href"))
        for tag in page.find_all(["img", "script", "link", "iframe"])
    ]
    assert not [
        resource for resource in resources if re.match(r"(https?:)?//", resource)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_pdf_and_the_log_are_there(quick_exports: Path, name: str) -> None:
    assert (quick_exports / name / "notebook.pdf").read_bytes().startswith(b"%PDF-")
    assert (quick_exports / name / "run.log").stat().st_size > 0


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_what_stands_for_it_in_the_gallery_is_there(
    quick_exports: Path, notebook: DeclaredNotebook
) -> None:
    assert notebook.gallery
    folder = quick_exports / notebook.name
    assert (folder / "figures" / f"{notebook.gallery.figure}.png").is_file()
    if notebook.gallery.headline:
        assert RunRecord.load(folder / "metrics.json").values(
            *notebook.gallery.headline
        )


@pytest.mark.parametrize("assignment", COURSES)
def test_what_is_handed_in_has_the_length_and_size_that_is_asked_for(
    quick_exports: Path,
    assignment: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("CNN_EXPORTS", str(quick_exports.parent))
    submission = submit(assignment, group="13", draft=True, quick=True, out=tmp_path)
    assert [fault for fault in submission.missing if "asked for" in fault] == []
    # Of drawn images and quick runs, all is there but for the papers, which are set
    # after a run, and the evidence.
    stand_ins = (
        "Synthetic data: drawn",
        "Random weights:",
        "Based on stand-ins",
        "trained on synthetic data",
    )
    gaps = [
        fault
        for fault in submission.missing
        if not any(words in fault for words in stand_ins)
    ]
    assert gaps[0] == "the real runs: these are quick ones"
    assert all(
        "has not been made: python -m helpers paper" in fault for fault in gaps[1:]
    )
