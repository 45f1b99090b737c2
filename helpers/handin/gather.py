"""What goes into one archive: taken from the runs and looked at, faults listed."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from bs4 import BeautifulSoup

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.errors import ExportError, ModelError
from helpers.base.files import ROOT, hand_in_file, notebooks_dir
from helpers.base.record import RunRecord
from helpers.base.runs import command, load_records, other_values
from helpers.export.pages import read_notebook
from helpers.handin.authors import Team
from helpers.handin.caveats import caveats_of
from helpers.handin.courses import Part
from helpers.handin.report import make_report, read_pdf, signed
from helpers.runner.plan import read_quick_settings

PROJECT = "LICENSE pyproject.toml requirements.txt constraints.txt data/README.md"
CODE = {".py", ".j2", ".css", ".lua", ".typ", ".tex", ".sty"}


@dataclass
class Gathered:
    """What goes into an archive, but for its README and its manifest.

    Attributes:
        part: what the archive is.
        records: of its notebooks' runs.
        files: contents by path.
        missing: a sentence for each thing that is not there or not as it should be.
        notes: what whoever hands it in should know.
    """

    part: Part
    records: dict[str, RunRecord]
    files: dict[str, bytes]
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def gather(part: Part, exports: Path, team: Team) -> Gathered:
    """Gathers what the run folders in ``exports`` have for an archive, whose pages name
    ``team``, and what is not there.
    """
    records = load_records(exports, part.needed)
    own = {name: records[name] for name in part.notebooks if name in records}
    found = Gathered(part, own, code_files(part.needed))
    found.missing += _older(found, exports, records)
    caveats, notebooks = caveats_of(records), find_notebooks()
    stand_ins = {n for n, said in caveats.items() if "stand-in" in dict(said)}
    for name in part.notebooks:
        again = command("run", name)
        if name not in own:
            found.missing.append(f"{name} has not been run: {again}")
            continue
        drawn = [n for n in with_needs([name], notebooks) if n in stand_ins]
        for kind, text in caveats[name]:
            if kind == "stand-in":
                real = f"With the real thing (data/README.md): {command('run', *drawn)}"
                found.missing.append(f"{name}: {text.rstrip('.')}. {real}")
            else:
                found.notes.append(f"{name}: {text}")
        if other := own[name].replaced:
            found.notes.append(f"{name}: {other}")
        if changed := other_values(own[name]):
            values = ", ".join(changed)
            found.notes.append(f"{name}: not the notebook's own values of {values}")
        if not part.report:
            found.missing += _add_pages(found, name, exports / name, team)
    for path, source in part.results.items():
        found.missing += _add_result(found, path, exports / source)
    if part.report:
        found.missing += _add_report(found, exports, team)
    return found


def code_files(names: Collection[str]) -> dict[str, bytes]:
    """The library and notebooks without outputs, by their path in the archive."""
    sources = [notebooks_dir() / f"{name}.ipynb" for name in names]
    paths = [
        path
        for path in (ROOT / "helpers").rglob("*")
        if path.suffix in CODE and "/." not in path.relative_to(ROOT).as_posix()
    ]
    paths += [ROOT / name for name in PROJECT.split()]
    for beside in {path.parent for path in sources}:
        paths += beside.glob("[!.]*.bib")
    contents = {path: path.read_bytes() for path in paths}
    contents |= {path: _cleared(path) for path in sources}
    quick = {n: values for n, values in read_quick_settings().items() if n in names}
    dumped = yaml.safe_dump(quick, sort_keys=False)
    contents[notebooks_dir() / "quick.yaml"] = dumped.encode()
    return {
        f"code/{path.relative_to(ROOT).as_posix()}": content
        for path, content in contents.items()
    }


# Each of these adds what there is, and yields what is missing.


def _older(found: Gathered, exports: Path, runs: Collection[str]) -> Iterator[str]:
    """Runs older than those that they build on."""
    ended = {n: (exports / n / "metrics.json").stat().st_mtime for n in runs}
    notebooks = find_notebooks()
    for name in found.records:
        needs = with_needs([name], notebooks)
        if later := [n for n in needs if ended.get(n, 0) > ended[name]]:
            yield f"{name} is older than {', '.join(later)}: {command('run', name)}"


def _add_pages(found: Gathered, name: str, run: Path, team: Team) -> Iterator[str]:
    """An executed notebook, without this machine's paths, and its pages, signed."""
    from helpers.export.html import notebook_to_html
    from helpers.export.typst import html_to_pdf

    path = run / "notebook.ipynb"
    try:
        notebook = read_notebook(path)
        page = BeautifulSoup(notebook_to_html(notebook, path), "html.parser")
        for link in page.select('a[href^="../"][href*="/notebook.html"]'):
            # There the pages lie side by side.
            *_, beside, file = str(link["href"]).split("/")
            link["href"] = file.replace("notebook", beside, 1)
        for link in page.select('a[href="../../index.html"]'):
            link.unwrap()
        html = signed(page, str(team))
        pdf = html_to_pdf(html)
    except ExportError as error:
        yield f"{name}: {error} {command('run', name)}"
        return
    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    found.files |= {
        f"{run.name}.ipynb": _written(notebook),
        f"{run.name}.html": html.encode(),
        f"{run.name}.pdf": pdf,
    }


def _add_result(found: Gathered, path: str, file: Path) -> Iterator[str]:
    name, is_model = "/".join(file.parts[-3:-1]), file.suffix == ".pt"
    again = command("run", name)
    if not is_model:
        again = command("predict", name, "TEST_FOLDER", "-o", str(file))
    if not file.is_file():
        yield f"{path} is not there: {again}"
        return
    if is_model:
        from helpers.models.saved import load_model

        try:
            load_model(file, trained_on="real")
        except ModelError as error:
            yield f"{path}: {str(error).rstrip('.')}: {again}"
    found.files[path] = file.read_bytes()


def _add_report(found: Gathered, exports: Path, team: Team) -> Iterator[str]:
    """The paper that was made, if only a draft of it, or a report made of the runs."""
    part = found.part
    if part.paper:
        again = command("paper", part.paper)
        paper = exports / part.paper / "paper.pdf"
        if not paper.is_file():
            paper = paper.parent / "paper" / "draft.pdf"
            if not paper.is_file():
                yield f"{part.report} has not been made: {again}"
                return
            yield f"{part.report} is a draft with faults: {again}"
        pdf = paper.read_bytes()
    elif found.records:
        done = [exports / name / "notebook.ipynb" for name in found.records]
        compact = part.pages is not None
        try:
            pdf = make_report(done, title=part.title, by=str(team), compact=compact)
        except ExportError as error:
            yield f"{part.report} cannot be made: {error}"
            return
    else:
        yield f"{part.report} has no run to report on"
        return
    try:
        pages, author = read_pdf(pdf)
    except ExportError as error:  # a paper's
        yield f"{part.report}: {error} {again}"
        return
    found.files[part.report] = pdf
    names = ", ".join(author["name"] for author in team.authors)
    later = [exports / name / "metrics.json" for name in found.records]
    later += [hand_in_file()] if names else []
    # pandoc sets quotes and dashes its own way.
    if part.paper and re.findall(r"\w+", author) != re.findall(r"\w+", names):
        yield f"{part.report} names {author or 'nobody'}, hand-in.toml {names}: {again}"
    elif part.paper and paper.stat().st_mtime < max(f.stat().st_mtime for f in later):
        yield f"{part.report} is older than hand-in.toml or a run: {again}"
    least, most = part.pages or (1, 1000)
    if not least <= pages <= most:
        yield (
            f"{part.report} has {pages} pages, asked for are {least} to {most}: "
            "CONTRIBUTING.md says what a report is made of"
        )


def _cleared(path: Path) -> bytes:
    """A notebook as it is in the repository, also where it has been run in place."""
    from nbconvert.preprocessors import ClearOutputPreprocessor

    notebook = read_notebook(path)
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    ClearOutputPreprocessor().preprocess(notebook, {})
    return _written(notebook)


def _written(notebook: Any) -> bytes:
    import nbformat

    return f"{nbformat.writes(notebook)}\n".encode()
