from __future__ import annotations

from pathlib import Path

import pytest

from helpers.base.errors import ExportError
from helpers.export.pandoc import markdown_to_document
from helpers.export.paper.document import (
    check_document,
    cites_anything,
    elements,
    place_pictures,
    plain_text,
)

FIGURE = "![Loss falls.](x.png){#fig:curves}\n\n"
TABLE = "| a |\n| --- |\n| 1 |\n\n: Nets. {#tab:nets}\n\n"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def check(text: str, *, abstract: str = "") -> None:
    check_document(markdown_to_document(text, {"abstract": abstract}), {"he2016"})


def test_a_sound_text_passes() -> None:
    text = (
        "# T\n\n## Set up\n\n$$x$$ {#eq:x}\n\nIn @sec:set-up, @fig:curves, "
        "[-@tab:nets] and @eq:x; see [@he2016]."
    )
    check(f"{text}\n\n{FIGURE}{TABLE}", abstract="After @he2016.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "See @fig:curve.\n\n" + FIGURE,
            "refers to @fig:curve, which is not there. Its figures: fig:curves",
        ),
        ("See @tab:nets.", "refers to @tab:nets, which is not there. Its tables: none"),
        (
            "As @he2015 and [@lecun1998; @he2016].",
            "cites he2015, lecun1998, not in its bibliography. There: he2016",
        ),
        (
            "[@fig:curves; @he2016]\n\n" + FIGURE,
            r"holds references and citations \(fig:curves, he2016\): write two",
        ),
        (FIGURE + FIGURE, "Two things in the paper have the label fig:curves"),
        ("```python\n\nx = 1\n```", r"shows code \(x = 1\)"),
        ("    indented()", r"shows code \(indented\(\)\)"),
        ("| a |\n| --- |\n| first |", "table that begins “afirst” has no caption"),
        ("In a line ![x](x.png).", "picture x.png has no caption"),
        (
            "::: {#fig:two}\n![](a.png) ![](b.png)\n:::",
            "figure @fig:two has no caption",
        ),
    ],
)
def test_a_fault_is_named(text: str, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        check(text)


def test_the_abstract_is_checked_too() -> None:
    with pytest.raises(ExportError, match="cites nobody"):
        check("Text.", abstract="After @nobody.")


def test_references_are_no_citations() -> None:
    assert not cites_anything(markdown_to_document("See @fig:x.", {}))
    assert cites_anything(markdown_to_document("See @fig:x and @he2016.", {}))


def test_brackets_behind_a_reference_are_not_its_own() -> None:
    check(FIGURE + "See @fig:curves [@he2016] and @fig:curves [left]; @he2016 [p. 3].")
    document = markdown_to_document("See @fig:x [@a; @b], @fig:y [left].", {})
    cites = [
        [citation["citationId"] for citation in cite[0]]
        for cite in elements(document, "Cite")
    ]
    assert cites == [["fig:x"], ["a", "b"], ["fig:y"]]
    assert plain_text(document["blocks"]).endswith("[left].")


def test_panels_are_one_figure() -> None:
    block = (
        "::: {#fig:two}\n![left](a.png){width=48%}\n![right](b.png)\n\nBoth *of* "
        "them.\n:::"
    )
    [(attributes, caption, content)] = elements(
        markdown_to_document(block, {}), "Figure"
    )
    assert attributes[0] == "fig:two"
    assert plain_text(caption) == "Both of them."
    assert [image[2][0] for image in elements(content, "Image")] == ["a.png", "b.png"]


def test_habits_of_github_are_understood() -> None:
    text = (
        "Text\n## Heading\n- one\n- two\n\n~5 and ~6, H^2 and 3^; "
        "<https://example.org>\n\n<b>bold</b>"
    )
    document = markdown_to_document(text, {})
    assert [plain_text(heading) for heading in elements(document, "Header")] == [
        "Heading"
    ]
    assert len(list(elements(document, "BulletList"))) == 1
    assert not [*elements(document, "Subscript"), *elements(document, "Superscript")]


def test_pictures_are_found_and_vectors_preferred(tmp_path: Path) -> None:
    run, source = tmp_path / "run", tmp_path / "source"
    for path in (
        run / "a b.png",
        run / "a b.pdf",
        source / "c.jpeg",
        source / "sub" / "c.jpeg",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(path).encode())
    pictures = (
        "a%20b.png",
        "c.jpeg",
        "sub/c.jpeg",
        "figures/own.pdf",
        f"data:image/png;base64,{PIXEL}",
    )
    document = markdown_to_document(
        "\n\n".join(f"![A.]({name})" for name in pictures), {}
    )
    files = {"figures/own.pdf": b"own"}
    place_pictures(document, files, [run, source])
    names = [image[2][0] for image in elements(document, "Image")]
    assert names == [
        "figures/a-b.pdf",
        "figures/c.jpeg",
        "figures/c-.jpeg",
        "figures/own.pdf",
        "figures/attached.png",
    ]
    assert files["figures/a-b.pdf"] == str(run / "a b.pdf").encode()
    assert files["figures/c-.jpeg"] == str(source / "sub" / "c.jpeg").encode()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone.png", "The picture gone.png is not in "),
        ("https://example.org/x.png", "is on the network"),
        ("drawing.svg", "is .svg; a paper takes PDF, PNG and JPEG"),
        ("data:image/gif;base64,AAAA", "A picture in the text is data:image/gif"),
    ],
)
def test_a_picture_that_cannot_be_set_is_named(
    tmp_path: Path, source: str, message: str
) -> None:
    (tmp_path / "drawing.svg").write_text("<svg/>")
    with pytest.raises(ExportError, match=message):
        place_pictures(markdown_to_document(f"![A.]({source})", {}), {}, [tmp_path])
