"""From an executed notebook to its pages: ``notebook.html`` and ``notebook.pdf``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.base.errors import ExportError, explained
from helpers.base.files import notebooks_dir, write_whole

if TYPE_CHECKING:
    from nbformat import NotebookNode


def export_notebook(path: Path) -> list[Path]:
    """Writes a notebook, with whatever outputs it has, as page and PDF beside it.

    Raises:
        ExportError: no notebook, an image that is missing or broken, or a folder that
            cannot be written to.
    """
    notebook = read_notebook(path)
    from helpers.export.html import notebook_to_html
    from helpers.export.typst import html_to_pdf

    html = notebook_to_html(notebook, path)
    made = {".html": html.encode(), ".pdf": html_to_pdf(html)}
    for suffix, content in made.items():
        write_whole(path.with_suffix(suffix), content)
    return [path.with_suffix(suffix) for suffix in made]


def read_notebook(path: Path) -> NotebookNode:
    """Reads a notebook and checks its form."""
    import nbformat

    if not path.is_file():
        raise ExportError(f"There is no notebook {path}.")
    advice = "Save it in JupyterLab again."
    with explained(ExportError, f"{path} is not a Jupyter notebook", advice):
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        # A half of a surrogate pair can be written in JSON, and in no page.
        text = json.dumps(content, ensure_ascii=False).encode(errors="replace")
        read = nbformat.reader.reads(text.decode())
        notebook: NotebookNode = nbformat.convert(read, 4)
        # What a later version knows, such as ids of cells, does no harm in an older.
        nbformat.validate(notebook, relax_add_props=True)
    return notebook


def outputs_of(cell: NotebookNode, number: int) -> list[NotebookNode]:
    """What a cell shows, besides what it prints and its progress; it must not fail."""
    shown = []
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            raise ExportError(
                f"Cell {number} failed ({output.ename}): run the notebook again."
            )
        if output.output_type != "stream" and "progress" not in output.metadata:
            shown.append(output)
    return shown


def source_folders(notebook: NotebookNode, folder: Path) -> list[Path]:
    """Where relative paths of a notebook in ``folder`` start: there, beside what
    papermill ran or, of a run that was moved or a kept page, beside our notebook.
    """
    source = notebook.metadata.get("papermill", {}).get("input_path", folder / "-")
    ours = (notebooks_dir() / one.name for one in (folder.parent, folder))
    return [folder, Path(source).parent, *ours]
