from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.base.tensors import read_tensors, write_tensors


def test_stop_while_a_file_is_written_stays_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    class Stopped(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell():
                raise KeyboardInterrupt
            return super().write(data)

    path = tmp_path / "kept.pt"
    write_tensors(path, {"epoch": 1})
    # torch cannot close its archive either, and says only that.
    monkeypatch.setattr(torch, "save", lambda content, _file: save(content, Stopped()))
    with pytest.raises(KeyboardInterrupt):
        write_tensors(path, {"epoch": 2, "weights": torch.zeros(1000)})
    monkeypatch.undo()
    assert read_tensors(path) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]
