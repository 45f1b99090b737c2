"""``python -m helpers``: everything that the project does, from the command line.

Each command imports what it needs itself, so that ``--help`` does not wait for torch.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from helpers.base.errors import ExportError, HelpersError

FILE = click.Path(path_type=Path)
FORMATS = ("html", "pdf")


class _Commands(click.Group):
    """Prints a failure that its message explains as one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HelpersError as error:
            click.echo(f"error: {' '.join(str(error).split())}", err=True)
            ctx.exit(1)


def _formats(
    _context: click.Context, _option: click.Parameter, text: str
) -> tuple[str, ...]:
    formats = tuple(part.strip() for part in text.split(","))
    if unknown := [name for name in formats if name not in FORMATS]:
        raise click.BadParameter(
            f"unknown format {unknown[0]!r}; known are {', '.join(FORMATS)}"
        )
    return formats


def _page_limits(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> tuple[int, int] | None:
    if text is None:
        return None
    least, _, most = text.partition("-")
    if not (least.isdecimal() and most.isdecimal() and 1 <= int(least) <= int(most)):
        raise click.BadParameter(f"{text!r} is not of the form 3-4")
    return int(least), int(most)


def _assignments(
    _context: click.Context, _option: click.Parameter, texts: Sequence[str]
) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := [
        text
        for text, (name, equals, _) in zip(texts, pairs, strict=True)
        if not (name.strip() and equals)
    ]:
        raise click.BadParameter(f"{wrong[0]!r} is not of the form name=value")
    return {name.strip(): value for name, _, value in pairs}


formats_option = click.option(
    "--formats",
    default=",".join(FORMATS),
    show_default=True,
    callback=_formats,
    help="What to export to.",
)
quick_option = click.option(
    "--quick",
    is_flag=True,
    help="The quick runs in exports/quick instead of the real ones.",
)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="cnn-course-notebooks")
def main() -> None:
    """University assignments on convolutional networks: run the notebooks, export them,
    use their models.

    A NAME is an assignment (caltech101) or one of its notebooks (caltech101/01_lenet5,
    or 01_lenet5).
    """


@main.command("list")
@click.argument("names", nargs=-1)
def list_notebooks(names: Sequence[str]) -> None:
    """List the notebooks; with NAMES, their parameters too."""
    from helpers.base.declared import find_notebooks, resolve  # noqa: PLC0415

    for notebook in (
        [n for name in names for n in resolve(name)] if names else find_notebooks()
    ):
        click.echo(f"{notebook.name}  {notebook.title}")
        if not names:
            continue
        for need in notebook.needs:
            click.echo(f"  needs the model or the results of {need}")
        for parameter in notebook.parameters.values():
            click.echo(
                f"  -p {parameter.name}={parameter.default}  ({parameter.type}) "
                f"{parameter.help}"
            )


@main.group()
def data() -> None:
    """Download or generate data sets and check them."""


@data.command("fetch")
@click.argument("names", nargs=-1, required=True)
def data_fetch(names: Sequence[str]) -> None:
    """Download, verify and lay out NAMES: from official archives; facescrub picture by
    picture, with a report.
    """
    from helpers.data.download import fetch  # noqa: PLC0415

    for name in names:
        click.echo(f"{name}: {fetch(name)}")


@data.command("convert")
@click.argument("name")
@click.argument("source", type=FILE)
def data_convert(name: str, source: Path) -> None:
    """Lay out NAME of what you have downloaded: SOURCE, an archive or a folder.

    For a set without an address that stays, which is clipart: SOURCE is Office-Home's
    archive, or the course's own.
    """
    from helpers.data.download import convert  # noqa: PLC0415

    click.echo(f"{name}: {convert(name, source)}")


@data.command("make")
@click.argument("names", nargs=-1, required=True)
def data_make(names: Sequence[str]) -> None:
    """Generate NAMES: the data sets that everybody draws anew, such as lines."""
    from helpers.data.catalogue import find_data_set, make_data  # noqa: PLC0415

    for name in names:
        made = make_data(name)
        click.echo(
            f"{name}: {find_data_set(name).path} "
            f"{'made' if made else 'is already there'}"
        )


@data.command("check")
@click.argument("names", nargs=-1)
def data_check(names: Sequence[str]) -> None:
    """Read data sets (all, or NAMES; unchanged files from the cache); exit 1 if one is
    broken.
    """
    from helpers.data.catalogue import CATALOGUE, data_status  # noqa: PLC0415

    broken = False
    for name in names or CATALOGUE:
        status = data_status(name)
        broken |= status.state == "broken"
        click.echo(f"{name}  {status.state}  {status.detail}")
    if broken:
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("names", nargs=-1)
@click.option(
    "--quick",
    is_flag=True,
    help="Seconds instead of hours: the settings of notebooks/quick.yaml.",
)
@click.option(
    "-p",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_assignments,
    help="Set a parameter; repeatable.",
)
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Notebooks side by side.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds that each notebook may take.",
)
@click.option("--no-export", is_flag=True, help="Make no HTML and PDF.")
@formats_option
def run(
    names: Sequence[str],
    *,
    quick: bool,
    parameters: dict[str, str],
    jobs: int,
    timeout: float | None,
    no_export: bool,
    formats: tuple[str, ...],
) -> None:
    """Run notebooks (all, or NAMES) and export them.

    Those that load another's model run after it. What a run leaves behind is in
    exports/<assignment>/<notebook>/, of a quick run in exports/quick/. Parameters:
    python -m helpers list NAME.
    """
    from functools import partial  # noqa: PLC0415

    from helpers.export.pages import export_notebook  # noqa: PLC0415
    from helpers.runner.run import report, run_notebooks  # noqa: PLC0415

    # A machine that is shut down sends SIGTERM: end as after Ctrl-C, with a true
    # record.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    outcomes = run_notebooks(
        names,
        quick=quick,
        parameters=parameters,
        jobs=jobs,
        timeout=timeout,
        export=None if no_export else partial(export_notebook, formats=formats),
    )
    click.echo(f"\n{report(outcomes)}")
    if not all(outcome.ok for outcome in outcomes):
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("names", nargs=-1)
@quick_option
@formats_option
def export(names: Sequence[str], *, quick: bool, formats: tuple[str, ...]) -> None:
    """Export executed notebooks again.

    NAMES may also be paths of .ipynb files; without NAMES: every run there is.
    """
    from helpers.base.runs import executed_notebooks  # noqa: PLC0415
    from helpers.export.pages import export_notebook  # noqa: PLC0415

    for path in executed_notebooks(names, quick=quick):
        for file in export_notebook(path, formats):
            click.echo(file)


@main.command()
@click.argument("name")
@quick_option
def paper(name: str, *, quick: bool) -> None:
    """Make a paper of an executed notebook: paper.pdf.

    NAME is a notebook whose metadata name authors, such as artists_faces/08_report, or
    the path of an .ipynb file. Its source goes to paper/. LaTeX sets it: see doctor.
    """
    from helpers.base.runs import executed_notebooks  # noqa: PLC0415
    from helpers.export.paper.build import write_paper  # noqa: PLC0415

    for path in executed_notebooks([name], quick=quick):
        click.echo(write_paper(path))


@main.command()
@click.argument("names", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, type=FILE, help="The .pdf file to write."
)
@click.option(
    "--title", default="", help="Of the report; without it, that of the first notebook."
)
@click.option("--compact", is_flag=True, help="Two columns and a small type.")
@click.option(
    "--pages",
    "limits",
    metavar="LEAST-MOST",
    callback=_page_limits,
    help="How many pages it may have: 3-4.",
)
@quick_option
def report(
    names: Sequence[str],
    output: Path,
    *,
    title: str,
    compact: bool,
    limits: tuple[int, int] | None,
    quick: bool,
) -> None:
    """Make a report of executed notebooks: text, figures and tables, without the code.

    Of a notebook with cells tagged `report` it shows these; of another, all cells.
    NAMES are joined in this order. With --pages, a report of another length is refused.
    """
    from helpers.base.runs import executed_notebooks  # noqa: PLC0415
    from helpers.handin.report import write_report  # noqa: PLC0415

    paths = executed_notebooks(names, quick=quick)
    pages = write_report(paths, output, title=title, compact=compact, limits=limits)
    click.echo(f"{output}: {pages} pages")


@main.command()
@click.argument("assignment")
@click.option(
    "--group",
    default="",
    metavar="ID",
    help="Who hands it in; it names the archive of lines.",
)
@click.option(
    "--out",
    type=FILE,
    help="The folder to write to; without it, exports/submit/ASSIGNMENT.",
)
@click.option(
    "--draft", is_flag=True, help="Build it with what there is, marked as a draft."
)
@quick_option
def submit(
    assignment: str, *, group: str, out: Path | None, draft: bool, quick: bool
) -> None:
    """Build and check what the course of ASSIGNMENT wants handed in.

    What is missing is listed in full, and nothing is built unless --draft says so.
    Every archive holds its code, a README with the commands to run it, and
    MANIFEST.json.
    """
    from helpers.handin.submit.build import IncompleteError  # noqa: PLC0415
    from helpers.handin.submit.build import submit as build  # noqa: PLC0415

    try:
        submission = build(assignment, group=group, out=out, draft=draft, quick=quick)
    except IncompleteError as error:
        click.echo(f"error: {assignment} cannot be handed in yet. Missing:", err=True)
        for fault in error.missing:
            click.echo(f"  - {fault}", err=True)
        click.echo("As a draft all the same: --draft", err=True)
        raise click.exceptions.Exit(1) from None
    for fault in submission.missing:
        click.echo(f"missing: {fault}")
    for note in submission.notes:
        click.echo(f"note: {note}")
    for file in submission.files:
        click.echo(file)


@main.command()
@click.argument("model")
@click.argument("images", type=FILE)
@click.option("-o", "--output", required=True, type=FILE, help="The file to write.")
@click.option(
    "--names", is_flag=True, help="Write class names instead of class indices."
)
@quick_option
def predict(
    model: str, images: Path, output: Path, *, names: bool, quick: bool
) -> None:
    """Label images with a saved model.

    MODEL is a model.pt, or the notebook that saved it; IMAGES an image or a folder of
    them. The file has the header id,label and rows such as "0001, 2", sorted by
    identifier: the name of the image without its suffix.
    """
    from helpers.viewer.predict import write_predictions  # noqa: PLC0415

    count, trained_on = write_predictions(
        model, images, output, names=names, quick=quick
    )
    warning = (
        ""
        if trained_on == "real"
        else " (by a model of drawn stand-in images: meaningless)"
    )
    click.echo(f"{output}: {count} images{warning}")


@main.command()
@click.argument("model")
@click.option(
    "--kind",
    required=True,
    type=click.Choice(("activations", "filters", "heatmap", "saliency")),
    help="What to draw.",
)
@click.option(
    "--image", type=FILE, help="What the network looks at; without it, a blank image."
)
@click.option(
    "--layer", help="Which layer; without it, all convolutions, first to last."
)
@click.option(
    "--target",
    metavar="CLASS_OR_HEAD",
    help="What is explained (a class, a head, head=class); else the prediction.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=FILE,
    help="The .png, .pdf or .svg file to write.",
)
@quick_option
def visualize(
    model: str,
    *,
    kind: str,
    image: Path | None,
    layer: str | None,
    target: str | None,
    output: Path,
    quick: bool,
) -> None:
    """Draw what a saved network sees.

    MODEL is a model.pt, or the notebook that saved it. What is left out is chosen and
    said. Kinds: the maps of its layers (activations), what its filters respond to,
    found by gradient ascent (filters), where it finds what speaks for a class
    (heatmap), which pixels matter for it (saliency).
    """
    from helpers.viewer.visualize import write_picture  # noqa: PLC0415

    for note in write_picture(
        model, kind, output, image=image, layer=layer, target=target, quick=quick
    ):
        click.echo(f"note: {note}")
    click.echo(output)


@main.group(invoke_without_command=True)
@quick_option
@click.option("--markdown", "style", flag_value="markdown", help="As a Markdown table.")
@click.option("--csv", "style", flag_value="csv", help="As CSV.")
@click.option(
    "--metrics",
    "style",
    flag_value="metrics",
    help="Every metric of every model instead, as CSV.",
)
@click.option(
    "--readme",
    "style",
    flag_value="readme",
    help="Write README's table from exports/reference.",
)
@click.pass_context
def results(context: click.Context, style: str | None, *, quick: bool) -> None:
    """Show what the runs have reached, requirement by requirement."""
    if context.invoked_subcommand:
        return
    from helpers.base.runs import exports_root  # noqa: PLC0415
    from helpers.handin import results as found  # noqa: PLC0415

    if style == "readme":
        changed = found.update_readme()
        click.echo(
            "README.md is up to date"
            if not changed
            else "README.md: table of results written"
        )
        return
    root = exports_root(quick=quick)
    records = found.collect(root)
    if not records:
        raise ExportError(
            f"There are no results in {root} yet: python -m helpers "
            f"run{' --quick' if quick else ''}"
        )
    if style == "csv":
        click.echo(found.csv_table(found.HEADER, found.result_rows(records)), nl=False)
    elif style == "metrics":
        click.echo(
            found.csv_table(found.METRIC_HEADER, found.metric_rows(records)), nl=False
        )
    elif style == "markdown":
        click.echo(found.results_markdown(records))
    else:
        click.echo(found.text_table(found.HEADER, found.result_rows(records)))


@results.command("save")
@click.argument("names", nargs=-1)
def results_save(names: Sequence[str]) -> None:
    """Keep real runs in exports/reference.

    Copies metrics.json of the runs NAMES (without NAMES: of all) to where git keeps
    them; refuses what is no evidence, with the reason.
    """
    from helpers.base.declared import resolve  # noqa: PLC0415
    from helpers.handin.results import collect, save_reference  # noqa: PLC0415

    wanted = {n.name for name in names for n in resolve(name)}
    records = [
        record for record in collect() if not wanted or record.notebook in wanted
    ]
    if missing := wanted - {record.notebook for record in records}:
        raise ExportError(
            f"There is no run of {', '.join(sorted(missing))} to keep: run it first."
        )
    refused = 0
    for record in records:
        try:
            click.echo(save_reference(record))
        except HelpersError as error:
            click.echo(f"refused: {error}", err=True)
            refused += 1
    click.echo("README's table: python -m helpers results --readme")
    if refused:
        raise click.exceptions.Exit(1)


@main.command()
@quick_option
def gallery(*, quick: bool) -> None:
    """Make a web page of all notebooks and their runs: exports/index.html, of quick
    runs exports/quick/index.html.
    """
    from helpers.handin.gallery.page import write_gallery  # noqa: PLC0415

    page, runs = write_gallery(quick=quick)
    if not runs:
        click.echo(
            "note: no notebook has been run yet: python -m helpers "
            f"run{' --quick' if quick else ''}"
        )
    click.echo(page)


@main.command()
def doctor() -> None:
    """Say what works on this machine.

    That is: which packages are installed, which export routes work, which data sets are
    there and where networks are trained. Exit 1 if something is not as it should be.
    """
    from helpers.doctor import examine  # noqa: PLC0415

    healthy = True
    for check in examine():
        mark = "ok" if check.ok else "FAIL" if check.needed else "–"
        click.echo(f"{mark:<5}{check.topic:<8} {check.name}: {check.detail}")
        healthy &= check.ok or not check.needed
    if not healthy:
        raise click.exceptions.Exit(1)
