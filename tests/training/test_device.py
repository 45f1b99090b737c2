from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from helpers.base.errors import ConfigError
from helpers.training.device import (
    _has_idle_taps,
    choose_arithmetic,
    choose_device,
    has_fast_bf16,
)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda"):
        choose_device("abacus")


@pytest.mark.parametrize("name", ["mps", "meta", "cuda:x", "cpu:cuda", ""])
def test_another_kind_of_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda"):
        choose_device(name)


def test_a_gpu_that_is_not_among_those_here_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ConfigError, match=r"sees 2 GPUs, counted from 0"):
        choose_device("cuda:2")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="sees no GPU"):
        choose_device("cuda")


def test_precision_follows_the_device() -> None:
    cpu = torch.device("cpu")
    chosen = {p: choose_arithmetic(cpu, p).dtype for p in ("fp32", "bf16", "auto")}
    assert chosen["fp32"] == torch.float32
    assert chosen["bf16"] == torch.bfloat16
    assert (chosen["auto"] == torch.bfloat16) == has_fast_bf16(cpu)


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


def test_convolutions_with_idle_taps_give_the_same_gradients_each_time() -> None:
    torch.manual_seed(0)
    images = torch.randn(64, 192, 1, 1)
    weight = torch.randn(192, 1, 3, 3, requires_grad=True)
    arithmetic = choose_arithmetic(torch.device("cpu"), "bf16")
    for _ in range(20):
        junk = [torch.full((size,), float("nan")) for size in (1728, 2048, 3456) * 20]
        del junk  # what lies in freed memory
        with arithmetic.in_use():
            maps = F.conv2d(images, weight, stride=2, padding=1, groups=192)
        assert maps.dtype == torch.bfloat16
        (gradient,) = torch.autograd.grad(maps.float().sum(), weight)
        assert gradient[:, 0, 1, 1].abs().min() > 0
        gradient[:, 0, 1, 1] = 0
        assert gradient.eq(0).all()


def test_a_convolution_may_name_its_arguments() -> None:
    images, weight = torch.randn(2, 3, 1, 1), torch.randn(4, 3, 3, 3)
    with choose_arithmetic(torch.device("cpu"), "bf16").in_use():
        maps = F.conv2d(input=images, weight=weight, padding=1)
        assert torch.equal(maps, F.conv2d(images, weight, padding=1))
    assert maps.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("side", "taps", "settings", "idle"),  # stride, padding and dilation
    [
        (1, 3, (2, 1, 1), True),
        (2, 3, (2, 1, 1), True),
        (3, 3, (2, 1, 1), False),
        (2, 3, (1, 1, 1), False),
        (2, 3, (1, 2, 2), True),
        (3, 3, (1, 2, 2), False),
        (1, 5, (1, 2, 1), True),
        (8, 5, (2, 2, 1), False),
        (4, 1, (2, 0, 1), False),
    ],
)
def test_a_tap_is_idle_where_it_meets_no_pixel(
    side: int, taps: int, settings: tuple[int, int, int], idle: bool
) -> None:
    images, weight = torch.ones(1, 1, side, side), torch.ones(1, 1, taps, taps)
    weight.requires_grad_()
    maps = F.conv2d(images, weight, None, *settings)
    (gradient,) = torch.autograd.grad(maps.sum(), weight)  # how often each is used
    assert bool((gradient == 0).any()) == idle
    assert _has_idle_taps(images, weight, None, *settings) == idle
    stride, padding, dilation = settings
    for name, pixels in (("same", dilation * (taps - 1) // 2), ("valid", 0)):
        if stride == 1 and padding == pixels:
            assert _has_idle_taps(images, weight, None, 1, name, dilation) == idle
