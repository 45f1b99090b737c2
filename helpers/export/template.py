"""Files made from the templates beside this module."""

from __future__ import annotations

from helpers.export.pandoc import TEMPLATES


def render(template: str, **values: object) -> str:
    """Fills a template.

    Args:
        template: its path below ``templates/``; in HTML, values are escaped.
        values: what it uses; one that it lacks is an error.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html", "html.j2")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
