"""From an executed notebook to what is handed in: ``notebook.html`` and ``notebook.pdf``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.base.errors import ExportError
from helpers.base.files import write_atomic

if TYPE_CHECKING:
    from nbformat import NotebookNode

FORMATS = ("html", "pdf")


def export_notebook(path: Path, formats: Sequence[str] = FORMATS, folder: Path | None = None) -> list[Path]:
    """Writes a notebook, with whatever outputs it has, as HTML and PDF.

    Args:
        path: The ``.ipynb`` file.
        formats: Any of ``"html"`` and ``"pdf"``.
        folder: Where the files go, named like the notebook; beside the notebook if None.

    Returns:
        The files written, in the order of ``formats``.

    Raises:
        ExportError: an unknown format; a file that is missing, or that is no notebook; an image that
            is missing or broken. Files of an earlier export are then still whole.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ExportError(f"Unknown export format {unknown[0]!r}. Known formats: {', '.join(FORMATS)}.")
    notebook = _read(path)
    resources = {"metadata": {"name": path.stem, "path": str(path.resolve().parent)}}
    # Everything is converted before anything is written.
    contents = [_convert(notebook, name, resources) for name in formats]
    targets = [(folder or path.parent) / f"{path.stem}.{name}" for name in formats]
    for target, content in zip(targets, contents, strict=True):
        with write_atomic(target) as temporary:
            temporary.write_bytes(content)
    return targets


def _read(path: Path) -> NotebookNode:
    import nbformat  # noqa: PLC0415 - the command line starts without it

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except FileNotFoundError as error:
        raise ExportError(f"There is no notebook {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read as a notebook: {error}") from error
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, AttributeError, KeyError) as error:
        raise ExportError(f"{path} is not a Jupyter notebook: {error}") from error
    return notebook


def _convert(notebook: NotebookNode, name: str, resources: dict[str, Any]) -> bytes:
    if name == "pdf":
        from helpers.publish.typst import TypstPDFExporter as Exporter  # noqa: PLC0415 - slow to import
    else:
        from helpers.publish.html import OfflineHTMLExporter as Exporter  # noqa: PLC0415
    content, _ = Exporter().from_notebook_node(notebook, resources)
    return content if isinstance(content, bytes) else content.encode("utf-8")
