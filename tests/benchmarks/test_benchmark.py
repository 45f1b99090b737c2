from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from speed import Benchmark
from steps import Halving
from table import Contender, Measured, format_table, format_verdict

OURS = Contender("ours", "auto", "this library")
NOBODY = Contender("nobody", "fp32", "Nobody")


CONTENDERS = {"lenet5": ("ours", "limit"), "conv_net": ("ours", "loop")}
TITLES = {
    "ours": ["this library"],
    "limit": ["the limit: one resident batch"],
    "loop": ["torchvision + DataLoader", "torchvision + DataLoader, bf16"],
}


@pytest.mark.parametrize("model", CONTENDERS)
def test_a_quick_run_trains_by_the_projects_own_loop(model: str) -> None:
    script = Path(__file__).with_name("speed.py")
    options = [f"--contender={name}" for name in CONTENDERS[model]]
    options += ["--quick", f"--model={model}", "--workers=0"]
    done = subprocess.run(
        [sys.executable, script, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| t")]
    titles = [title for name in CONTENDERS[model] for title in TITLES[name]]
    assert [row.split(" | ")[0] for row in rows] == [f"| {title}" for title in titles]
    assert "too short to judge by" in done.stdout


def test_the_steps_of_a_network_are_timed_one_by_one() -> None:
    script = Path(__file__).with_name("steps.py")
    options = ["--quick", "--device=cpu"]
    done = subprocess.run(
        [sys.executable, script, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| 2 trainings side by side |" in done.stdout


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_halving_is_max_pooling_to_the_bit(layout: torch.memory_format) -> None:
    maps = torch.randint(-3, 4, (3, 5, 8, 6)).float().contiguous(memory_format=layout)
    gradient = torch.randn(3, 5, 4, 3)
    own, usual = (maps.clone().requires_grad_() for _ in range(2))
    halved, pooled = Halving()(own), F.max_pool2d(usual, 2)
    halved.backward(gradient), pooled.backward(gradient)
    assert torch.equal(halved, pooled)
    assert torch.equal(own.grad, usual.grad)  # many are the largest of their four


def test_a_contender_that_fails_is_named_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    benchmark = Benchmark([NOBODY], model="lenet5", device="cpu", workers=0)
    benchmark.run(1, warmup=1, seconds=0.0)
    assert benchmark.failed
    assert "Nobody failed" in capsys.readouterr().err
    results = {"ours auto": Measured("fp32", [10.0])} | benchmark.results
    ours, nobody = format_table([OURS, NOBODY], results).splitlines()[2:]
    assert ours.startswith("| this library | fp32 | 10 [10–10]")
    assert nobody == "| Nobody | fp32 | failed | – | – | – |"
    assert format_verdict([OURS, NOBODY], {}) == "This library was not measured."
