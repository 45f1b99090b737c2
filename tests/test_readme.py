"""README and RESULTS.md say what the records in git say; what README installs, fits."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.specifiers import SpecifierSet

from helpers.base.files import ROOT
from helpers.handin.reference import collect_reference
from helpers.handin.results import BEGIN, END, readme_table, results_page

WRITE = "write it anew: python -m helpers results --write"


def test_readmes_table_is_that_of_the_records() -> None:
    readme = text("README.md")
    assert BEGIN in readme
    assert END in readme
    table = readme.partition(BEGIN)[2].partition(END)[0].strip()
    assert table == readme_table(collect_reference()), WRITE


def test_the_page_of_results_is_that_of_the_records() -> None:
    assert text("RESULTS.md") == results_page(collect_reference()), WRITE


def test_what_is_pinned_installs_on_the_oldest_python_that_readme_names() -> None:
    [oldest] = re.findall(r"^Python (3\.\d+) or newer", text("README.md"), re.MULTILINE)
    pinned = re.findall(r"^([\w.-]+)==(\S+)$", text("constraints.txt"), re.MULTILINE)
    wanted = {
        name: distribution(name).metadata.get("Requires-Python") or ""
        for name, version in pinned
        if is_installed(name, version)
    }
    if len(wanted) < len(pinned) // 2:
        pytest.skip("other versions than those of constraints.txt are installed")
    first = f"{oldest}.0"  # Debian's is 3.11.2, and what needs 3.11.5 is no good there
    assert not [n for n, of in wanted.items() if first not in SpecifierSet(of)]


def is_installed(name: str, version: str) -> bool:
    """Whether this environment has that very version."""
    with suppress(PackageNotFoundError):
        return distribution(name).version == version
    return False


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
