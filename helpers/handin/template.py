"""Files made from the templates beside this module."""


def render(template: str, **values: object) -> str:
    """Fills a template of ``templates/``; in HTML, values are escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("helpers.handin"),
        autoescape=jinja2.select_autoescape(("html.j2",)),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
