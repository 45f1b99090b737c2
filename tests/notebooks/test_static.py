"""The bones that every notebook has, and that these checks see a broken one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from papermill import inspect_notebook

from helpers.base.declared import find_notebooks, read_notebook
from helpers.base.errors import NotebookError
from helpers.base.files import notebooks_dir
from helpers.runner.plan import make_plan, read_quick_settings

PATHS = sorted(notebooks_dir().glob("*/*.ipynb"))
KNOWN = {f"{path.parent.name}/{path.stem}" for path in PATHS}
IMPORTS = (ast.Import, ast.ImportFrom)
ABSOLUTE = re.compile(r"""["'](~?/\w|[A-Za-z]:[\\/])|/(home|root|Users|tmp)/""")
MOST_LINES = 3200  # of code in all notebooks, without imports and parameters
MOST_PROSE = 0.08  # share of them that long strings span
AWAY = """\
from importlib.util import find_spec

if not find_spec("helpers"):
    raise SystemExit("No helpers: take kernel .venv or pip install -r requirements.txt")
"""
INSTALL = re.compile(r"^\s*[!%]\s*(pip|conda|apt)", re.MULTILINE)


def faults(path: Path) -> Iterator[str]:
    """What is wrong with the bones of the notebook at ``path``."""
    notebook = nbformat.read(path, as_version=4)
    name = f"{path.parent.name}/{path.stem}"
    yield from declaration_faults(path, name)
    yield from order_faults(notebook, name)
    yield from exercise_faults(notebook.cells[-1], path)
    yield from content_faults(notebook)


def declaration_faults(path: Path, name: str) -> Iterator[str]:
    try:
        declared = read_notebook(path)
    except NotebookError as error:
        yield str(error)
        return
    yield from (
        f"parameter {p.name} has no comment"
        for p in declared.parameters.values()
        if not p.help
    )
    yield from (
        f"needs {need}, which is not there"
        for need in declared.needs
        if need not in KNOWN - {name}
    )
    if not declared.figure:
        yield "its metadata do not say what stands for it in the gallery"


def order_faults(notebook: NotebookNode, name: str) -> Iterator[str]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    first, second = notebook.cells[:2]
    *_, before, conclusion, last = notebook.cells
    if first.cell_type != "markdown" or not re.match(r"# \S", first.source):
        yield "the first cell is no Markdown with a title"
    if second.cell_type != "code" or "parameters" not in second.metadata.get(
        "tags", []
    ):
        yield "the second cell is not tagged parameters"
    if f'start_run("{name}")' not in code[1].source:
        yield f'the first code cell after the parameters: no start_run("{name}")'
    if not code[1].source.startswith(AWAY):
        yield "nothing before its imports says what to do where there is no helpers"
    if "run.finish()" not in code[-1].source:
        yield "the last code cell does not call run.finish()"
    kinds = {conclusion.cell_type, last.cell_type}
    if before is not code[-1] or kinds != {"markdown"}:
        yield "the last code cell is not followed by a conclusion and by exercises"


def exercise_faults(last: NotebookNode, path: Path) -> Iterator[str]:
    lines = last.source.splitlines()
    if lines[0] != "## Exercises" or last.metadata.get("tags") != ["not-in-paper"]:
        yield "the last cell is not headed Exercises, or not left out of papers"
    if not 2 <= sum(bool(re.match(r"\d\. ", line)) for line in lines) <= 3:
        yield "there are not two or three exercises"
    if lines[-1] != (expected := links(path)):
        yield f"its last line is not {expected}"


def links(path: Path) -> str:
    """To the notebooks before and after this one, and to all."""
    course = sorted(path.parent.glob("*.ipynb"))
    here = course.index(path)
    places = [("← {}", here - 1)] if here else []
    places += [("{} →", here + 1)] if here + 1 < len(course) else []
    found = []
    for arrow, place in places:
        title = f"{course[place].stem[:2]} {read_notebook(course[place]).title}"
        found.append(f"[{arrow.format(title)}]({course[place].name})")
    found.insert(min(here, 1), "[all notebooks](../../README.md#the-notebooks)")
    return " · ".join(found)


def exercise_parameters(path: Path) -> set[tuple[str, str]]:
    """The parameters and values that the exercises of a notebook name."""
    text = nbformat.read(path, as_version=4).cells[-1].source
    own = [line for line in text.splitlines() if not line.startswith("1. Run ")]
    return set(re.findall(r"-p \"?(\w+)=([^`\"]+?)(?=\"|`| -p )", "\n".join(own)))


def content_faults(notebook: NotebookNode) -> Iterator[str]:
    spec = notebook.metadata.get("kernelspec", {})
    if (spec.get("name"), spec.get("language")) != ("python3", "python"):
        yield f"the kernelspec is {dict(spec)}"
    if unwanted := {"widgets", "papermill"} & set(notebook.metadata):
        yield f"its metadata holds {sorted(unwanted)} of a run"
    for number, cell in enumerate(notebook.cells, start=1):
        yield from (f"cell {number} {fault}" for fault in cell_faults(cell))
    yield from rerun_faults(notebook)


def rerun_faults(notebook: NotebookNode) -> Iterator[str]:
    """Cells that read something else when they are run a second time."""
    before: set[str] = set()
    cells = [names_of(c.source) for c in notebook.cells if c.cell_type == "code"]
    for place, (read, bound) in enumerate(cells):
        later = set().union(*(names for _, names in cells[place:]))
        for name in sorted(read & before & later):
            yield f"code cell {place + 1} reads {name}, bound anew there or later"
        before |= bound


def names_of(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell reads before it binds them, and those that it binds."""
    read: set[str] = set()
    bound: set[str] = set()
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return read, bound
    while body:
        statement = body.pop(0)
        if isinstance(statement, ast.If):
            body[:0] = [ast.Expr(statement.test), *statement.body, *statement.orelse]
            continue
        nodes = list(ast.walk(statement))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        loaded = {name.id for name in names if isinstance(name.ctx, ast.Load)}
        stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        inner = {node.arg for node in nodes if isinstance(node, ast.arg)}
        for node in nodes:
            if isinstance(node, ast.comprehension):
                targets = (n for n in ast.walk(node.target) if isinstance(n, ast.Name))
                local = {name.id for name in targets}
                inner, stored = inner | local, stored - local
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                loaded.add(node.target.id)
        if isinstance(statement, ast.For | ast.With):
            inner |= stored
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            inner, stored = inner | stored, {statement.name}
        read |= loaded - bound - inner
        bound |= stored
    return read, bound


def cell_faults(cell: NotebookNode) -> Iterator[str]:
    if ABSOLUTE.search(cell.source):
        yield "holds an absolute path"
    if cell.cell_type != "code":
        return
    if cell.outputs or cell.execution_count is not None:
        yield "holds outputs of a run"
    if INSTALL.search(cell.source):
        yield "installs packages"
        return
    try:
        nodes = list(ast.walk(ast.parse(cell.source)))
    except SyntaxError as error:
        yield f"is not Python: {error.msg}"
        return
    if any(isinstance(node, ast.Name) and node.id == "quick" for node in nodes):
        yield "behaves differently in quick runs"


@pytest.mark.parametrize(
    "path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_notebook_has_its_bones(path: Path) -> None:
    nbformat.validate(nbformat.read(path, as_version=4))
    assert list(faults(path)) == []


def test_papermill_reads_all_parameters() -> None:
    for notebook in find_notebooks():
        assert inspect_notebook(notebook.path).keys() == notebook.parameters.keys()


def test_away_from_home_a_notebook_ends_in_one_sentence() -> None:
    _, imports, *_ = (
        cell.source
        for cell in nbformat.read(PATHS[0], as_version=4).cells
        if cell.cell_type == "code"
    )
    bare = [sys.executable, "-I", "-S", "-c", imports]
    ended = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "pip install -r requirements.txt" in line


def test_the_notebooks_are_there_and_can_be_ordered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CNN_QUICK", "1")
    planned = {job.name for job in make_plan()}
    assert planned == {notebook.name for notebook in find_notebooks()} == KNOWN
    assert {name for name in KNOWN if name.startswith("caltech101/")} >= {
        "caltech101/01_lenet5",
        "caltech101/02_improved_cnn",
        "caltech101/03_activations",
        "caltech101/04_resnet18",
    }


def test_a_reader_sees_the_subject_and_not_prose_in_strings() -> None:
    lines = prose = 0
    for path in PATHS:
        for source in bodies(nbformat.read(path, as_version=4)):
            tree, text = ast.parse(source), source.splitlines()
            nodes = list(ast.walk(tree))
            imports = spanned(n for n in nodes if isinstance(n, IMPORTS))
            strings = [n for n in nodes if is_long_string(n, source)]
            body = {i for i, line in enumerate(text, 1) if line.strip()} - imports
            lines, prose = lines + len(body), prose + len(body & spanned(strings))
    assert lines <= MOST_LINES
    assert prose <= MOST_PROSE * lines


def bodies(notebook: NotebookNode) -> list[str]:
    """The source of the code cells but the parameters."""
    return [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code"
        and "parameters" not in cell.metadata.get("tags", [])
    ]


def spanned(nodes: Iterable[ast.AST]) -> set[int]:
    """The numbers of the lines that these stand on."""
    return {
        line
        for node in nodes
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)  # type: ignore[attr-defined]
    }


def is_long_string(node: ast.AST, source: str) -> bool:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    if not (is_text or isinstance(node, ast.JoinedStr)):
        return False
    return len(ast.get_source_segment(source, node) or "") >= 40


@pytest.mark.parametrize(
    "path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_exercises_name_parameters_and_values_that_there_are(path: Path) -> None:
    notebooks = [read_notebook(path)]
    notebooks += [n for n in find_notebooks() if n.name in notebooks[0].needs]
    for name, value in exercise_parameters(path):
        [owner, *_] = [n for n in notebooks if name in n.parameters]
        owner.parse({name: value})
        assert owner.parameters[name].default != owner.parse({name: value})[name]


def test_the_git_filter_leaves_a_notebook_without_outputs_as_it_is() -> None:
    command = [sys.executable, "-m", "nbstripout", "--keep-id", "--verify"]
    subprocess.run([*command, *PATHS], check=True)


def test_quick_settings_name_only_what_is_declared() -> None:
    assert set(read_quick_settings()) <= KNOWN


def good_notebook() -> NotebookNode:
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# Title"),
        new.new_code_cell(
            "epochs: int = 2  # passes", metadata={"tags": ["parameters"]}
        ),
        new.new_code_cell(AWAY + 'run = start_run("course/01_a")'),
        new.new_markdown_cell("Half of it: 1/2, see `data/README.md`."),
        new.new_code_cell("run.finish()"),
        new.new_markdown_cell("## Conclusion"),
        new.new_markdown_cell(
            "## Exercises\n\n1. `-p epochs=3`?\n2. `-p epochs=4`?\n\n"
            "[all notebooks](../../README.md#the-notebooks)",
            metadata={"tags": ["not-in-paper"]},
        ),
    ]
    kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return new.new_notebook(
        cells=cells,
        metadata={"kernelspec": kernelspec, "gallery": {"figure": "curves"}},
    )


def faults_of(notebook: NotebookNode, folder: Path) -> list[str]:
    path = folder / "course" / "01_a.ipynb"
    path.parent.mkdir()
    nbformat.write(notebook, path)
    return list(faults(path))


def test_the_checks_pass_good_bones(tmp_path: Path) -> None:
    assert faults_of(good_notebook(), tmp_path) == []


def replace(number: int, source: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[number].update(source=source)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (replace(0, "Title"), "no Markdown with a title"),
        (lambda notebook: notebook.cells[1].metadata.clear(), "not tagged parameters"),
        (replace(1, "epochs = 2  # passes"), "Expected annotated literals"),
        (replace(4, "epochs = str(epochs)\nrun.finish()"), "reads epochs, bound anew"),
        (replace(1, "epochs: int = 2"), "epochs has no comment"),
        (replace(2, AWAY + 'run = start_run("course/02_b")'), "no start_run"),
        (replace(2, 'run = start_run("course/01_a")'), "nothing before its imports"),
        (replace(4, "print()"), "does not call run.finish"),
        (lambda notebook: notebook.cells.pop(), "by a conclusion and by exercises"),
        (lambda notebook: notebook.cells.pop(5), "by a conclusion and by exercises"),
        (lambda notebook: notebook.cells[-1].metadata.clear(), "left out of papers"),
        (replace(6, "## Exercises\n\n1. Why?"), "not two or three exercises"),
        (replace(6, "## Exercises\n\n[← 01 A](01_a.ipynb)"), "its last line is not"),
        (lambda notebook: notebook.metadata.pop("kernelspec"), "the kernelspec is"),
        (
            lambda notebook: notebook.metadata.update(needs=["course/09_z"]),
            "needs course/09_z",
        ),
        (
            lambda notebook: notebook.metadata.update(needs=["course/01_a"]),
            "needs course/01_a",
        ),
        (
            lambda notebook: notebook.metadata.pop("gallery"),
            "what stands for it in the gallery",
        ),
        (
            lambda notebook: notebook.metadata.update(gallery={"figure": 1}),
            "metadata.gallery.figure must be",
        ),
        (lambda notebook: notebook.metadata.update(widgets={}), "of a run"),
        (
            lambda notebook: notebook.cells[2].update(execution_count=1),
            "cell 3 holds outputs",
        ),
        (
            lambda notebook: notebook.cells[2].outputs.append(
                nbformat.v4.new_output("stream", text="x")
            ),
            "cell 3 holds outputs",
        ),
        (replace(4, "!pip install torch\nrun.finish()"), "cell 5 installs"),
        (replace(4, "%pip install torch\nrun.finish()"), "cell 5 installs"),
        (replace(4, 'open("/data/x")\nrun.finish()'), "cell 5 holds an absolute path"),
        (replace(3, "See /home/me/data."), "cell 4 holds an absolute path"),
        (replace(4, "if quick:\n    run.finish()"), "cell 5 behaves differently"),
    ],
)
def test_the_checks_see_broken_bones(
    tmp_path: Path, damage: Callable[[NotebookNode], object], fault: str
) -> None:
    notebook = good_notebook()
    damage(notebook)
    assert any(fault in found for found in faults_of(notebook, tmp_path))
