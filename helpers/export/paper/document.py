"""Checks of a paper before it is set: what can be told from its text alone, with or
without TeX.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from helpers.base.errors import ExportError

Document = dict[str, Any]
KINDS = {"fig": "figures", "tab": "tables", "sec": "sections", "eq": "equations"}
FORMATS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
HAS_IDENTIFIER = {
    "Figure": 0,
    "Table": 0,
    "Header": 1,
    "Span": 0,
}  # type, and where its attributes are


def check_document(document: Document, keys: Iterable[str]) -> None:
    """Looks for what must not be in a paper, or must be and is not.

    Args:
        document: as ``markdown_to_document`` returns it.
        keys: those of the bibliography.

    Raises:
        ExportError: code; a figure or table without caption; a label used twice; a
            reference or a citation that leads nowhere.
    """
    _check_code(document)
    _check_captions(document)
    labels = list(_labels(document))
    if twice := [label for label, count in Counter(labels).items() if count > 1]:
        raise ExportError(
            f"Two things in the paper have the label {twice[0]}: give one of them "
            "another name."
        )
    cited = set()
    for cite in elements(document, "Cite"):
        ids = [citation["citationId"] for citation in cite[0]]
        references = [name for name in ids if name.partition(":")[0] in KINDS]
        if references and len(references) < len(ids):
            raise ExportError(
                f"One bracket holds references and citations ({', '.join(ids)}): write "
                "two."
            )
        _check_references(references, labels)
        cited.update(set(ids) - set(references))
    if unknown := sorted(cited - set(keys)):
        known = (
            ", ".join(sorted(keys))
            or "none: say in the notebook's metadata which file is the bibliography"
        )
        raise ExportError(
            f"The paper cites {', '.join(unknown)}, not in its bibliography. There: "
            f"{known}."
        )


def cites_anything(document: Document) -> bool:
    """Whether there is anything for a list of references."""
    citations = (
        citation for cite in elements(document, "Cite") for citation in cite[0]
    )
    return any(
        citation["citationId"].partition(":")[0] not in KINDS for citation in citations
    )


def place_pictures(
    document: Document, files: dict[str, bytes], folders: Sequence[Path]
) -> None:
    """Adds the files of all pictures to ``files``; of one that is there as a PDF too,
    that.

    Args:
        document: its pictures are renamed, in place, to what they are in ``files``.
        files: what there is already, by path.
        folders: where relative paths start.

    Raises:
        ExportError: a picture is missing, is on the network, or has a format that TeX
            does not know.
    """
    for image in elements(document, "Image"):
        source = image[2][0]
        if source not in files:
            name, content = _read_picture(source, folders)
            name = f"figures/{name}"
            while files.get(name, content) != content:
                stem, _, suffix = name.rpartition(".")
                name = f"{stem}-.{suffix}"
            files[name] = content
            image[2][0] = name


def elements(node: Any, kind: str) -> Iterator[Any]:
    """The contents of all elements of one type, in the order of the text; metadata
    included.
    """
    if isinstance(node, dict):
        if node.get("t") == kind:
            yield node["c"]
        for child in node.values():
            yield from elements(child, kind)
    elif isinstance(node, list):
        for child in node:
            yield from elements(child, kind)


def plain_text(node: Any) -> str:
    """The words of some elements."""
    if isinstance(node, dict):
        if node.get("t") in ("Space", "SoftBreak", "LineBreak"):
            return " "
        return node["c"] if node.get("t") == "Str" else plain_text(node.get("c"))
    return (
        "".join(plain_text(child) for child in node) if isinstance(node, list) else ""
    )


def _check_code(document: Document) -> None:
    for _, code in elements(document, "CodeBlock"):
        line = next((line for line in code.splitlines() if line.strip()), "")
        raise ExportError(
            f"The paper shows code ({line.strip()[:60]}): take it out, or tag its cell "
            "`not-in-paper`. "
            "Names in the running text, such as `conv4`, may stay."
        )


def _check_captions(document: Document) -> None:
    in_figures = [
        image
        for figure in elements(document, "Figure")
        for image in elements(figure, "Image")
    ]
    for image in elements(document, "Image"):
        if not any(image is other for other in in_figures):
            raise ExportError(
                f"The picture {image[2][0][:60]} has no caption: "
                "![caption](file){#fig:name}, or run.figure(…, caption=…)."
            )
    for attributes, caption, *_ in elements(document, "Figure"):
        if not plain_text(caption).strip():
            raise ExportError(
                f"The figure @{attributes[0]} has no caption: the last paragraph of "
                "its block."
            )
    for _, caption, *content in elements(document, "Table"):
        if not plain_text(caption).strip():
            raise ExportError(
                f"The table that begins “{plain_text(content)[:40]}” has no caption: "
                "a line below it, `: caption {#tab:name}`, or run.table(…, caption=…)."
            )


def _labels(document: Document) -> Iterator[str]:
    for kind, place in HAS_IDENTIFIER.items():
        for content in elements(document, kind):
            label = content[place][0]
            if label.partition(":")[0] in KINDS:
                yield label


def _check_references(references: Iterable[str], labels: Sequence[str]) -> None:
    for name in references:
        if name not in labels:
            kind = name.partition(":")[0]
            known = (
                ", ".join(label for label in labels if label.startswith(f"{kind}:"))
                or "none"
            )
            raise ExportError(
                f"The paper refers to @{name}, which is not there. Its {KINDS[kind]}: "
                f"{known}."
            )


def _read_picture(source: str, folders: Sequence[Path]) -> tuple[str, bytes]:
    scheme = urlparse(source).scheme
    if scheme == "data":
        kind, _, content = source.partition(",")
        suffix = FORMATS.get(kind.removeprefix("data:").removesuffix(";base64"))
        if suffix is None:
            raise ExportError(
                f"A picture in the text is {kind[:40]}; a paper takes PDF, PNG and "
                "JPEG."
            )
        return f"attached.{suffix}", base64.b64decode(content)
    if scheme in ("http", "https"):
        raise ExportError(
            f"The picture {source} is on the network: save it beside the notebook."
        )
    for folder in folders:
        path = folder / unquote(source)
        if path.is_file():
            path = (
                path.with_suffix(".pdf") if path.with_suffix(".pdf").is_file() else path
            )
            if (
                path.suffix.lower().replace("jpeg", "jpg").lstrip(".")
                not in FORMATS.values()
            ):
                raise ExportError(
                    f"The picture {source} is {path.suffix}; a paper takes PDF, PNG "
                    "and JPEG."
                )
            return re.sub(r"[^\w.-]", "-", path.name), path.read_bytes()
    raise ExportError(
        f"The picture {source} is not in "
        f"{' or '.join(str(folder.resolve()) for folder in folders)}."
    )
