"""Files made from the templates beside this module."""

from __future__ import annotations

from pathlib import Path


def render(template: str, **values: object) -> str:
    """Fills a template.

    Args:
        template: its name in ``templates/``; in HTML, values are escaped.
        values: what it uses; one that it lacks is an error.
    """
    from jinja2 import (
        Environment,
        FileSystemLoader,
        StrictUndefined,
        select_autoescape,
    )

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
