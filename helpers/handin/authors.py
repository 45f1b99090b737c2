"""Who hands in, as ``hand-in.toml`` says, which is not in git."""

import tomllib
from typing import NamedTuple

from helpers.base.errors import ConfigError, explained
from helpers.base.files import hand_in_file
from helpers.base.schema import TEXT, fields, many, require

AUTHOR = fields(
    {"name": TEXT | {"pattern": r"\S"}},
    dict.fromkeys(("number", "affiliation", "email"), TEXT),
)
GROUP = {"type": "string", "pattern": r"^[\w-]{0,64}\Z"}  # is part of a file's name
SCHEMA = fields({}, {"group": GROUP, "authors": many(AUTHOR)})
EXPECTED = (
    'Expected: group = "13" and, for each author, [[authors]] with name = "…" and, if '
    "wanted, number, affiliation and email."
)


class Team(NamedTuple):
    """Its authors, as ``AUTHOR`` says, and its group."""

    authors: list[dict[str, str]]
    group: str

    def __str__(self) -> str:
        return "; ".join(
            ", ".join(filter(None, author.values())) for author in self.authors
        )


def read_team() -> Team:
    """Reads who hands in: no authors where there is no file."""
    path = hand_in_file()
    if not path.exists():
        return Team([], "")
    with explained(ConfigError, f"{path} does not say who hands in", EXPECTED):
        content = tomllib.loads(path.read_text("utf-8-sig"))
        require(content, SCHEMA)
    return Team(content.get("authors", []), content.get("group", ""))
