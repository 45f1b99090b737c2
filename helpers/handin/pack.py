"""Finished runs in one archive, from the machine that made them to another."""

import tarfile
from pathlib import Path

from helpers.base.declared import find_notebooks
from helpers.base.errors import ExportError
from helpers.base.files import exports_dir, write_atomic, writing
from helpers.base.record import RunRecord
from helpers.base.runs import command, load_records, place

_PARTS = ".json .ipynb .html .pdf .png .csv .txt .log .pt .tex .sty .bib"
PARTS = frozenset(_PARTS.split())


def pack_results(path: Path, *, models: bool = False) -> list[str]:
    """Writes all finished full runs to a compressed tar archive, which keeps their
    times, with networks if ``models``; returns their names.
    """
    root = exports_dir()
    if not (names := list(load_records(root))):
        raise ExportError(f"There is no finished run to pack: {command('run')}")
    parts = PARTS if models else PARTS - {".pt"}
    with (
        write_atomic(path) as temporary,
        tarfile.open(temporary, "w:gz", dereference=True) as archive,
    ):
        for name in names:
            for file in sorted((root / name).rglob("*")):
                if file.suffix in parts:
                    archive.add(file, file.relative_to(root))
    return names


def unpack_results(path: Path) -> list[Path]:
    """Puts all runs of an archive in place, as ``place`` does; returns their folders.

    Raises:
        HelpersError: it is damaged or too large, or holds anything but complete runs of
            notebooks that are known here; or the disk is full.
    """
    from helpers.data.staging import unpacked  # takes seconds

    root = exports_dir()
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        with unpacked(path, beside=root / path.name) as folder:
            return [place(folder / name, root, name) for name in _check(folder)]


def _check(folder: Path) -> list[str]:
    known = {notebook.name for notebook in find_notebooks()}
    names = set()
    for file in filter(Path.is_file, folder.rglob("*")):
        names.add(name := "/".join(file.relative_to(folder).parts[:2]))
        if name not in known or file.suffix not in PARTS:
            raise ExportError(f"{file} is no part of a run of a notebook here.")
    if not names:
        raise ExportError(f"{folder} holds no run.")
    for name in names:
        record = RunRecord.load(path := folder / name / "metrics.json")
        if (record.notebook, record.status) != (name, "complete"):
            raise ExportError(f"{path} is not of a complete run of {name}.")
    return sorted(names)
