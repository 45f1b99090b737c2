"""What a notebook declares without being run: its title, its parameters, what it needs
and what stands for it.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.base.errors import ConfigError, NotebookError
from helpers.base.files import notebooks_dir
from helpers.base.parameters import Parameter, is_parameter_type

# The last word of a parameter that says only how much is done; so does `size`, that of
# the images.
AMOUNTS = ("epochs", "seeds", "limit", "repeats", "rounds")


@dataclass(frozen=True)
class Showcase:
    """What stands for a notebook in the gallery.

    Attributes:
        figure: the name of one of its figures.
        headline: model and metric of one of its results; None where its first
            requirement says more.
    """

    figure: str
    headline: tuple[str, str] | None = None


@dataclass(frozen=True)
class DeclaredNotebook:
    """A notebook of the project as its file declares it.

    Attributes:
        name: assignment and notebook, ``caltech101/01_lenet5``.
        path: the ``.ipynb`` file.
        title: its first heading; empty if it has none.
        parameters: by name, in the order of the cell tagged ``parameters``.
        needs: the names of the notebooks whose models it loads.
        gallery: what stands for it in the gallery; None if it does not say.
        fault: why nothing else is known of it; empty if the file can be read.
    """

    name: str
    path: Path
    title: str
    parameters: dict[str, Parameter]
    needs: tuple[str, ...]
    gallery: Showcase | None = None
    fault: str = ""

    def parse(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values for parameters (text or typed), converted to the declared types.

        Raises:
            ConfigError: a parameter is unknown or its value does not fit.
            NotebookError: the notebook has a fault.
        """
        for name in values:
            if self.fault:
                raise NotebookError(self.fault)
            if name not in self.parameters:
                known = [f"{p.name} ({p.type})" for p in self.parameters.values()]
                raise ConfigError(
                    f"Notebook {self.name} has no parameter {name}. Its parameters: "
                    f"{', '.join(known) or 'none'}."
                )
        return {
            name: self.parameters[name].parse(value) for name, value in values.items()
        }

    def reductions(self, values: Mapping[str, Any]) -> list[str]:
        """The parameters that make the experiment smaller than by default: fewer
        epochs, seeds, images or pixels.

        Args:
            values: typed values of parameters.
        """
        return [
            name
            for name, parameter in self.parameters.items()
            if (name == "size" or name.rpartition("_")[2] in AMOUNTS)
            and values.get(name) is not None  # None is no limit
            and (parameter.default is None or values[name] < parameter.default)
        ]


def find_notebooks(folder: Path | None = None) -> list[DeclaredNotebook]:
    """Every notebook of the project in reading order, with its fault if it has one.

    Args:
        folder: holds one folder per assignment; None takes the project's own.
    """
    folder = folder or notebooks_dir()
    return [_read_or_blame(path) for path in sorted(folder.glob("[!.]*/[!.]*.ipynb"))]


def _read_or_blame(path: Path) -> DeclaredNotebook:
    try:
        return read_notebook(path)
    except NotebookError as error:
        return DeclaredNotebook(_name(path), path, "", {}, (), fault=str(error))


def _name(path: Path) -> str:
    return f"{path.resolve().parent.name}/{path.stem}"


def resolve(name: str, folder: Path | None = None) -> list[DeclaredNotebook]:
    """The notebooks that a user means.

    Args:
        name: an assignment (``caltech101``), a notebook (``caltech101/01_lenet5``, or
            ``01_lenet5`` where only one assignment has it), or a notebook's path below
            the repository.
        folder: as for ``find_notebooks``.

    Raises:
        NotebookError: nothing, or more than one notebook, has this name.
    """
    notebooks = find_notebooks(folder)
    wanted = name.removeprefix("notebooks/").removesuffix(".ipynb").rstrip("/")
    found = [n for n in notebooks if wanted in (n.name, *n.name.split("/"))]
    if not found:
        known = ", ".join(n.name for n in notebooks) or "none"
        names = [n.name for n in notebooks]
        names += [part for full in names for part in full.split("/")]
        close = difflib.get_close_matches(wanted, names, 1)
        meant = f" Did you mean {close[0]}?" if close else ""
        raise NotebookError(
            f"There is no notebook or assignment {name!r}.{meant} Known notebooks: "
            f"{known}."
        )
    if len({n.name.partition("/")[0] for n in found}) > 1:
        raise NotebookError(
            f"{name} could be any of {', '.join(n.name for n in found)}: give the "
            "assignment too."
        )
    return found


def with_needs(
    names: Iterable[str], notebooks: Iterable[DeclaredNotebook]
) -> list[str]:
    """Notebooks with all that they need, and these in turn, in order of name.

    Args:
        names: of notebooks; one that is not declared needs nothing.
        notebooks: all that are declared.
    """
    needs = {notebook.name: notebook.needs for notebook in notebooks}
    found = set(names)
    while more := {need for name in found for need in needs.get(name, ())} - found:
        found |= more
    return sorted(found)


def read_checked_in(path: Path) -> DeclaredNotebook:
    """What a notebook declares as it is checked in: the experiment that counts.

    Whoever edits the cell of parameters runs another one. Without git, the file counts.
    """
    command = ["git", "-C", str(path.parent), "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
        return read_notebook(path, done.stdout)
    except (OSError, subprocess.CalledProcessError, NotebookError):
        return read_notebook(path)


def read_notebook(path: Path, content: bytes | None = None) -> DeclaredNotebook:
    """Reads what a notebook declares.

    Args:
        path: the ``.ipynb`` file.
        content: what it holds; None reads it.

    Raises:
        NotebookError: the file is no notebook, or its parameters, its needs or what
            stands for it in the gallery are not declared as they should be.
    """
    try:
        notebook = json.loads(path.read_bytes() if content is None else content)
        cells = [
            # The format allows a list of lines as well as one string.
            (cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags"))
            for cell in notebook["cells"]
        ]
        needs = notebook["metadata"].get("needs", [])
        gallery = notebook["metadata"].get("gallery")
    except OSError as error:
        raise NotebookError(
            f"{path} cannot be read ({error.strerror}). Expected a notebook."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookError(
            f"{path} is not a notebook of format 4 ({error!r}). Save it again in "
            "JupyterLab."
        ) from error
    if not isinstance(needs, list) or not all(
        isinstance(need, str) and need.count("/") == 1 for need in needs
    ):
        raise NotebookError(
            f'{path}: "needs" is {needs!r}. Expected a list of names such as '
            '"caltech101/01_lenet5".'
        )
    text = "\n".join(source for kind, source, _ in cells if kind == "markdown")
    title = re.search(r"^# (.*)", text, re.MULTILINE)
    tagged = [
        source
        for kind, source, tags in cells
        if kind == "code" and "parameters" in (tags or ())
    ]
    if len(tagged) > 1:
        raise NotebookError(
            f"{path} has {len(tagged)} cells tagged `parameters`. Expected one."
        )
    name = _name(path)
    return DeclaredNotebook(
        name=name,
        path=path,
        title=title[1].strip() if title else "",
        parameters=_parameters("".join(tagged), name),
        needs=tuple(needs),
        gallery=None if gallery is None else _showcase(gallery, path),
    )


def _showcase(declared: Any, path: Path) -> Showcase:
    match declared:
        case {"figure": str(figure), **rest} if figure and rest.keys() <= {"headline"}:
            match rest.get("headline"):
                case None:
                    return Showcase(figure)
                case [str(model), str(metric)]:
                    return Showcase(figure, (model, metric))
    raise NotebookError(
        f'{path}: "gallery" is {declared!r}. Expected the name of a figure and, if one '
        "of its results stands for the notebook, model and metric: "
        '{"figure": "lenet5_curves", "headline": ["lenet5", "valid_accuracy"]}.'
    )


def _parameters(source: str, notebook: str) -> dict[str, Parameter]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise NotebookError(
            f"The parameters of {notebook} are not Python: {error.msg}, line "
            f"{error.lineno}."
        ) from error
    lines = source.split("\n")
    found = {}
    for statement in statements:
        last = lines[(statement.end_lineno or 0) - 1].encode()
        behind = last[statement.end_col_offset :].decode()
        parameter = _parameter(statement, behind.partition("#")[2].strip())
        if not parameter:
            raise NotebookError(
                f"The parameters of {notebook} hold `{ast.unparse(statement)}`. "
                "Expected annotated literals of type int, float, bool or str, or a "
                'list[…] of them, or "Optional[…]", such as `epochs: int = 60  # all`.'
            )
        found[parameter.name] = parameter
    return found


def _parameter(statement: ast.stmt, comment: str) -> Parameter | None:
    """What a statement declares; None if that is no parameter of a known type."""
    match statement:
        case ast.AnnAssign(
            target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value
        ):
            kind = ast.unparse(annotation).strip("'")
            # papermill does not know `int | None`.
            kind = re.sub(r"^Optional\[(.*)\]$", r"\1 | None", kind)
            with suppress(ValueError):  # no literal, or of another type
                parameter = Parameter(name, kind, ast.literal_eval(value), comment)
                # A default in quotes must not pass for a number: only the command line
                # speaks in text.
                if is_parameter_type(kind) and (
                    parameter.parse(parameter.default) == parameter.default
                ):
                    return parameter
    return None
