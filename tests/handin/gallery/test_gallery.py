from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag

from helpers.base.errors import ExportError
from helpers.base.estimate import exact
from helpers.base.record import summarize
from helpers.handin.courses import COURSES
from helpers.handin.gallery import write_gallery

AddNotebook = Callable[..., None]
AddRun = Callable[..., Path]
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)


@pytest.fixture
def build(notebooks: Path) -> Callable[..., BeautifulSoup]:
    """Builds the page and reads it."""

    def built(*, quick: bool = False) -> BeautifulSoup:
        page, _ = write_gallery(quick=quick, folder=notebooks)
        return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")

    return built


Build = Callable[..., BeautifulSoup]


def card(page: BeautifulSoup, name: str) -> Tag:
    [found] = [
        item
        for item in page.select(".card")
        if item.select_one(".name").get_text() == name
    ]
    return found


def words(item: Tag) -> str:
    return " ".join(item.get_text(" ").split())


def said(item: Tag) -> str:
    """How the run ended, why, and what to do."""
    return " ".join(map(words, item.select(".summary, .error, code")))


def caveats(item: Tag) -> str:
    return " ".join(map(words, item.select(".caveat")))


def kind(item: Tag) -> str:
    return str(item["class"][1])


@pytest.mark.usefixtures("every_state")
def test_every_notebook_has_one_card_that_says_what_it_is(build: Build) -> None:
    page = build()
    assert {
        item.select_one(".name").get_text(): kind(item) for item in page.select(".card")
    } == {
        "caltech101/01_judged": "complete",
        "caltech101/02_complete": "complete",
        "caltech101/03_reduced": "reduced",
        "course/01_drawn": "stand-in",
        "course/02_random": "stand-in",
        "course/03_running": "running",
        "course/04_failed": "failed",
        "course/05_absent": "absent",
    }
    subjects = [COURSES["caltech101"].subject, "course", "To hand in"]
    assert [words(heading) for heading in page.select("h2")] == subjects
    links = page.select("nav a")
    assert [words(link) for link in links] == subjects
    assert all(page.find(id=str(link["href"])[1:]) for link in links)


@pytest.mark.usefixtures("every_state")
def test_a_complete_run_shows_number_figure_findings_and_files(build: Build) -> None:
    found = card(build(), "caltech101/01_judged")
    assert (
        words(found.select_one(".headline"))
        == "85.0 ± 2.5 % 3 seeds valid accuracy of cnn"
    )
    assert words(found.summary) == "1 met, 1 missed, 1 not shown"
    assert [
        [words(cell) for cell in row("td")] for row in found.select("details tr")[1:]
    ] == [
        ["1(b): at least 71 % 85.0 ± 2.5 % (3 seeds)", "met"],
        ["1(c), goal: a loss | below 0.5 0.60 ± 0.25 nats (3 seeds)", "missed"],
        ["Depth helps. +1.3 ± 2.0 points (3 seeds)", "not shown"],
    ]
    assert (found.img["alt"], found.img["width"], found.img["height"]) == (
        "Curves of caltech101/01_judged",
        "720",
        "320",
    )
    assert words(found.select_one(".facts")) == "real shapes · cpu · 25 min"
    assert [(link.contents[0], link["href"]) for link in found.select("a")] == [
        ("Web page", "caltech101/01_judged/notebook.html"),
        ("PDF", "caltech101/01_judged/notebook.pdf"),
        ("Paper", "caltech101/01_judged/paper.pdf"),
        ("Notebook", "caltech101/01_judged/notebook.ipynb"),
    ]
    assert "caveat" not in str(found)


@pytest.mark.usefixtures("every_state")
@pytest.mark.parametrize(
    ("name", "caveat", "label"),
    [
        (
            "course/01_drawn",
            "Synthetic data: drawn images in place of shapes. Not a result.",
            "; not a result",
        ),
        (
            "course/02_random",
            "Random weights in place of pretrained ones. Not a result.",
            "; not a result",
        ),
        ("caltech101/03_reduced", "Reduced run: epochs 6", "; reduced run"),
    ],
)
def test_what_is_no_result_says_so_above_and_beside_its_number(
    build: Build, name: str, caveat: str, label: str
) -> None:
    found = card(build(), name)
    assert words(found.select_one(".caveat")) == caveat
    assert words(found.select_one(".headline")).endswith(
        f"valid accuracy of cnn{label}"
    )
    assert words(found).index(caveat) < words(found).index("85.0")


@pytest.mark.usefixtures("every_state")
def test_a_run_that_is_not_complete_shows_no_number(build: Build) -> None:
    page = build()
    for name, status in (
        ("course/03_running", "Still running"),
        (
            "course/04_failed",
            (
                "Failed cell 3 raised ValueError: <1 & 2> python -m helpers run "
                "course/04_failed"
            ),
        ),
        ("course/05_absent", "Not run yet python -m helpers run course/05_absent"),
    ):
        found = card(page, name)
        assert said(found) == status
        assert not found.select(".headline, img, details")
        assert len(found.select("a")) == (name != "course/05_absent")


@pytest.mark.parametrize(
    ("status", "ending"), [("killed", "Killed"), ("timeout", "Out of time")]
)
def test_how_a_run_was_broken_off_is_told(
    build: Build, add_notebook: AddNotebook, add_run: AddRun, status: str, ending: str
) -> None:
    add_notebook("course/01_a")
    add_run("course/01_a", status=status)
    found = card(build(), "course/01_a")
    assert kind(found) == status
    assert said(found).startswith(ending)


def test_what_a_run_is_based_on_counts_too(
    build: Build, add_notebook: AddNotebook, add_run: AddRun
) -> None:
    add_notebook("course/01_a")
    add_notebook("course/02_b", needs=["course/01_a"])
    add_notebook("course/03_c", needs=["course/02_b"])
    add_run("course/01_a", parameters={"epochs": 6}, reduced=["epochs"])
    add_run("course/02_b")
    add_run("course/03_c")
    for name in ("course/02_b", "course/03_c"):
        found = card(build(), name)
        assert kind(found) == "reduced"
        assert caveats(found) == "Based on reduced runs: course/01_a"
    add_run("course/02_b", data={"name": "shapes", "source": "synthetic"})
    found = card(build(), "course/03_c")
    assert kind(found) == "stand-in"
    assert caveats(found) == (
        "Based on stand-ins: course/02_b Based on reduced runs: course/01_a"
    )


def test_needs_in_a_circle_or_of_nothing_do_not_matter(
    build: Build, add_notebook: AddNotebook, add_run: AddRun
) -> None:
    add_notebook("course/01_a", needs=["course/02_b", "course/09_z"])
    add_notebook("course/02_b", needs=["course/01_a"])
    add_run("course/01_a")
    assert kind(card(build(), "course/01_a")) == "complete"


def test_a_quick_run_is_never_a_result(
    build: Build, exports: Path, add_notebook: AddNotebook, add_run: AddRun
) -> None:
    add_notebook("course/01_a")
    add_run("quick/course/01_a")
    page = build(quick=True)
    assert (exports / "quick" / "index.html").is_file()
    assert "No number on this page is a result" in words(page.header)
    found = card(page, "course/01_a")
    assert kind(found) == "reduced"
    assert "Quick run, with settings for seconds" in words(found)
    assert found.a["href"] == "course/01_a/notebook.html"


def test_a_run_that_does_not_name_its_data_is_no_result(
    build: Build, add_notebook: AddNotebook, add_run: AddRun
) -> None:
    add_notebook("course/01_a")
    add_run("course/01_a", data={})
    found = card(build(), "course/01_a")
    assert kind(found) == "stand-in"
    assert "does not say what data it is about" in words(found)


def test_without_a_headline_the_first_finding_stands_there(
    build: Build,
    add_notebook: AddNotebook,
    add_run: AddRun,
    finding: Callable[..., dict[str, object]],
) -> None:
    add_notebook("course/01_a")
    add_notebook("course/02_b", headline=("gone", "valid_accuracy"))
    add_notebook("course/03_c", headline=("cnn", "train_loss"))
    asked = [finding("maps drawn", "2", found=exact(32))]
    add_run("course/01_a", findings=asked)
    add_run("course/02_b", findings=asked)
    loss = {"cnn": {"train_loss": summarize([0.5])}}
    add_run("course/03_c", results=loss, findings=[])
    page = build()
    for name in ("course/01_a", "course/02_b"):
        assert words(card(page, name).select_one(".headline")) == "32 maps drawn"
    assert (
        words(card(page, "course/03_c").select_one(".headline"))
        == "0.50 nats one seed train loss of cnn"
    )


def test_odd_texts_are_text(
    build: Build, exports: Path, add_notebook: AddNotebook, add_run: AddRun
) -> None:
    title, alt = (
        'Nets </script><script>alert("1")</script> & "more"',
        'A "curve" <b>& one</b>',
    )
    add_notebook("a course/01 #1 ä?", title=title)
    metadata = {"image/png": {"alt": alt, "figure": "curves"}}
    output = nbformat.v4.new_output(
        "display_data", data={"image/png": PIXEL}, metadata=metadata
    )
    add_run(
        "a course/01 #1 ä?", cells=[nbformat.v4.new_code_cell("", outputs=[output])]
    )
    page = build()
    found = card(page, "a course/01 #1 ä?")
    assert words(found.h3) == title
    assert found.img["alt"] == alt
    assert found.a["href"] == "a%20course/01%20%231%20%C3%A4%3F/notebook.html"
    assert not page("script")


def test_a_figure_may_be_missing_and_a_broken_one_is_named(
    build: Build, add_notebook: AddNotebook, add_run: AddRun
) -> None:
    add_notebook("course/01_a", headline=("cnn", "valid_accuracy"))
    folder = add_run("course/01_a", cells=[])
    assert not card(build(), "course/01_a")("img")
    (folder / "notebook.ipynb").unlink()
    assert not card(build(), "course/01_a")("img")
    metadata = {"image/png": {"figure": "curves", "alt": "x"}}
    output = nbformat.v4.new_output(
        "display_data", data={"image/png": "AAAA"}, metadata=metadata
    )
    add_run("course/01_a", cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    with pytest.raises(
        ExportError,
        match=r"The figure curves in .*course/01_a/notebook\.ipynb is no picture",
    ):
        build()


@pytest.mark.usefixtures("every_state")
@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics.json", '{"notebook": "caltech101/01', "is damaged or cut short"),
        (
            "metrics.json",
            '{"notebook": "caltech101/01_judged"}',
            "is of another version",
        ),
        ("notebook.ipynb", '{"cells": [', "is not a Jupyter notebook"),
    ],
)
def test_a_damaged_file_is_named_and_the_page_stays(
    build: Build, exports: Path, file: str, content: str, message: str
) -> None:
    build()
    before = (exports / "index.html").read_bytes()
    (exports / "caltech101/01_judged" / file).write_text(content)
    with pytest.raises(ExportError, match=rf"caltech101/01_judged/{file} {message}"):
        build()
    assert (exports / "index.html").read_bytes() == before
    assert not list(exports.glob(".*"))


def test_a_half_written_notebook_of_a_run_that_goes_on_does_not_matter(
    build: Build, add_notebook: AddNotebook, add_run: AddRun
) -> None:
    add_notebook("course/01_a")
    (add_run("course/01_a", status="running") / "notebook.ipynb").write_text(
        '{"cells": ['
    )
    assert kind(card(build(), "course/01_a")) == "running"


def test_a_folder_that_cannot_be_written_is_named(
    build: Build, exports: Path, add_notebook: AddNotebook
) -> None:
    add_notebook("course/01_a")
    exports.write_text("a file")
    with pytest.raises(ExportError, match=r"exports/index\.html cannot be written"):
        build()


@pytest.mark.usefixtures("every_state")
def test_the_same_runs_make_the_same_page(build: Build, exports: Path) -> None:
    build()
    first = (exports / "index.html").read_bytes()
    build()
    assert (exports / "index.html").read_bytes() == first


@pytest.mark.usefixtures("every_state")
def test_what_is_handed_in_is_linked_with_its_size(build: Build, exports: Path) -> None:
    (exports / "submit/caltech101/notes.txt").write_text("no archive")
    (exports / "submit/caltech101/folder.zip").mkdir()
    links = build().select(".archives li")
    assert [(item.a["href"], words(item)) for item in links] == [
        ("submit/caltech101/a%20report.pdf", "caltech101/a report.pdf 1.5 kB"),
        (
            "submit/caltech101/caltech101-draft.zip",
            "caltech101/caltech101-draft.zip 1.5 kB, a draft: something is missing",
        ),
    ]


def test_before_any_run_all_cards_are_there(
    notebooks: Path, build: Build, add_notebook: AddNotebook
) -> None:
    add_notebook("course/01_a")
    page = build()
    assert kind(card(page, "course/01_a")) == "absent"
    assert not page.select("#hand-in")
    assert write_gallery(folder=notebooks)[1] == 0


@pytest.mark.usefixtures("every_state")
def test_the_page_names_nothing_outside(build: Build) -> None:
    page = build()
    addresses = [
        str(tag.get("src") or tag.get("href")) for tag in page.select("[src], [href]")
    ]
    assert not [url for url in addresses if "//" in url and not url.startswith("data:")]
    assert not page.select("link, iframe, script, [onclick]")
    policy = page.select_one('meta[http-equiv="Content-Security-Policy"]')["content"]
    assert policy.startswith("default-src 'none'; ")
    assert "script" not in policy


def test_making_cards_needs_no_heavy_library() -> None:
    heavy = (
        "torch",
        "papermill",
        "nbconvert",
        "matplotlib",
        "nbformat",
        "PIL",
        "jinja2",
    )
    code = (
        f"import sys, helpers.handin.gallery; print([name for name in {heavy} "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
