"""Who hands in, as ``hand-in.toml`` says, which is not in git."""

from __future__ import annotations

import re
import tomllib
from typing import Any, NamedTuple

from helpers.base.errors import ConfigError
from helpers.base.files import hand_in_file

ABOUT = {"name", "number", "affiliation", "email"}


class Team(NamedTuple):
    """Its authors, by ``name`` and whatever else of ``ABOUT`` they give; its group."""

    authors: list[dict[str, str]]
    group: str

    def __str__(self) -> str:
        return "; ".join(", ".join(author.values()) for author in self.authors)


def read_team(group: str = "") -> Team:
    """Reads who hands in: no authors where there is no file.

    Args:
        group: goes before the one in the file.

    Raises:
        ConfigError: the file is not as README shows it, or the group no name for a
            file.
    """
    path, problem, content = hand_in_file(), "", dict[str, Any]()
    try:
        if path.is_file():
            content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        problem = f" ({error})"
    authors, own = content.pop("authors", []), content.pop("group", "")
    if problem or content or not (isinstance(own, str) and _are_authors(authors)):
        raise ConfigError(
            f'{path} does not say who hands in{problem}. Expected: group = "13" and, '
            'for each author, [[authors]] with name = "…" and, if wanted, number, '
            "affiliation and email, in quotes."
        )
    team = Team(authors, group or own)
    if not re.fullmatch(r"[\w-]{0,64}", team.group):
        raise ConfigError(
            f"The group {team.group!r} is no name for a file: use letters, digits, "
            "hyphens and underscores."
        )
    return team


def _are_authors(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and entry.get("name")
        and entry.keys() <= ABOUT
        and all(isinstance(text, str) for text in entry.values())
        for entry in entries
    )
