"""A notebook's paper: its source in ``paper/``, and ``paper.pdf`` once it is sound.

No code, progress or widgets go into it.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nbformat import NotebookNode

from helpers.base.errors import ExportError, explained
from helpers.base.files import write_whole
from helpers.base.schema import SIZE, TEXT, fields, many, require
from helpers.export.latex import faults_of, set_with_latex
from helpers.export.marks import LEFT_OUT, is_left_out, labelled_text, marks_for_latex
from helpers.export.pages import outputs_of, read_notebook, source_folders
from helpers.export.pandoc import PAPER_MARKDOWN, TEMPLATES, find_bibliography, pandoc

SCHEMA = fields({}, {"bibliography": TEXT, "pages": {**many(SIZE, 2), "maxItems": 2}})
TITLE = re.compile(r"^# +(.+?) *#*$", re.MULTILINE)


def write_paper(path: Path, authors: Sequence[Mapping[str, str]] = ()) -> Path:
    """Writes ``paper.pdf`` beside an executed notebook, and its source to ``paper/``.

    Authors have a ``name`` and, as far as there are, ``number``, ``affiliation`` and
    ``email``; a paper without any is a draft.

    Raises:
        ExportError: the notebook makes no paper, or one with faults: only then what was
            set is ``paper/draft.pdf``, and an earlier ``paper.pdf`` is gone.
    """
    target, folder = path.with_name("paper.pdf"), path.with_name("paper")
    draft = folder / "draft.pdf"
    notebook = read_notebook(path)
    with TemporaryDirectory(prefix="paper-") as name:
        work = Path(name)
        make_source(notebook, path.parent, work, authors)
        for file in filter(Path.is_file, work.rglob("*")):
            write_whole(folder / file.relative_to(work), file.read_bytes())
        pdf, log = set_with_latex(work)
    faults = faults_of(log, notebook.metadata["paper"].get("pages"))
    if not authors:
        faults.append("it names nobody: write hand-in.toml, as README shows")
    (target if faults else draft).unlink(missing_ok=True)
    if faults:
        write_whole(draft, pdf)
        raise ExportError(
            f"The paper is not as it should be: {'; '.join(faults)}. See {draft}."
        )
    write_whole(target, pdf)
    return target


def make_source(
    notebook: NotebookNode,
    folder: Path,
    work: Path,
    authors: Sequence[Mapping[str, str]],
) -> None:
    """Writes ``paper.tex`` of an executed notebook, and what it includes, to ``work``.

    NeurIPS's own style is used if it lies in ``folder``, beside the notebook.

    Raises:
        ExportError: names what has no place in a paper, or is not there.
    """
    text, about = read_manuscript(notebook)
    bibliography = find_bibliography(notebook, folder)
    if (named := about.pop("bibliography", "")) and not bibliography:
        raise ExportError(
            f"The bibliography {named} is not in {folder.resolve()}: put the BibTeX "
            "file there, beside the notebook."
        )
    folders = source_folders(notebook, folder)
    theirs = sorted(file for place in folders for file in place.glob("neurips_*.sty"))
    templates = TEMPLATES / "paper"
    style = theirs[-1] if theirs else templates / "paper.sty"
    about["authors"] = authors
    pandoc(
        f"--from={PAPER_MARKDOWN}",
        "--to=latex",
        "--wrap=none",
        "--natbib",
        "--shift-heading-level-by=-1",
        "--fail-if-warnings",
        f"--template={templates / 'paper.tex'}",
        f"--lua-filter={templates / 'paper.lua'}",
        f"--resource-path={os.pathsep.join(str(place.resolve()) for place in folders)}",
        "--extract-media=.",
        f"--variable=style={style.stem}",
        *(["--variable=neurips"] if theirs else []),
        "--output=paper.tex",
        text=f"---\n{json.dumps(about, ensure_ascii=False)}\n---\n\n{text}",
        folder=work,
    )
    shutil.copy(style, work)
    cites = "\\bibliography{" in (work / "paper.tex").read_text(encoding="utf-8")
    if bibliography and cites:
        shutil.copy(bibliography, work / "references.bib")


def read_manuscript(notebook: NotebookNode) -> tuple[str, dict[str, Any]]:
    """Gathers the text of the paper of an executed notebook.

    Cells tagged ``not-in-paper`` are left out, one tagged ``abstract`` is the abstract.

    Returns:
        The text, in Markdown, its pictures being files beside the notebook; and the
        notebook's entry ``paper``, with ``title`` and ``abstract``.
    """
    paper = notebook.metadata.get("paper")
    need = (
        'Its metadata need an entry "paper": {"bibliography": "….bib", "pages": [6, 8]}'
    )
    with explained(ExportError, need, "Authors stand in hand-in.toml."):
        require(paper, SCHEMA)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for number, cell in enumerate(notebook.cells, start=1):
        if is_left_out(cell):
            continue
        text = texts["abstract" in cell.metadata.get("tags", [])]
        if cell.cell_type == "markdown":
            text.append(cell.source)
        for output in outputs_of(cell, number):
            text += _shown(output, number)
    sources = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = TITLE.search("\n".join(sources))
    abstract = re.sub(r"^#+ .*\n", "", "\n\n".join(texts[True])).strip()
    if not title:
        raise ExportError("The paper has no title: begin the notebook with `# Title`.")
    if not abstract:
        raise ExportError("The paper has no abstract: tag its cell `abstract`.")
    about = {"title": title[1], "abstract": marks_for_latex(abstract)}
    return marks_for_latex("\n\n".join(texts[False])), paper | about


def _shown(output: NotebookNode, number: int) -> Iterator[str]:
    match output.data:
        case {"application/vnd.jupyter.widget-view+json": _}:
            return
        case {"text/markdown": _}:
            if "caption_of" not in output.metadata.get("text/markdown", {}):
                yield labelled_text(output)
        case {"image/png": _}:
            about = output.metadata.get("image/png", {})
            if not about.get("caption"):
                raise ExportError(
                    f"A picture of cell {number} has no caption: run.figure(…, "
                    "caption=…)."
                )
            name, caption = about["figure"], " ".join(about["caption"].split())
            alt = json.dumps(about["alt"], ensure_ascii=False)
            yield f"![{caption}](figures/{name}.pdf){{#fig:{name} alt={alt}}}"
        case _:
            text = " ".join(output.data.get("text/plain", "").split())
            raise ExportError(
                f"Cell {number} shows plain text or HTML, which is no part of a paper "
                f"({text[:60]}): use run.say or run.table, or tag the cell "
                f"`{LEFT_OUT}`."
            )
