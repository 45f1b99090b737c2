"""What this machine can do: packages, export routes, data sets and devices."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from helpers.base import environment
from helpers.base.errors import ExportError


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        topic: ``package``, ``device``, ``export`` or ``data``.
        name: what was looked at.
        ok: whether it is as it should be.
        detail: its version, or what is wrong and what to do.
        needed: whether the notebooks cannot do without it.
    """

    topic: str
    name: str
    ok: bool
    detail: str
    needed: bool = True


def examine() -> Iterator[Check]:
    """Looks at everything, one check at a time, so that slow ones do not hide the
    first.
    """
    yield from check_packages()
    yield check_device()
    yield from check_exports()
    yield from check_data()


def check_packages(path: Path | None = None) -> Iterator[Check]:
    """Whether each package that ``requirements.txt``, or ``path``, names is installed
    in a version within its range.
    """
    for requirement in environment.requirements(path):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Check(
                "package",
                requirement.name,
                ok=False,
                detail="missing: pip install -r requirements.txt",
            )
            continue
        fits = requirement.specifier.contains(version, prereleases=True)
        wanted = (
            ""
            if fits
            else f", wanted {requirement.specifier}: pip install -r requirements.txt"
        )
        yield Check("package", requirement.name, ok=fits, detail=version + wanted)


def check_device() -> Check:
    """Where networks are trained; also whether torch and torchvision work together."""
    try:
        import torch  # slow  # noqa: PLC0415
        import torchvision  # a build that does not match torch's fails here  # noqa: PLC0415
    except (ImportError, OSError, RuntimeError) as error:
        return Check(
            "device",
            "torch",
            ok=False,
            detail=f"{error}: pip install --upgrade torch torchvision (both at once)",
        )
    if torch.cuda.is_available():
        return Check("device", "cuda", ok=True, detail=torch.cuda.get_device_name())
    return Check(
        "device",
        "cpu",
        ok=True,
        detail=f"{os.cpu_count()} cores, {torch.get_num_threads()} threads",
    )


def check_exports() -> Iterator[Check]:
    """Which routes from a notebook to a document work, found by going them with a line
    of text.
    """
    yield _try("HTML", _html)
    yield _try("PDF (Typst)", _typst)
    yield check_latex()


def check_latex() -> Check:
    """Whether papers can be set with LaTeX."""
    from helpers.export.paper.build import paper_files  # noqa: PLC0415
    from helpers.export.paper.latex import set_with_latex  # noqa: PLC0415

    try:
        about = {"title": "A line", "authors": [{"name": "Nobody"}]}
        set_with_latex(paper_files("$x^2$", about))
    except ExportError as error:
        return Check(
            "export",
            "paper (LaTeX)",
            ok=False,
            detail=str(error),
            needed=False,
        )
    return Check(
        "export", "paper (LaTeX)", ok=True, detail="xelatex, bibtex", needed=False
    )


def check_data() -> Iterator[Check]:
    """Which real data sets are there; without them the notebooks draw stand-ins."""
    from helpers.data.catalogue import CATALOGUE, data_status  # imports torch  # noqa: PLC0415

    for name in CATALOGUE:
        status = data_status(name)
        absent = status.state == "absent"
        yield Check(
            "data",
            name,
            ok=status.state == "present",
            detail=status.detail,
            needed=not absent,
        )


def _try(name: str, route: Callable[[], str]) -> Check:
    try:
        return Check("export", name, ok=True, detail=route())
    except (ImportError, OSError, RuntimeError, LookupError) as error:
        return Check(
            "export", name, ok=False, detail=f"{error}: pip install -r requirements.txt"
        )


def _html() -> str:
    import pypandoc  # noqa: PLC0415

    version = metadata.version("nbconvert")
    pypandoc.convert_text("$x^2$", "html", format="markdown", extra_args=["--mathml"])
    return f"nbconvert {version}, pandoc {pypandoc.get_pandoc_version()}"


def _typst() -> str:
    import pypandoc  # noqa: PLC0415
    import typst  # noqa: PLC0415

    typst.compile(pypandoc.convert_text("$x^2$", "typst", format="markdown").encode())
    [exporter] = metadata.entry_points(group="nbconvert.exporters", name="typst_pdf")
    return f"typst {metadata.version('typst')}, jupyter nbconvert --to {exporter.name}"
