"""Who hands in, as the file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.base.errors import ConfigError
from helpers.handin.authors import read_team


@pytest.fixture
def hand_in(own_folders: None, tmp_path: Path) -> Path:
    return tmp_path / "hand-in.toml"


def test_nobody_hands_in_where_there_is_no_file() -> None:
    team = read_team()
    assert (str(team), team.authors, team.group) == ("", [], "")


def test_the_example_of_readme_is_read(hand_in: Path) -> None:
    readme = Path(__file__).parents[2] / "README.md"
    example = readme.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    hand_in.write_text(example, "utf-8-sig")  # as some editors write it
    team = read_team()
    assert team.group == "13"
    assert str(team) == (
        "Ada Lovelace, 0123456, University of Somewhere, ada@example.edu; Alan Turing"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("group = 13", "Expected: group"),
        ('groups = "13"', "Expected: group"),
        ('authors = "Ada"', "Expected: group"),
        ('authors = ["Ada"]', "Expected: group"),
        ("[[authors]]\nnumber = '1'", "Expected: group"),
        ("[[authors]]\nname = ''", "Expected: group"),
        ("[[authors]]\nname = '  '", "Expected: group"),
        ("[[authors]]\nname = 'A'\nnumber = 1", "Expected: group"),
        ("[[authors]]\nname = 'A'\nmail = 'a@b'", "Expected: group"),
        ("[[authors]", r"who hands in \(.*line 1.*\)\. Expected: group"),
        *(
            (f"group = {group!r}", r"it\.group must match pattern .* Expected: group")
            for group in ("../13", "a/b", "1 3", "x" * 65, "..", "13\n")
        ),
    ],
)
def test_a_file_of_another_form_is_refused_with_an_example(
    hand_in: Path, text: str, problem: str
) -> None:
    hand_in.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=problem):
        read_team()


def test_a_file_that_is_no_text_is_refused(hand_in: Path) -> None:
    hand_in.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"hand-in\.toml does not say who hands in"):
        read_team()
