from __future__ import annotations

from helpers.export.latex import faults_of

GOOD = """\
This is XeTeX, Version 3.14
Overfull \\hbox (3.2pt too wide) in paragraph at lines 2--2
LaTeX Font Warning: Some font shapes were not available
Output written on paper.pdf (7 pages).
"""
BAD = """\
LaTeX Warning: Reference `fig:gone' on page 1 undefined on input line 62.
LaTeX Warning: Hyper reference `sec:gone' on page 1 undefined on input line 62.
Package natbib Warning: Citation `nobody' on page 1 undefined on input line 60.
Package natbib Warning: Citation `nobody' on page 3 undefined on input line 90.
Missing character: There is no ✓ (U+2713) in font [texgyretermes-regular]:mapping;!
Missing character: There is no 中 ("4E2D) in font TeX Gyre Termes/OT!
Overfull \\hbox (23.4pt too wide) in paragraph at lines 2--3
Package paper Warning: Table 2 is 722.7pt wide on input line 4.
Output written on paper.pdf (1 page).
"""


def test_a_good_log() -> None:
    assert faults_of(GOOD, (6, 8)) == []


def test_every_fault_is_one_sentence() -> None:
    assert faults_of(BAD, (6, 8)) == [
        "its font has no ✓, 中: write it as maths or in words",
        "it refers to fig:gone, sec:gone, which is not there (??)",
        "it cites nobody, not in the bibliography (?)",
        "Table 2 is too wide: leave out columns, or turn rows into columns",
        "a line sticks out by 23 pt at lines 2--3: word it otherwise",
        "it has 1 pages, expected are 6 to 8",
    ]
