from __future__ import annotations

from pathlib import Path

import pytest

from helpers.base.files import ROOT, data_dir, exports_dir


def test_a_relative_folder_starts_at_the_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # as a kernel works in the folder of its notebook
    monkeypatch.setenv("CNN_DATA", "elsewhere/data")
    monkeypatch.setenv("CNN_EXPORTS", str(tmp_path))
    assert data_dir() == ROOT / "elsewhere/data"
    assert exports_dir() == tmp_path
