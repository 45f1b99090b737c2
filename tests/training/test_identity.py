from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers.base.files import ROOT
from helpers.data.splits import Splits
from helpers.models import MultiHeadCNN, StrokeNet
from helpers.training import Experiment, TrainConfig, identity, run_experiments
from helpers.training.identity import (
    code_digest,
    essence,
    network_modules,
    weights_digest,
)

SOURCE = '''
"""A module."""
def double(x):
    """Twice as much."""
    return 2 * x
'''
RESTYLED = '''
def double( x ) :  # with a comment
    """Two times."""

    return (2*x)
'''


def test_comments_docstrings_and_formatting_do_not_count() -> None:
    assert essence(SOURCE) == essence(RESTYLED)
    assert essence(SOURCE) != essence(SOURCE.replace("2 * x", "3 * x"))


def test_a_network_is_all_modules_that_it_is_built_from() -> None:
    names = network_modules(nn.Sequential(StrokeNet(4), nn.ReLU()))
    assert {"helpers.models.stroke_net", "helpers.models.building"} <= set(names)
    assert "helpers.models.lenet5" not in names
    heads = network_modules(MultiHeadCNN(4, heads={"a": "xy", "b": "xy"}))
    assert {"helpers.models.improved_cnn", "helpers.models.heads"} <= set(heads)


def test_the_code_of_a_network_outside_the_library_counts() -> None:
    class Mine(StrokeNet):
        """As in a cell of a notebook."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return -super().forward(images)

    kept = Mine.forward
    before = code_digest(Mine(4))
    assert "helpers.models.stroke_net" in network_modules(Mine(4))

    def forward(self: Mine, images: torch.Tensor) -> torch.Tensor:
        return 2 * StrokeNet.forward(self, images)

    Mine.forward = forward  # type: ignore[method-assign]  # the cell is edited
    assert code_digest(Mine(4)) != before
    Mine.forward = kept  # type: ignore[method-assign]  # and edited back
    assert code_digest(Mine(4)) == before


def test_whatever_a_class_of_a_notebook_is_made_of_counts() -> None:
    class Mine(StrokeNet):
        slope = 0.1

        @staticmethod
        def scale() -> int:
            return 1

    found = {code_digest(Mine(4))}
    Mine.slope = 0.3
    found.add(code_digest(Mine(4)))
    Mine.scale = staticmethod(lambda: 2)  # type: ignore[method-assign]  # edited
    found.add(code_digest(Mine(4)))
    for name in ("scales", "_hidden", "cached"):
        for scales in ([1.0, 0.5], [1.0, 9.0], {"first": 1.0}):
            setattr(Mine, name, scales)
            found.add(code_digest(Mine(4)))
    Mine.cached = cached_property(lambda _: 1)  # type: ignore[attr-defined]  # likewise
    found.add(code_digest(Mine(4)))
    Mine.cached = cached_property(lambda _: 2)  # type: ignore[attr-defined]
    found.add(code_digest(Mine(4)))
    assert len(found) == 3 + 9 + 2
    Mine.__doc__ = "Documented."
    assert code_digest(Mine(4)) in found


def test_a_line_of_a_string_may_start_at_the_margin() -> None:
    class Mine(StrokeNet):
        @property
        def about(self) -> str:
            return """one,
and at the margin"""

    before = code_digest(Mine(4))
    Mine.about = property(lambda _: "two")  # type: ignore[assignment, method-assign]
    assert code_digest(Mine(4)) != before


def test_a_lambda_may_stand_in_the_midst_of_a_statement() -> None:
    class Mine(StrokeNet):
        scale = staticmethod(
            lambda images: 2 * images)  # fmt: skip

    before = code_digest(Mine(4))
    Mine.scale = staticmethod(lambda images: 3 * images)
    assert code_digest(Mine(4)) != before


def test_the_library_may_be_found_by_a_path_that_is_not_its_shortest() -> None:
    text = (
        "from helpers.models import create_model\n"
        "from helpers.training.identity import code_digest\n"
        "print(code_digest(create_model('lenet5', num_classes=4)))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", f"import sys\nsys.path[0] = {path!r}\n{text}"],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
        ).stdout
        for path in (str(ROOT), "./", f"/{ROOT}")
    }
    assert len(digests) == 1


def test_a_network_may_be_a_dataclass() -> None:
    def written(start: int) -> type[nn.Module]:
        @dataclass(eq=False)
        class Net(nn.Module):
            width: int = start

            def __post_init__(self) -> None:
                super().__init__()

        return Net

    assert code_digest(written(3)()) == code_digest(written(3)())
    assert code_digest(written(3)()) != code_digest(written(4)())


def test_layers_without_weights_count() -> None:
    class Pooled(nn.Module):
        def __init__(self, side: int) -> None:
            super().__init__()
            self.side = side

    blocks = nn.ReLU(), nn.Sigmoid(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.MaxPool2d(3)
    own = (Pooled(side) for side in (1, 2))
    digests = {code_digest(nn.Sequential(block)) for block in (*blocks, *own)}
    assert len(digests) == len(blocks) + 2


def test_other_weights_have_another_digest() -> None:
    model = nn.BatchNorm1d(2)
    before = weights_digest(model)
    assert weights_digest(nn.BatchNorm1d(2)) == before
    model.running_mean.fill_(1e-3)
    assert weights_digest(model) != before


@pytest.mark.parametrize(
    "module",
    [
        "helpers.models.improved_cnn",
        "helpers.data.augment",
        "helpers.training.objective",
        "helpers.training.loop",
        "helpers.training.launch",
        "weights",
        "helpers.models.lenet5",
    ],
)
def test_other_code_or_first_weights_make_another_point(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    config = TrainConfig(epochs=1, batch_size=64, precision="fp32")
    small = Experiment("improved_cnn", config, {"widths": (4, 8)})
    run_experiments({"small": small}, corners, seeds=1, folder=tmp_path)
    plain_digest, plain_build = identity._source_digest, Experiment.build

    def edited(name: str) -> str:
        return plain_digest(name) + ("edited" if name == module else "")

    def other_weights(own: Experiment, splits: Splits, seed: int) -> nn.Module:
        model = plain_build(own, splits, seed)
        with torch.no_grad():
            next(model.parameters()).mul_(1.5)
        return model

    monkeypatch.setattr(identity, "_source_digest", edited)
    if module == "weights":
        monkeypatch.setattr(Experiment, "build", other_weights)
    run_experiments({"small": small}, corners, seeds=1, folder=tmp_path)
    points = 1 if module == "helpers.models.lenet5" else 2
    assert len(list(tmp_path.glob("*.pt"))) == points
