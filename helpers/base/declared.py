"""What a notebook declares without being run: its title, its parameters, what it needs
and what stands for it.
"""

import ast
import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from helpers.base.environment import git
from helpers.base.errors import ConfigError, NotebookError, explained
from helpers.base.files import notebooks_dir
from helpers.base.parameters import Parameter, parse_value
from helpers.base.schema import TEXT, fields, many, require

# The last word of a parameter that says only how much is done; so does `size`, that of
# the images.
AMOUNTS = ("epochs", "seeds", "limit", "repeats")
_SOURCE = {"type": ["string", "array"], "items": TEXT}  # as one or by lines
_TAGGED = fields({}, {"tags": many(TEXT)}, more=True)
_CELL = fields({"cell_type": TEXT, "source": _SOURCE, "metadata": _TAGGED}, more=True)
_HEADLINE = {**many(TEXT, 2), "maxItems": 2}
_ABOUT = {
    "needs": many({**TEXT, "pattern": "^[^/]*/[^/]*$"}),
    "gallery": fields({"figure": {**TEXT, "minLength": 1}}, {"headline": _HEADLINE}),
}
SCHEMA = fields(
    {"cells": many(_CELL), "metadata": fields({}, _ABOUT, more=True)}, more=True
)


@dataclass(frozen=True)
class DeclaredNotebook:
    """A notebook of the project as its file declares it.

    Attributes:
        name: assignment and notebook, ``caltech101/01_lenet5``.
        title: its first heading; may be empty.
        parameters: by name, in the order of the cell tagged ``parameters``.
        needs: the names of the notebooks whose models it loads.
        figure: the name of the one that stands for it in the gallery; may be empty.
        headline: model and metric of the result that does; empty where its first
            finding says more.
        fault: why nothing else is known of it; empty if the file can be read.
    """

    name: str
    path: Path
    title: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    figure: str = ""
    headline: Sequence[str] = ()
    fault: str = ""

    def parse(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values for parameters (text or typed), converted to the declared types.

        Raises:
            ConfigError: a parameter is unknown or its value does not fit.
            NotebookError: the notebook has a fault.
        """
        parsed = {}
        for name, value in values.items():
            if self.fault:
                raise NotebookError(self.fault)
            if name not in self.parameters:
                known = [f"{p.name} ({p.type})" for p in self.parameters.values()]
                raise ConfigError(
                    f"Notebook {self.name} has no parameter {name}. Its parameters: "
                    f"{', '.join(known) or 'none'}."
                )
            parsed[name] = typed = parse_value(self.parameters[name], value)
            counts = name.rpartition("_")[2] in (*AMOUNTS, "size")
            if counts and isinstance(typed, int | float) and typed < 1:
                raise ConfigError(f"{name} is {typed}: expected at least 1.")
        return parsed

    def reductions(self, values: Mapping[str, Any]) -> list[str]:
        """The parameters that make the experiment smaller than by default: fewer
        epochs, seeds, images or pixels.
        """
        return [
            name
            for name, parameter in self.parameters.items()
            if is_amount(name)
            and isinstance(values.get(name), int | float)  # None is no limit
            and (parameter.default is None or values[name] < parameter.default)
        ]


def find_notebooks() -> list[DeclaredNotebook]:
    """Every notebook of the project in reading order, with its fault if it has one."""
    found = []
    for path in sorted(notebooks_dir().glob("[!.]*/[0-9]*.ipynb")):
        if "-Copy" in path.stem:
            continue
        try:
            found.append(read_notebook(path))
        except NotebookError as error:
            found.append(DeclaredNotebook(name_of(path), path, fault=str(error)))
    return found


def is_amount(name: str) -> bool:
    """Whether an experiment is smaller where the parameter ``name`` is."""
    return name == "size" or name.rpartition("_")[2] in AMOUNTS


def name_of(path: Path) -> str:
    """The name of a file's notebook."""
    return f"{path.resolve().parent.name}/{path.stem}"


def resolve(name: str) -> list[DeclaredNotebook]:
    """The notebooks that a user means.

    Args:
        name: an assignment (``caltech101``), a notebook (``caltech101/01_lenet5``, or
            ``01_lenet5`` where only one assignment has it), the first words of one
            (``caltech101/01``), or a notebook's path below the repository.

    Raises:
        NotebookError: nothing, or more than one notebook, has this name.
    """
    notebooks = find_notebooks()
    wanted = Path(name).as_posix().removeprefix("notebooks/").removesuffix(".ipynb")
    called = {n.name: [n.name, *n.name.split("/")] for n in notebooks}
    found = [n for n in notebooks if wanted in called[n.name]] or [
        n for n in notebooks if any(p.startswith(f"{wanted}_") for p in called[n.name])
    ]
    if not found:
        known = ", ".join(called) or "none"
        close = difflib.get_close_matches(wanted, chain(*called.values()), 1)
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
    """Notebooks with all that they need, and these in turn, in order of name; one that
    is not among those declared needs nothing.
    """
    needs = {notebook.name: notebook.needs for notebook in notebooks}
    found = set(names)
    while more := {need for name in found for need in needs.get(name, ())} - found:
        found |= more
    return sorted(found)


def read_checked_in(path: Path) -> DeclaredNotebook:
    """What a notebook declares as it is checked in: the experiment that counts.

    Whoever edits the parameters cell runs another one. Without git, the file counts.
    """
    with suppress(NotebookError):
        return read_notebook(path, git(path.parent, "show", f"HEAD:./{path.name}"))
    return read_notebook(path)


def read_notebook(path: Path, content: bytes | None = None) -> DeclaredNotebook:
    """Reads what a notebook declares, from its file or from ``content`` in its place.

    Raises:
        NotebookError: the file is no notebook, or its parameters, its needs or what
            stands for it in the gallery are not declared as they should be.
    """
    advice = "Save it in JupyterLab; CONTRIBUTING.md says what its metadata may hold."
    with explained(NotebookError, f"{path} is not a notebook of this project", advice):
        notebook = json.loads(path.read_bytes() if content is None else content)
        require(notebook, SCHEMA)
    metadata, text, tagged = notebook["metadata"], "", []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            text += f"{source}\n"
        elif "parameters" in cell["metadata"].get("tags", ()):
            tagged.append(source)
    title = re.search(r"^# (.*)", text, re.MULTILINE)
    if len(tagged) > 1:
        raise NotebookError(
            f"{path} has {len(tagged)} cells tagged `parameters`. Expected one."
        )
    name = name_of(path)
    return DeclaredNotebook(
        name=name,
        path=path,
        title=title[1].strip() if title else "",
        parameters=_parameters("".join(tagged), name),
        needs=tuple(metadata.get("needs", ())),
        **metadata.get("gallery", {}),
    )


def _parameters(source: str, notebook: str) -> dict[str, Parameter]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise NotebookError(
            f"The parameters of {notebook} are not Python: {error.msg}, line "
            f"{error.lineno}."
        ) from error
    found, lines = {}, source.split("\n")
    for statement in statements:
        try:
            parameter = _parameter(statement, lines)
        except (AttributeError, TypeError, ValueError):
            raise NotebookError(
                f"The parameters of {notebook} hold `{ast.unparse(statement)}`. "
                "Expected annotated literals of type int, float, bool or str, or a "
                'list[…] of them, or "Optional[…]", such as `epochs: int = 60  # all`.'
            ) from None
        found[parameter.name] = parameter
    return found


def _parameter(statement: Any, lines: Sequence[str]) -> Parameter:
    """Of ``name: type = literal  # help``; else AttributeError or ValueError."""
    last = lines[statement.end_lineno - 1].encode()
    comment = last[statement.end_col_offset :].decode().partition("#")[2]
    # papermill does not know `int | None`.
    kind = ast.unparse(statement.annotation).strip("'")
    kind = re.sub(r"^Optional\[(.*)\]$", r"\1 | None", kind)
    default = ast.literal_eval(statement.value)
    parameter = Parameter(statement.target.id, kind, default, comment.strip())
    # A default in quotes must not pass for a number: only the command line has text.
    if parse_value(parameter, default) != default:
        raise ValueError
    return parameter
