from __future__ import annotations

from typing import Any

import pytest

from helpers.base.errors import ExportError
from helpers.export.paper.settings import Settings, read_settings

ADA = {"name": "Ada"}


def test_what_is_not_said_has_a_default() -> None:
    assert read_settings({"paper": {"authors": [ADA]}}) == Settings(
        (ADA,), "", "", None
    )
    full = {"authors": [ADA], "title": "T", "bibliography": "r.bib", "pages": [6, 8]}
    assert read_settings({"paper": full}) == Settings((ADA,), "T", "r.bib", (6, 8))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, 'The notebook is no paper: its metadata have no entry "paper"'),
        ({"paper": {"authors": []}}, "names no authors"),
        (
            {"paper": {"authors": [{"affiliation": "U"}]}},
            "who needs a name and may have affiliation and email",
        ),
        ({"paper": {"authors": [ADA | {"mail": "a@b.c"}]}}, "who needs a name"),
        (
            {"paper": {"authors": [ADA], "page": 6}},
            "the unknown 'page'; known are title, authors",
        ),
        (
            {"paper": {"authors": [ADA], "pages": [8, 6]}},
            r"allows \[8, 6\] pages; expected the least and the most",
        ),
        (
            {"paper": {"authors": [ADA], "bibliography": ["r.bib"]}},
            "a bibliography that is no text",
        ),
    ],
)
def test_what_is_wrong_is_named(metadata: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        read_settings(metadata)
