"""Why a notebook failed, in one sentence, and what is left of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.base.files import write_atomic
from helpers.base.record import Status

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from papermill.exceptions import PapermillExecutionError

ANSI = re.compile(r"\x1b\[[0-9;]*m")
PAPERMILL_TAGS = {"injected-parameters", "papermill-error-cell-tag"}


@dataclass(frozen=True)
class Failure:
    """How a notebook failed.

    Attributes:
        status: what its record says.
        reason: why, in one line.
        hint: what the user can do about it.
        traceback: the kernel's, in plain text, where a cell raised.
    """

    status: Status
    reason: str
    hint: str
    traceback: str = ""


def raised(error: PapermillExecutionError, output: Path) -> Failure:
    """The failure of a notebook in which a cell raised; ``output`` is what papermill
    wrote.
    """
    import nbformat  # the command line starts without it  # noqa: PLC0415

    notebook: NotebookNode = nbformat.read(output, as_version=4)  # type: ignore[no-untyped-call]
    cells = _own_cells(notebook.cells)
    number = next(
        i for i, cell in enumerate(cells, start=1) if cell.metadata.papermill.exception
    )
    message = str(error.evalue).strip()
    first_line = message.partition("\n")[0]
    if error.ename == "ModuleNotFoundError":
        hint = "install what is missing: pip install -r requirements.txt"
    elif "out of memory" in message.lower():
        hint = "take a smaller batch, such as -p batch_size=16"
    else:
        hint = "the full traceback is in that notebook and in run.log beside it"
    return Failure(
        "failed",
        f"cell {number} (In [{error.exec_count}]) raised {error.ename}: {first_line}",
        hint,
        ANSI.sub("", "\n".join(error.traceback)),
    )


def broken_off(status: Status, reason: str, hint: str, output: Path) -> Failure:
    """The failure of a notebook whose kernel ended within a cell.

    Papermill marks all cells of the partial notebook ``output`` as completed; this
    corrects them, and says in the cell itself what happened.
    """
    import nbformat  # noqa: PLC0415

    notebook: NotebookNode = nbformat.read(output, as_version=4)  # type: ignore[no-untyped-call]
    last = max(
        i
        for i, cell in enumerate(notebook.cells)
        if cell.metadata.papermill.start_time is not None
    )
    for cell in notebook.cells[last + 1 :]:
        cell.metadata.papermill.status = "pending"
    cell = notebook.cells[last]
    cell.metadata.papermill.update(status="failed", exception=True)
    message = {"ename": status, "evalue": reason, "traceback": [f"{status}: {reason}"]}
    cell.outputs.append(nbformat.v4.new_output("error", **message))  # type: ignore[no-untyped-call]
    notebook.metadata.papermill.exception = True
    with write_atomic(output) as temporary:
        nbformat.write(notebook, temporary)  # type: ignore[no-untyped-call]
    return Failure(
        status, f"{reason} in cell {len(_own_cells(notebook.cells[: last + 1]))}", hint
    )


def _own_cells(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells as the reader of the source counts them, without those that papermill
    added.
    """
    return [
        cell
        for cell in cells
        if not PAPERMILL_TAGS & set(cell.metadata.get("tags", []))
    ]
