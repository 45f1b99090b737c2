from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from helpers.base.errors import ConfigError
from helpers.training.device import choose_device, choose_dtype, has_fast_bf16


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda"):
        choose_device("abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="sees no GPU"):
        choose_device("cuda")


def test_precision_follows_the_device() -> None:
    cpu = torch.device("cpu")
    assert choose_dtype("fp32", cpu) == torch.float32
    assert choose_dtype("bf16", cpu) == torch.bfloat16
    assert (choose_dtype("auto", cpu) == torch.bfloat16) == has_fast_bf16(cpu)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="counts page faults of glibc"
)
def test_any_forward_pass_on_a_cpu_keeps_memory_which_spares_page_faults() -> None:
    script = """
import resource, torch
from helpers.training.device import choose_arithmetic
torch.set_num_threads(1)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(4_000_000).sum()  # 16 MB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
plain = faults()
with choose_arithmetic(torch.device('cpu'), 'fp32').in_use():
    faults()
print(plain, faults())
"""
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout
    plain, kept = map(int, output.split())
    assert kept < plain / 10
