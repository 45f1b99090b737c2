"""``python -m helpers``: everything that the project does, from the command line.

Each command imports what it needs itself, so that ``--help`` does not wait for torch.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from helpers.base.declared import find_notebooks, resolve
from helpers.base.errors import ExportError, HelpersError
from helpers.base.files import QUICK, exports_dir, is_quick
from helpers.base.runs import command, executed_notebooks, load_records

FILE = click.Path(path_type=Path)


class _Commands(click.Group):
    """Prints a failure that its message explains as one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (HelpersError, OSError) as error:
            _echo_error(error)
            ctx.exit(1)


def _no_run() -> ExportError:
    return ExportError(f"There is no run yet: {command('run')}")


def _echo_error(*what: object) -> None:
    click.echo(f"error: {' '.join(': '.join(map(str, what)).split())}", err=True)


def _each(items: Iterable[Any], act: Callable[[Any], object]) -> NoReturn:
    """Acts on each; ends with 1 if one has failed, which stops no other."""
    failed = False
    for item in items:
        try:
            done = act(item)
        except (HelpersError, OSError) as error:
            known = str(error).startswith(str(item))
            _echo_error(*([error] if known else [item, error]))
            failed = True
        else:
            click.echo(done)
    sys.exit(failed)


def _values(_context: object, _option: object, texts: Sequence[str]) -> dict[str, str]:
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals):
            raise click.BadParameter(f"{text!r} is not of the form name=value")
        values[name.strip()] = value
    return values


def _go_quick(_context: object, _option: object, quick: bool) -> None:
    if quick:
        os.environ[QUICK] = "1"


flag = partial(click.option, is_flag=True)
any_names = click.argument("names", nargs=-1)
some_names = click.argument("names", nargs=-1, required=True)
output_option = click.option(
    "-o", "--output", required=True, type=FILE, help="The file to write."
)
quick = partial(flag, "--quick", callback=_go_quick, expose_value=False)
quick_option = quick(help="The quick runs in exports/quick.")


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="cnn-course-notebooks")
def main() -> None:
    """University assignments on convolutional networks.

    A NAME is an assignment (caltech101) or one of its notebooks (caltech101/01_lenet5,
    caltech101/01 or 01_lenet5).
    """
    # A machine that is shut down or a terminal that is closed: end as after Ctrl-C.
    for name in {"SIGTERM", "SIGHUP"} & set(dir(signal)):
        number = getattr(signal, name)
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, signal.default_int_handler)


@main.command("list")
@any_names
def list_notebooks(names: Sequence[str]) -> None:
    """List the notebooks; with NAMES, their parameters too."""
    notebooks = [n for name in names for n in resolve(name)] or find_notebooks()
    for notebook in notebooks:
        click.echo(f"{notebook.name}  {notebook.title or notebook.fault}")
        if names:
            for need in notebook.needs:
                click.echo(f"  needs {need}")
            for p in notebook.parameters.values():
                value = str(p.default).replace(", ", ",")  # one word of a command
                click.echo(f"  -p {p.name}={value}  ({p.type}) {p.help}")
    sys.exit(any(notebook.fault for notebook in notebooks))


@main.group()
def data() -> None:
    """Download or generate data sets and check them."""


@data.command("fetch")
@some_names
def data_fetch(names: Sequence[str]) -> None:
    """Download, verify and lay out NAMES; facescrub picture by picture."""
    from helpers.data.download import fetch

    _each(names, lambda name: f"{name}: {fetch(name)}")


@data.command("convert")
@click.argument("name")
@click.argument("source", type=FILE)
def data_convert(name: str, source: Path) -> None:
    """Lay out NAME of what you have downloaded: SOURCE, an archive or a folder."""
    from helpers.data.download import convert

    click.echo(f"{name}: {convert(name, source)}")


@data.command("check")
@any_names
def data_check(names: Sequence[str]) -> None:
    """Read data sets (all, or NAMES) and exit with 1 if one is broken."""
    from helpers.data.catalogue import CATALOGUE, data_status

    broken = False
    for name in names or CATALOGUE:
        state, detail = data_status(name)
        broken |= state == "broken"
        click.echo(f"{name}  {state}  {detail}")
    sys.exit(broken)


@main.command()
@any_names
@quick(help="In seconds: the settings of notebooks/quick.yaml.")
@click.option(
    "-p",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_values,
    help="Set a parameter; repeatable.",
)
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Notebooks side by side.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="One by one, first what has no whole run; nothing that takes longer.",
)
@click.option(
    "--ray",
    envvar="RAY_ADDRESS",
    metavar="ADDRESS",
    help="Train on a Ray cluster: auto, local or HOST:PORT (CLUSTER.md).",
)
@flag("--no-export", help="Make no documents.")
def run(
    names: Sequence[str], *, ray: str | None, no_export: bool, **options: Any
) -> None:
    """Run notebooks (all, or NAMES) and export them.

    What a run leaves is in exports/<assignment>/<notebook>/, a quick one in
    exports/quick/.
    """
    from helpers.export.pages import export_notebook
    from helpers.runner.run import report, run_notebooks

    if ray:
        os.environ["RAY_ADDRESS"] = ray  # for the kernels
        from helpers.training.cluster import connected

        with connected():  # or else say why not, before anything runs
            pass
    export = None if no_export else export_notebook
    outcomes = run_notebooks(names, export=export, **options)
    click.echo(f"\n{report(outcomes)}")
    sys.exit(not all(outcome.ok for outcome in outcomes))


@main.command()
@any_names
@quick_option
def export(names: Sequence[str]) -> None:
    """Export executed notebooks again.

    NAMES may also be paths of .ipynb files; without NAMES: every full run there is.
    """
    from helpers.export.pages import export_notebook

    if not (paths := executed_notebooks(names)):
        raise _no_run()
    _each(paths, lambda path: "\n".join(map(str, export_notebook(path))))


@main.command()
@click.argument("name")
@quick_option
def paper(name: str) -> None:
    """Make a paper of an executed notebook: paper.pdf.

    NAME is a notebook whose metadata say that it is a paper, or an .ipynb file. The
    paper's source goes to paper/; hand-in.toml says who its authors are.
    """
    from helpers.export.paper import write_paper
    from helpers.handin.authors import read_team

    paths = executed_notebooks([name])
    _each(paths, lambda path: write_paper(path, read_team().authors))


@main.command()
@some_names
@output_option
@flag("--compact", help="Two columns and a small type.")
@quick_option
def report(names: Sequence[str], output: Path, *, compact: bool) -> None:
    """Make a report of executed notebooks: text, figures and tables, without the code.

    Of a notebook with cells tagged `report` it shows these.
    """
    from helpers.base.files import write_whole
    from helpers.handin.authors import read_team
    from helpers.handin.report import make_report, read_pdf

    by, paths = str(read_team()), executed_notebooks(names)
    if output.suffix != ".pdf":
        raise ExportError(f"{output} would be a PDF: name it .pdf.")
    pdf = make_report(paths, by=by, compact=compact)
    write_whole(output, pdf)
    click.echo(f"{output}: {read_pdf(pdf)[0]} pages")


@main.command()
@click.argument("assignment")
@flag("--draft", help="With what there is, marked as a draft.")
@quick_option
def submit(assignment: str, *, draft: bool) -> None:
    """Build and check what a course wants handed in: exports/submit/ASSIGNMENT/.

    What is missing is listed in full, and nothing is built unless --draft says so.
    hand-in.toml says who hands it in, and the group that names the archive of lines.
    """
    from helpers.handin.submit import submit as build

    submission = build(assignment, draft=draft)
    if not submission.files:
        click.echo(f"error: {assignment} cannot be handed in yet. Missing:", err=True)
        for fault in submission.missing:
            click.echo(f"  - {fault}", err=True)
        click.echo("As a draft all the same: --draft", err=True)
        sys.exit(1)
    lines = [f"missing: {fault}" for fault in submission.missing]
    lines += [f"note: {note}" for note in submission.notes]
    click.echo("\n".join([*lines, *map(str, submission.files)]))


@main.command()
@click.argument("model")
@click.argument("images", type=FILE)
@click.option(
    "-o", "--output", type=FILE, help="The file to write; without it, print classes."
)
@flag("--names", help="Write class names, not class indices.")
@quick_option
def predict(model: str, images: Path, output: Path | None, *, names: bool) -> None:
    """Label images with a saved model: print the three likeliest classes of each.

    MODEL is a model.pt, or the notebook that saved it; IMAGES an image or a folder of
    them. The file has the header id,label and rows such as "0001, 2", by image name.
    An image that cannot be read is reported, the others are labelled; exit with 1.
    """
    from helpers.viewer.predict import predict_images, training_of

    found = predict_images(model, images, besides=output)
    click.echo(f"note: {training_of(found.path, found.saved)}", err=True)
    for fault in found.faults:
        _echo_error(fault)
    if output and found.files:
        found.write(output, names=names)
        click.echo(f"{output}: {len(found.files)} images")
    elif found.files:
        click.echo("\n".join(found.likeliest()))
    sys.exit(bool(found.faults))


@main.command()
@click.argument("model")
@click.argument("image", type=FILE, required=False)
@click.option(
    "--kind",
    required=True,
    type=click.Choice(("activations", "filters", "heatmap", "saliency")),
    help="What to draw.",
)
@click.option("--layer", help="Without it, all convolutions, first to last.")
@click.option(
    "--target",
    metavar="CLASS_OR_HEAD",
    help="What is explained (a class, a head, head=class); else the prediction.",
)
@output_option
@quick_option
def visualize(model: str, kind: str, output: Path, **options: Any) -> None:
    """Draw what a saved network sees, as .png, .pdf or .svg.

    MODEL is a model.pt, or the notebook that saved it; IMAGE is its input, blank where
    there is none. Kinds: the maps of its layers, what its filters respond to, where it
    finds a class, which pixels matter for it.
    """
    from helpers.viewer.pictures import write_picture

    for note in write_picture(model, kind, output, **options):
        click.echo(f"note: {note}")
    click.echo(output)


@main.group(invoke_without_command=True)
@quick_option
@flag("--write", help="Write RESULTS.md, README's table and exports/index.html.")
def results(*, write: bool) -> None:
    """Show what the runs have reached, or else those kept in exports/reference."""
    if invoked := click.get_current_context().invoked_subcommand:
        if is_quick() or write:
            raise click.UsageError(f"results {invoked} takes no option of results.")
        return
    from helpers.handin import results as found
    from helpers.handin.gallery import write_gallery
    from helpers.handin.reference import collect_reference

    if write:
        found.write_tables()
        click.echo(f"written: README.md, RESULTS.md, {write_gallery(kept=True)}")
        return
    records = load_records(exports_dir())
    if not (records or is_quick()) and (records := collect_reference()):
        note = "note: no full run is here; kept in exports/reference are:"
        click.echo(note, err=True)
    if not records:
        raise _no_run()
    click.echo(found.results_text(records))


@results.command("pack")
@click.argument("file", type=FILE)
@flag("--models", help="With the networks, too.")
def results_pack(file: Path, *, models: bool) -> None:
    """Pack all finished full runs into FILE, a .tar.gz archive for another machine."""
    from helpers.handin.pack import pack_results

    click.echo(f"{file}: {', '.join(pack_results(file, models=models))}")


@results.command("unpack")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def results_unpack(file: Path) -> None:
    """Put the runs that FILE holds in place, except for better ones that are there."""
    from helpers.handin.pack import unpack_results

    click.echo("\n".join(map(str, unpack_results(file))))


@results.command("save")
@any_names
def results_save(names: Sequence[str]) -> None:
    """Keep real runs (all, or NAMES) in exports/reference, if they are evidence.

    The tables of results: results --write.
    """
    from helpers.handin.reference import save_reference

    named = [n.name for name in names for n in resolve(name)]
    if not (runs := named or load_records(exports_dir())):
        raise _no_run()
    _each(runs, save_reference)


@main.command()
@quick_option
def gallery() -> None:
    """Make a web page of all notebooks and their runs: exports/index.html."""
    from helpers.handin.gallery import write_gallery

    click.echo(write_gallery())
