from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from helpers.base.errors import ExportError
from helpers.base.estimate import exact
from helpers.base.files import write_whole
from helpers.base.record import summarize
from helpers.handin import gallery
from helpers.handin.courses import COURSES
from helpers.handin.gallery import write_gallery

AddNotebook = Callable[..., None]
AddRun = Callable[..., Path]


@pytest.fixture
def build(
    notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., BeautifulSoup]:
    """Builds the page and reads it."""

    def built(*, quick: bool = False) -> BeautifulSoup:
        if quick:
            monkeypatch.setenv("CNN_QUICK", "1")
        page = write_gallery()
        return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")

    return built


Build = Callable[..., BeautifulSoup]


def card(page: BeautifulSoup, name: str) -> Tag:
    [found] = [
        item
        for item in page.select("li")
        if item.select_one(".name").get_text() == name
    ]
    return found


def words(item: Tag) -> str:
    return " ".join(item.get_text(" ").split())


def caveats(item: Tag) -> str:
    return " ".join(map(words, item.select(".caveat")))


def kind(item: Tag) -> str:
    """Of what run the card is, by its words."""
    if "Not run yet" in words(item):
        return "absent"
    said = caveats(item)
    if "Not a result" in said or "Based on stand-ins" in said:
        return "stand-in"
    return "reduced" if "educed run" in said else "complete"


@pytest.mark.usefixtures("every_state")
def test_every_notebook_has_one_card_that_says_what_it_is(build: Build) -> None:
    page = build()
    assert {
        item.select_one(".name").get_text(): kind(item) for item in page.select("li")
    } == {
        "caltech101/01_judged": "complete",
        "caltech101/02_complete": "complete",
        "caltech101/03_reduced": "reduced",
        "course/01_drawn": "stand-in",
        "course/02_random": "stand-in",
        "course/03_failed": "absent",
        "course/04_absent": "absent",
    }
    subjects = [COURSES["caltech101"].subject, "course"]
    assert [words(heading) for heading in page.select("h2")] == subjects
    links = page.select("nav a")
    assert [words(link) for link in links] == subjects
    assert all(page.find(id=str(link["href"])[1:]) for link in links)


@pytest.mark.usefixtures("every_state")
def test_a_complete_run_shows_number_figure_findings_and_files(build: Build) -> None:
    found = card(build(), "caltech101/01_judged")
    assert (
        words(found.select_one(".headline"))
        == "85.0 ± 2.5 % (3 seeds) validation accuracy of cnn"
    )
    assert words(found.summary) == "1 met, 1 missed, 1 not shown"
    assert [
        [words(cell) for cell in row("td")] for row in found.select("details tr")[1:]
    ] == [
        ["1(b): at least 71 % 85.0 ± 2.5 % (3 seeds)", "met"],
        ["1(c), goal: a loss | below 0.5 0.60 ± 0.25 nats (3 seeds)", "missed"],
        ["Depth helps. +1.3 ± 2.0 points (3 seeds)", "not shown"],
    ]
    assert found.img.attrs == {
        "src": "caltech101/01_judged/figures/curves.png",
        "alt": "All about caltech101/01_judged: curves",
        "loading": "lazy",
    }
    assert words(found.select_one(".facts")) == "real shapes · cpu · 25 min"
    assert [(words(link), link["href"]) for link in found.select("a")] == [
        ("Web page", "caltech101/01_judged/notebook.html"),
        ("PDF", "caltech101/01_judged/notebook.pdf"),
        ("Paper", "caltech101/01_judged/paper.pdf"),
        ("Notebook", "caltech101/01_judged/notebook.ipynb"),
    ]
    assert "caveat" not in str(found)


@pytest.mark.usefixtures("every_state")
@pytest.mark.parametrize(
    ("name", "caveat"),
    [
        (
            "course/01_drawn",
            "Synthetic data: drawn images among shapes. Not a result.",
        ),
        (
            "course/02_random",
            "Random weights in place of pretrained ones. Not a result.",
        ),
        ("caltech101/03_reduced", "Reduced run: epochs 6"),
    ],
)
def test_what_is_no_result_says_so_above_its_number(
    build: Build, name: str, caveat: str
) -> None:
    found = card(build(), name)
    assert words(found.select_one(".caveat")) == caveat
    assert words(found).index(caveat) < words(found).index("85.0")


@pytest.mark.usefixtures("every_state")
def test_without_a_complete_run_it_says_what_to_run(build: Build) -> None:
    page = build()
    for name in ("course/03_failed", "course/04_absent"):
        found = card(page, name)
        assert f"Not run yet: python -m helpers run {name}" in words(found)
        assert not found.select(".headline, img, details, a")


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
    add_run("quick/course/01_a", parameters={"epochs": 6}, reduced=["epochs"])
    page = build(quick=True)
    assert (exports / "quick" / "index.html").is_file()
    assert "No number on this page is a result" in words(page.header)
    found = card(page, "course/01_a")
    assert kind(found) == "reduced"
    assert "Reduced run: epochs 6" in words(found)
    assert found.a["href"] == "course/01_a/notebook.html"


def test_a_quick_page_has_nothing_of_the_kept_runs(
    build: Build, add_notebook: AddNotebook
) -> None:
    add_notebook("course/01_a")
    for suffix in ("html", "png"):
        write_whole(gallery.REFERENCE / f"course/01_a.{suffix}", b"")
    assert len(card(build(), "course/01_a").select("img, a")) == 2
    assert not card(build(quick=True), "course/01_a").select("img, a")


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
        assert words(card(page, name).select_one(".headline")) == "32 met: maps drawn"
    assert (
        words(card(page, "course/03_c").select_one(".headline"))
        == "0.50 nats (one seed) training loss of cnn"
    )


def test_odd_texts_are_text(
    build: Build, add_notebook: AddNotebook, add_run: AddRun
) -> None:
    name, title = "a course/01 #1 ä?", 'Nets </script><script>alert("1")</script> & "1"'
    add_notebook(name, title=title)
    add_run(name)
    page = build()
    found = card(page, name)
    folder = "a%20course/01%20%231%20%C3%A4%3F"
    assert words(found.h3) == title
    assert found.img["src"] == f"{folder}/figures/curves.png"
    assert found.a["href"] == f"{folder}/notebook.html"
    assert not page("script")


@pytest.mark.usefixtures("every_state")
@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics.json", '{"notebook": "caltech101/01', "is damaged or cut short"),
        (
            "metrics.json",
            '{"notebook": "caltech101/01_judged"}',
            "is damaged or cut short, or of another version .it must contain",
        ),
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


def test_before_any_run_all_cards_are_there(
    build: Build, add_notebook: AddNotebook
) -> None:
    add_notebook("course/01_a")
    assert kind(card(build(), "course/01_a")) == "absent"


@pytest.mark.usefixtures("every_state")
def test_the_page_names_nothing_outside(build: Build) -> None:
    page = build()
    addresses = [
        str(tag.get("src") or tag.get("href")) for tag in page.select("[src], [href]")
    ]
    assert not [url for url in addresses if "//" in url]
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
