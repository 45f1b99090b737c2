"""What this machine can do: packages, export routes, data sets and devices."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from helpers.base.errors import ExportError
from helpers.base.files import ROOT

INSTALL = "pip install -r requirements.txt"


class Check(NamedTuple):
    """What was looked at, whether it is as it should be, and what to do if not.

    Notebooks can do without what is not ``needed``.
    """

    topic: str
    name: str
    ok: bool
    detail: str
    needed: bool = True


def examine() -> Iterator[Check]:
    """Looks at everything, one check at a time."""
    yield from check_packages()
    yield from check_tools()
    yield from check_data()


def check_packages(path: Path = ROOT / "requirements.txt") -> Iterator[Check]:
    """Whether each package that a file of requirements names is in its range."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text or text.startswith("-"):
            continue
        wanted = Requirement(text)
        try:
            detail = metadata.version(wanted.name)
            fits = wanted.specifier.contains(detail, prereleases=True)
        except metadata.PackageNotFoundError:
            detail, fits = "missing", False
        if not fits:
            detail += f", wanted {wanted.specifier}: {INSTALL}"
        yield Check("package", wanted.name, fits, detail)


def check_tools() -> Iterator[Check]:
    """Whether torch works, and each route from a notebook to a document."""
    both = "pip install --upgrade torch torchvision (both at once)"
    yield _check("device", "torch", _device, both)
    yield _check("export", "HTML", _html)
    yield _check("export", "PDF (Typst)", _typst)
    yield _check("export", "paper (LaTeX)", _latex)._replace(needed=False)


def check_data() -> Iterator[Check]:
    """Which real data sets are there; without them the notebooks draw stand-ins."""
    from helpers.data.catalogue import CATALOGUE, data_status

    for name in CATALOGUE:
        status = data_status(name)
        ok, needed = status.state == "present", status.state != "absent"
        yield Check("data", name, ok, status.detail, needed)


def _check(
    topic: str, name: str, look: Callable[[], str], todo: str = INSTALL
) -> Check:
    try:
        return Check(topic, name, True, look())
    except ExportError as error:
        return Check(topic, name, False, str(error))
    except (ImportError, OSError, RuntimeError, LookupError) as error:
        return Check(topic, name, False, f"{error}: {todo}")


def _device() -> str:
    import torch
    import torchvision  # noqa: F401

    if torch.cuda.is_available():
        return f"cuda, {torch.cuda.get_device_name()}"
    return f"cpu, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def _html() -> str:
    import pypandoc

    pypandoc.convert_text("$x^2$", "html", format="markdown", extra_args=["--mathml"])
    return f"pandoc {pypandoc.get_pandoc_version()}"


def _typst() -> str:
    import pypandoc
    import typst

    typst.compile(pypandoc.convert_text("$x^2$", "typst", format="markdown").encode())
    return "python -m helpers export"


def _latex() -> str:
    from tempfile import TemporaryDirectory

    from helpers.export.paper.build import write_source
    from helpers.export.paper.latex import set_with_latex

    with TemporaryDirectory() as folder:
        about = {"title": "A", "authors": [{"name": "B"}]}
        write_source(Path(folder), "$x^2$", about)
        set_with_latex(Path(folder))
    return "xelatex, bibtex"
