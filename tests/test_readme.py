"""README's table of results says what the records in git say."""

from __future__ import annotations

from helpers.base.files import ROOT
from helpers.handin.results import BEGIN, END, readme_table


def test_the_table_of_results_is_that_of_the_records() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert BEGIN in text
    assert END in text
    table = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert table == readme_table(), "write it anew: python -m helpers results --readme"
