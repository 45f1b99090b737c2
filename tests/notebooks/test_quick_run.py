"""Every notebook, run to its end with the quick settings on drawn data, and looked at as a reader would get it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from helpers.base.declared import find_notebooks
from helpers.base.record import RunRecord
from helpers.publish.run import report, run_notebooks

NAMES = [notebook.name for notebook in find_notebooks()]


@pytest.fixture(scope="module")
def quick_exports(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    exports = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNN_DATA", str(drawn_data))
        patch.setenv("CNN_EXPORTS", str(exports))
        # The real lines would be drawn otherwise: they need no download.
        outcomes = run_notebooks(quick=True, parameters={"source": "synthetic"})
    assert all(outcome.ok for outcome in outcomes), report(outcomes)
    return exports / "quick"


@pytest.mark.parametrize("name", NAMES)
def test_a_quick_run_is_complete_and_claims_nothing(quick_exports: Path, name: str) -> None:
    record = RunRecord.load(quick_exports / name / "metrics.json")
    assert record.status == "complete"
    assert record.data["source"] == "synthetic"
    assert record.results
    assert record.requirements
    assert all(row["met"] is None for row in record.requirements)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_opens_offline_and_says_that_its_data_are_drawn(quick_exports: Path, name: str) -> None:
    page = BeautifulSoup((quick_exports / name / "notebook.html").read_text(encoding="utf-8"), "html.parser")
    assert "SYNTHETIC DATA" in page.get_text()
    images = page.find_all("img")
    assert images
    assert all(image.get("alt") for image in images)
    resources = [str(tag.get("src") or tag.get("href")) for tag in page.find_all(["img", "script", "link", "iframe"])]
    assert not [resource for resource in resources if re.match(r"(https?:)?//", resource)]


@pytest.mark.parametrize("name", NAMES)
def test_the_pdf_and_the_log_are_there(quick_exports: Path, name: str) -> None:
    assert (quick_exports / name / "notebook.pdf").read_bytes().startswith(b"%PDF-")
    assert (quick_exports / name / "run.log").stat().st_size > 0
