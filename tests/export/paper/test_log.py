from __future__ import annotations

from helpers.export.paper.log import Log, problems

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
Missing character: There is no ✓ (U+2713) in font [texgyretermes-regular]:mapping=tex-text;!
Missing character: There is no 中 ("4E2D) in font TeX Gyre Termes/OT!
Overfull \\hbox (23.4pt too wide) in paragraph at lines 2--3
Package paper Warning: Table 2 is 722.7pt wide on input line 4.
LaTeX Warning: Float too large for page by 12.3pt on input line 9.
LaTeX Warning: Label(s) may have changed. Rerun to get cross-references right.
Output written on paper.pdf (1 page).
"""


def test_a_good_log() -> None:
    log = Log(GOOD)
    assert (log.pages, log.error, log.wants_rerun, problems(log, "")) == (
        7,
        "",
        False,
        [],
    )


def test_every_fault_is_one_sentence() -> None:
    log = Log(BAD)
    assert (log.pages, log.wants_rerun) == (1, True)
    assert problems(log, "first\nsecond   line\nthird") == [
        "its font has no ✓, 中: write it as maths or in words",
        "it refers to fig:gone, sec:gone, which is not there (??)",
        "it cites nobody, not in the bibliography (?)",
        "a line sticks out by 23 pt (“second line third…”): word it otherwise",
        "Table 2 is 10.0 in wide: leave out columns, or turn rows into columns",
        "a figure or table is 12 pt too high for the page: make it smaller",
    ]


def test_what_tex_stopped_at() -> None:
    wrong = Log(
        "(./paper.tex\n./paper.tex:61: Undefined control sequence.\nl.61 \\panic\n"
    )
    assert (wrong.error, wrong.lacks_packages, wrong.pages) == (
        "Undefined control sequence. (line 61)",
        False,
        0,
    )
    absent = Log("! LaTeX Error: File `environ.sty' not found.\n")
    assert (absent.error, absent.lacks_packages) == (
        "LaTeX Error: File `environ.sty' not found.",
        True,
    )
    font = './paper.tex:9: Package fontspec Error: The font "texgyretermes-regular" cannot be found.\n'
    assert Log(font).lacks_packages
