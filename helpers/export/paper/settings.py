"""What a notebook's metadata say about the paper made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from helpers.base.errors import ExportError

EXAMPLE = '{"authors": [{"name": "…", "affiliation": "…", "email": "…"}], "bibliography": "….bib", "pages": [6, 8]}'
KNOWN = ("title", "authors", "bibliography", "pages")
AUTHOR = ("name", "affiliation", "email")


@dataclass(frozen=True)
class Settings:
    """The entry ``paper`` of a notebook's metadata.

    Attributes:
        title: of the paper; empty means the notebook's first heading.
        authors: each with ``name`` and, if given, ``affiliation`` and ``email``.
        bibliography: a BibTeX file beside the notebook; empty if nothing is cited.
        pages: the least and the most pages allowed; None means any number.
    """

    authors: tuple[dict[str, str], ...]
    title: str = ""
    bibliography: str = ""
    pages: tuple[int, int] | None = None


def read_settings(metadata: Mapping[str, Any]) -> Settings:
    """Reads and checks the entry.

    Args:
        metadata: the notebook's.

    Raises:
        ExportError: there is none, or something in it is unknown, missing or of the
            wrong kind.
    """
    entry = metadata.get("paper")
    if not isinstance(entry, Mapping):
        raise ExportError(
            f'The notebook is no paper: its metadata have no entry "paper", such as {EXAMPLE}.'
        )
    if unknown := set(entry) - set(KNOWN):
        raise _wrong(f"has the unknown {min(unknown)!r}; known are {', '.join(KNOWN)}")
    texts = {name: entry.get(name, "") for name in ("title", "bibliography")}
    if wrong := [name for name, value in texts.items() if not isinstance(value, str)]:
        raise _wrong(f"has a {wrong[0]} that is no text")
    return Settings(
        _authors(entry.get("authors")), **texts, pages=_pages(entry.get("pages"))
    )


def _authors(value: Any) -> tuple[dict[str, str], ...]:
    if not isinstance(value, list) or not value:
        raise _wrong("names no authors")
    for author in value:
        named = isinstance(author, Mapping) and bool(author.get("name"))
        if (
            not named
            or set(author) - set(AUTHOR)
            or not all(isinstance(text, str) for text in author.values())
        ):
            raise _wrong(
                f"has the author {author!r}, who needs a name and may have "
                f"{' and '.join(AUTHOR[1:])}"
            )
    return tuple(dict(author) for author in value)


def _pages(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    match value:
        case [int(least), int(most)] if 1 <= least <= most:
            return least, most
    raise _wrong(
        f"allows {value!r} pages; expected the least and the most, such as [6, 8]"
    )


def _wrong(what: str) -> ExportError:
    return ExportError(
        f'The entry "paper" of the notebook\'s metadata {what}. An example: {EXAMPLE}.'
    )
