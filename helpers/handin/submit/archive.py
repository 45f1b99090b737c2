"""Archives that are the same, byte for byte, whenever they are built of the same files."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

MANIFEST = "MANIFEST.json"
# The oldest date that a ZIP file can hold: when an archive was built must not show in
# it.
EPOCH = (1980, 1, 1, 0, 0, 0)
PACKED = (
    ".zip",
    ".pt",
    ".pdf",
    ".png",
)  # packing these again takes time and saves next to nothing


def make_archive(files: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """A ZIP archive of files and of ``MANIFEST.json``, which lists them.

    Args:
        files: contents by path, with ``/`` between folders.
        about: what else the manifest says.
    """
    listed = [
        {
            "path": path,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for path, content in sorted(files.items())
    ]
    manifest = (
        json.dumps({**about, "files": listed}, indent=2, ensure_ascii=False) + "\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted({**files, MANIFEST: manifest.encode()}.items()):
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = (
                zipfile.ZIP_STORED if path.endswith(PACKED) else zipfile.ZIP_DEFLATED
            )
            archive.writestr(entry, content, compresslevel=9)
    return buffer.getvalue()


def check_archive(content: bytes) -> list[str]:
    """What is wrong with an archive and those in it: entries that a manifest does not
    list as they are, or lacks.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(found.pop(MANIFEST))
    listed = {
        entry["path"]: (entry["bytes"], entry["sha256"]) for entry in manifest["files"]
    }
    actual = {
        name: (len(data), hashlib.sha256(data).hexdigest())
        for name, data in found.items()
    }
    faults = [
        f"{name} is not as {MANIFEST} lists it"
        for name in sorted(listed.keys() | actual.keys())
        if listed.get(name) != actual.get(name)
    ]
    inner = [name for name in found if name.endswith(".zip")]
    return faults + [
        f"{name}: {fault}" for name in inner for fault in check_archive(found[name])
    ]
