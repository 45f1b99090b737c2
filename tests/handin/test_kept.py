"""The pages that git keeps: small, real, without faces, linked from the gallery."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from bs4 import BeautifulSoup
from pikepdf import Pdf
from PIL import Image

from helpers.base.files import ROOT
from helpers.base.record import RunRecord, finding_rows
from helpers.handin.gallery import write_gallery
from helpers.handin.reference import MOST_BYTES, save_reference

REFERENCE = ROOT / "exports" / "reference"
PAGES = sorted([*REFERENCE.glob("*/*.html"), *REFERENCE.glob("*/*.pdf")])


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}"
)
def test_a_kept_page_is_small_and_of_a_real_run(page: Path) -> None:
    assert page.stat().st_size <= MOST_BYTES
    record = RunRecord.load(page.with_suffix(".json"))
    assert record.data["source"] == "real"
    assert "facescrub" not in record.data["name"]
    if page.suffix == ".html":
        parsed = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        text = parsed.get_text(" ")
        assert "SYNTHETIC DATA" not in text
        assert "RANDOM WEIGHTS" not in text
        if "measured_before" in record.data:
            assert "EARLIER" in text  # and what has changed since
        if "EARLIER FORM" not in text:  # of the notebook: it says so, and why
            found = [one for row in finding_rows(record) for one in row[1:3]]
            assert [one for one in found if one not in " ".join(text.split())] == []


def test_the_gallery_opens_from_a_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "exports" / "index.html"
    text = path.read_text(encoding="utf-8")
    page = BeautifulSoup(text, "html.parser")
    targets = [tag["href"] for tag in page.find_all("a") if "#" not in tag["href"]]
    targets += [tag["src"] for tag in page.find_all("img")]
    assert {path.parent / unquote(str(target)) for target in targets} >= set(PAGES)
    assert all((path.parent / unquote(str(target))).is_file() for target in targets)
    made: dict[Path, bytes] = {}
    monkeypatch.setattr("helpers.handin.gallery.write_whole", made.__setitem__)
    anew = "write it anew: python -m helpers results --write"
    assert made[write_gallery(kept=True)].decode() == text, anew


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.suffix == ".html"], ids=lambda page: page.stem
)
def test_each_verdict_of_a_page_is_one_of_its_record(page: Path) -> None:
    record = RunRecord.load(page.with_suffix(".json"))
    claims = {f"{finding['text'].rstrip('.')}:" for finding in record.findings}
    shown = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for verdict in shown.select("div.result > p > strong:first-child"):
        told = verdict.find_next_sibling(string=True)
        if told and told.startswith(" · "):
            assert any(claim in told for claim in claims), told


def test_readme_links_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        link = f"[PDF]({page.relative_to(ROOT).as_posix()})"
        assert (link in text) == (page.suffix == ".pdf")


@pytest.fixture
def keep(
    exports: Path,
    kept: Path,
    write_notebook: Callable[..., Path],
    real_run: Callable[..., RunRecord],
) -> Callable[..., list[str]]:
    """Keeps a run on this data with pictures of noise; the names of what is kept."""

    def keep(data: str, count: int = 1) -> list[str]:
        parameters = 'epochs: int = 60  # passes\nsource: str = "real"  # which data'
        write_notebook("course/01_a", parameters, gallery={"figure": "curves"})
        cell = nbformat.v4.new_code_cell("1", outputs=[])
        for _ in range(count):  # each is another
            picture = io.BytesIO()
            Image.effect_noise((600, 400), 80).convert("RGB").save(picture, "png")
            png = {"image/png": b64encode(picture.getvalue()).decode()}
            cell.outputs.append(nbformat.v4.new_output("display_data", data=png))
            cell.outputs[-1].metadata = {"image/png": {"alt": "noise"}}
        folder = exports / "course/01_a"
        (folder / "figures").mkdir(parents=True)
        (folder / "figures" / "curves.png").write_bytes(picture.getvalue())
        notebook = nbformat.v4.new_notebook(cells=[cell])
        nbformat.write(notebook, folder / "notebook.ipynb")
        record = real_run(data={"name": data, "source": "real"})
        record.save(folder / "metrics.json")
        save_reference("course/01_a")
        return sorted(path.name for path in (kept / "course").iterdir())

    return keep


def test_pages_and_a_thumbnail_are_kept_beside_the_record(
    keep: Callable[..., list[str]], exports: Path, kept: Path
) -> None:
    names = ["01_a.html", "01_a.json", "01_a.pdf", "01_a.png"]
    assert keep("shapes") == names
    before = (exports / "course/01_a/figures/curves.png").stat().st_size
    assert (kept / "course/01_a.png").stat().st_size < before


def test_pages_with_faces_of_people_are_not_kept(
    keep: Callable[..., list[str]],
) -> None:
    assert keep("artists, facescrub") == ["01_a.json"]


@pytest.mark.parametrize(
    ("count", "html", "pictures"),
    [(2, "image/png", "/FlateDecode"), (4, "image/webp", "/DCTDecode")],
)
def test_pictures_of_a_large_page_are_blurred_before_it_is_given_up(
    keep: Callable[..., list[str]], kept: Path, count: int, html: str, pictures: str
) -> None:
    assert len(keep("shapes", count)) == 4
    page = BeautifulSoup((kept / "course/01_a.html").read_text("utf-8"), "html.parser")
    kinds = {str(image["src"]).partition(";")[0] for image in page("img")}
    assert kinds == {f"data:{html}"}
    with Pdf.open(kept / "course/01_a.pdf") as document:
        images = [one for page in document.pages for one in page.get_images().values()]
        assert {str(one.Filter) for one in images} == {pictures}


def test_pages_that_stay_too_large_are_left_out(
    keep: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert keep("shapes", 12) == ["01_a.json", "01_a.png"]
    assert "its pages are too large" in capsys.readouterr().out
