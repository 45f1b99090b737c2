"""What a notebook declares without being run: its title, its parameters, what it needs
and what stands for it.
"""

from __future__ import annotations

import ast
import io
import json
import subprocess
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.base.errors import ConfigError, NotebookError
from helpers.base.files import notebooks_dir
from helpers.base.parameters import Parameter, is_parameter_type, parse_value

__all__ = [
    "DeclaredNotebook",
    "Parameter",
    "Showcase",
    "find_notebooks",
    "parse_value",
    "read_checked_in",
    "read_notebook",
    "resolve",
    "with_needs",
]


# The last word of a parameter that says how much is done, and nothing else; so does
# `size`, the images' own.
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
    """

    name: str
    path: Path
    title: str
    parameters: dict[str, Parameter]
    needs: tuple[str, ...]
    gallery: Showcase | None = None

    def parse(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values for parameters (text or typed), converted to the declared types.

        Raises:
            ConfigError: a parameter is unknown or its value does not fit.
        """
        for name in values:
            if name not in self.parameters:
                known = (
                    ", ".join(f"{p.name} ({p.type})" for p in self.parameters.values())
                    or "none"
                )
                raise ConfigError(
                    f"Notebook {self.name} has no parameter {name}. Its parameters: "
                    f"{known}."
                )
        return {
            name: parse_value(self.parameters[name], value)
            for name, value in values.items()
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
            if name in values and _is_less(parameter, values)
        ]


def find_notebooks(folder: Path | None = None) -> list[DeclaredNotebook]:
    """Every notebook of the project in reading order.

    Args:
        folder: holds one folder per assignment; None takes the project's own.
    """
    folder = folder or notebooks_dir()
    return [read_notebook(path) for path in sorted(folder.glob("[!.]*/[!.]*.ipynb"))]


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
    found = [n for n in notebooks if wanted in (n.name, n.name.partition("/")[0])]
    if found:
        return found
    found = [n for n in notebooks if n.name.partition("/")[2] == wanted]
    if len(found) > 1:
        raise NotebookError(
            f"{name} could be any of {', '.join(n.name for n in found)}: give the "
            "assignment too."
        )
    if not found:
        known = ", ".join(n.name for n in notebooks) or "none"
        raise NotebookError(
            f"There is no notebook or assignment {name!r}. Known notebooks: {known}."
        )
    return found


def with_needs(
    names: Iterable[str], notebooks: Iterable[DeclaredNotebook]
) -> list[str]:
    """Notebooks and those that they need, and what these need in turn, in order of
    name.

    Args:
        names: of notebooks; one that is not declared needs nothing.
        notebooks: all that are declared.
    """
    needs = {notebook.name: notebook.needs for notebook in notebooks}
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs.get(name, ())
    return sorted(found)


def read_notebook(path: Path) -> DeclaredNotebook:
    """Reads what a notebook declares.

    Raises:
        NotebookError: the file is no notebook, or its parameters, its needs or what
            stands for it in the gallery are not declared as they should be.
    """
    try:
        return _declare(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotebookError(
            f"{path} cannot be read ({error.strerror}). Expected a notebook."
        ) from error


def read_checked_in(path: Path) -> DeclaredNotebook:
    """What a notebook declares as it is checked in: the experiment that counts.

    Whoever edits the cell of parameters runs another one. Without git, the file counts.
    """
    command = ["git", "-C", str(path.parent), "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
        return _declare(path, done.stdout.decode())
    except (OSError, subprocess.CalledProcessError, NotebookError):
        return read_notebook(path)


def _declare(path: Path, text: str) -> DeclaredNotebook:
    name = f"{path.resolve().parent.name}/{path.stem}"
    try:
        content = json.loads(text)
        cells = [
            (cell["cell_type"], _text(cell), cell["metadata"].get("tags", []))
            for cell in content["cells"]
        ]
        needs, gallery = (
            content["metadata"].get("needs", []),
            content["metadata"].get("gallery"),
        )
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

    tagged = [
        source
        for kind, source, tags in cells
        if kind == "code" and "parameters" in tags
    ]
    if len(tagged) > 1:
        raise NotebookError(
            f"{path} has {len(tagged)} cells tagged `parameters`. Expected one."
        )
    headings = [
        line
        for kind, source, _ in cells
        if kind == "markdown"
        for line in source.splitlines()
    ]
    return DeclaredNotebook(
        name=name,
        path=path,
        title=next(
            (
                line.removeprefix("# ").strip()
                for line in headings
                if line.startswith("# ")
            ),
            "",
        ),
        parameters=_parameters(tagged[0], name) if tagged else {},
        needs=tuple(needs),
        gallery=None if gallery is None else _showcase(gallery, path),
    )


def _is_less(parameter: Parameter, values: Mapping[str, Any]) -> bool:
    value, default = values[parameter.name], parameter.default
    if value is None or (
        parameter.name != "size" and parameter.name.rpartition("_")[2] not in AMOUNTS
    ):
        return False
    return default is None or bool(value < default)  # None is no limit


def _text(cell: Mapping[str, Any]) -> str:
    # The format allows a list of lines as well as one string.
    return "".join(cell["source"])


def _showcase(declared: Any, path: Path) -> Showcase:
    match declared:
        case {"figure": str(figure), **rest} if figure and not rest:
            return Showcase(figure)
        case {"figure": str(figure), "headline": [str(model), str(metric)], **rest} if (
            figure and not rest
        ):
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
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }
    parameters = [_parameter(statement, comments, notebook) for statement in statements]
    return {parameter.name: parameter for parameter in parameters}


def _parameter(
    statement: ast.stmt, comments: Mapping[int, str], notebook: str
) -> Parameter:
    match statement:
        case ast.AnnAssign(
            target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value
        ):
            kind = ast.unparse(annotation)
        case _:
            raise _undeclared(statement, notebook)
    try:
        default = ast.literal_eval(value)
    except ValueError:
        raise _undeclared(statement, notebook) from None
    if not is_parameter_type(kind):
        raise _undeclared(statement, notebook)
    parameter = Parameter(
        name, kind, default, comments.get(statement.end_lineno or 0, "")
    )
    try:
        typed = parse_value(parameter, default)
    except ConfigError:
        raise _undeclared(statement, notebook) from None
    # A default in quotes must not pass for a number: only the command line speaks in
    # text.
    if typed != default:
        raise _undeclared(statement, notebook)
    return parameter


def _undeclared(statement: ast.stmt, notebook: str) -> NotebookError:
    return NotebookError(
        f"The parameters of {notebook} hold `{ast.unparse(statement)}`. Expected "
        "annotated literals of type int, "
        "float, bool or str, or a list[…] of them, or … | None, such as `epochs: int = "
        "60  # passes`."
    )
