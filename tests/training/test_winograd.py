from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.base.errors import ConfigError
from helpers.data.splits import Splits
from helpers.training import Experiment, TrainConfig, fit
from helpers.training import winograd as module
from helpers.training.device import choose_arithmetic
from helpers.training.evaluate import evaluate
from helpers.training.winograd import WinogradConvolutions, is_eligible, winograd_conv2d

ROUNDING = 3e-5  # of the largest value


def _close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= ROUNDING * expected.abs().max())


def _drawn(*shape: int) -> Tensor:
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(sum(shape))
    ).requires_grad_()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(2, 2), (4, 4), (8, 12), (5, 9), (7, 6), (16, 3)])
def test_it_is_the_convolution_and_its_gradients(
    size: tuple[int, int], layout: torch.memory_format
) -> None:
    inputs = (_drawn(3, 5, *size), _drawn(4, 5, 3, 3), _drawn(4))
    images, weight, bias = (
        x.detach().contiguous(memory_format=layout) if x.ndim == 4 else x
        for x in inputs
    )
    inputs = (images.requires_grad_(), weight.requires_grad_(), bias)
    expected = F.conv2d(*inputs, padding=1)
    found = winograd_conv2d(*inputs)
    assert found.shape == expected.shape
    assert _close(found, expected)
    back = torch.randn_like(expected)
    for own, right in zip(
        torch.autograd.grad(found, inputs, back),
        torch.autograd.grad(expected, inputs, back),
        strict=True,
    ):
        assert own.shape == right.shape
        assert _close(own, right)


def test_images_and_filters_that_need_no_gradient_get_none() -> None:
    images, weight = _drawn(2, 3, 4, 4), _drawn(3, 3, 3, 3)
    winograd_conv2d(images.detach(), weight).sum().backward()
    winograd_conv2d(images, weight.detach()).sum().backward()
    expected = torch.autograd.grad(
        F.conv2d(images, weight, padding=1).sum(), (images, weight)
    )
    assert images.grad is not None
    assert weight.grad is not None
    assert _close(images.grad, expected[0])
    assert _close(weight.grad, expected[1])


def test_a_gradient_of_a_gradient_is_refused() -> None:
    images, back = _drawn(1, 2, 4, 4), _drawn(1, 3, 4, 4)
    [first] = torch.autograd.grad(
        winograd_conv2d(images, _drawn(3, 2, 3, 3)), images, back, create_graph=True
    )
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.sum().backward()


def _convolution(
    channels: int = 32, kernel_size: int = 3, **settings: int | str
) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel_size, **{"padding": 1, **settings})  # type: ignore[arg-type]  # str is for padding


@pytest.mark.parametrize(
    ("layer", "taken"),
    [
        (_convolution(), True),
        (_convolution(bias=False), True),
        (_convolution(channels=16), False),
        (_convolution(kernel_size=5, padding=2), False),
        (_convolution(stride=2), False),
        (_convolution(padding=0), False),
        (_convolution(padding="same"), False),
        (_convolution(dilation=2), False),
        (_convolution(groups=2), False),
        (_convolution(padding_mode="reflect"), False),
    ],
)
def test_a_layer_takes_it_where_it_can_and_gives_the_same_without(
    layer: nn.Conv2d, taken: bool
) -> None:
    images = _drawn(2, layer.in_channels, 8, 8)
    with patch.object(module, "winograd_conv2d", wraps=winograd_conv2d) as calls:
        with WinogradConvolutions():
            found = layer(images)
        assert calls.called is taken
        assert _close(found, layer(images))
        assert calls.call_count == taken  # outside the block nothing is taken


def test_other_types_and_single_pixels_are_not_eligible() -> None:
    images, weight = torch.zeros(1, 32, 8, 8), torch.zeros(32, 32, 3, 3)
    assert is_eligible(images, weight, None, 1, 1)
    assert not is_eligible(images.double(), weight.double(), None, 1, 1)
    assert not is_eligible(images.bfloat16(), weight.bfloat16(), None, 1, 1)
    assert not is_eligible(images[..., :1], weight, None, 1, 1)
    assert not is_eligible(images[0], weight, None, 1, 1)


def test_it_is_for_float32_on_a_cpu_only() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert choose_arithmetic(cpu, "fp32", winograd=True).winograd
    assert not choose_arithmetic(cpu, "fp32").winograd
    assert not choose_arithmetic(cpu, "bf16", winograd=True).winograd
    assert not choose_arithmetic(gpu, "fp32", winograd=True).winograd


def test_training_and_evaluation_take_it_and_agree_with_direct_convolutions(
    corners: Splits,
) -> None:
    direct = TrainConfig(
        epochs=1, batch_size=32, optimizer="sgd", lr=0.01, precision="fp32"
    )
    losses = {}
    for name, config in (
        ("direct", direct),
        ("winograd", replace(direct, winograd=True)),
    ):
        experiment = Experiment(
            "conv_net", config, {"hidden_sizes": [32, 32, 32], "image_size": 16}
        )
        model = experiment.build(corners, seed=0)
        with patch.object(module, "winograd_conv2d", wraps=winograd_conv2d) as calls:
            history = fit(model, corners, config)
            trained = calls.call_count
            mean, std = corners.channel_stats()
            judged = evaluate(
                model,
                corners.valid,
                mean=mean,
                std=std,
                precision=config.precision,
                winograd=config.winograd,
            )
            evaluated = calls.call_count - trained
        assert bool(trained) == bool(evaluated) == config.winograd
        losses[name] = (
            history.rows[0]["train_loss"],
            history.rows[0]["valid_loss"],
            judged.loss,
        )
    assert losses["winograd"] == pytest.approx(losses["direct"], rel=1e-4)


def test_it_cannot_be_compiled_too() -> None:
    with pytest.raises(
        ConfigError,
        match="winograd is True: expected False where the network is compiled",
    ):
        TrainConfig(winograd=True, compile=True)
