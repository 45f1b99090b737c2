"""README's table and RESULTS.md say what the records in git say."""

from __future__ import annotations

from helpers.base.files import ROOT
from helpers.handin.reference import collect_reference
from helpers.handin.results import BEGIN, END, readme_table, results_page

WRITE = "write it anew: python -m helpers results --write"


def test_readmes_table_is_that_of_the_records() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert BEGIN in text
    assert END in text
    table = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert table == readme_table(collect_reference()), WRITE


def test_the_page_of_results_is_that_of_the_records() -> None:
    page = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert page == results_page(collect_reference()), WRITE
