from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.insight.filters import FilterPictures, filter_pictures, weight_pictures
from helpers.models.lenet5 import LeNet5
from helpers.models.resnet18 import ResNet18

SIZE = 16


@pytest.fixture
def model() -> nn.Sequential:
    """Colour and edge filters with a ReLU in place, a frozen normalisation and a
    classifier, all in training.
    """
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 5, padding=2),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(4 * SIZE**2, 6),
    )
    model.train()
    model[1].eval()
    return model


def find(
    model: nn.Module,
    layer: str,
    channels: int = 3,
    filters: Sequence[int] = range(4),
    **options: object,
) -> FilterPictures:
    return filter_pictures(
        model,
        layer,
        image_size=SIZE,
        filters=filters,
        mean=[0.5] * channels,
        std=[0.25] * channels,
        **options,
    )


def roughness(images: Tensor) -> float:
    return float(images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean())


@pytest.mark.parametrize(("layer", "count"), [("0", 4), ("1", 4), ("2", 4), ("4", 6)])
def test_the_response_of_every_filter_rises(
    model: nn.Sequential, layer: str, count: int
) -> None:
    found = find(model, layer, filters=range(count), steps=12, jitter=0)
    assert found.filters == tuple(range(count))
    assert found.images.shape == (count, 3, SIZE, SIZE)
    assert 0 <= found.images.min() < found.images.max() <= 1
    assert found.responses.shape == (13, count)
    assert (found.responses[-1] > found.responses[0]).all()


def test_responses_are_those_of_the_returned_images(model: nn.Sequential) -> None:
    found = find(model, "0", filters=[2, 0], steps=3)
    maps = model[0]((found.images - 0.5) / 0.25).relu().mean(dim=(2, 3))
    assert torch.allclose(
        found.responses[-1], torch.stack([maps[0, 2], maps[1, 0]]), atol=1e-5
    )


def test_regularised_pictures_are_smoother_than_those_of_the_plain_ascent(
    model: nn.Sequential,
) -> None:
    model[0].weight.data = torch.randn_like(model[0].weight) / 4
    clean, plain = find(model, "0"), find(model, "0", blur=0, jitter=0)
    assert roughness(clean.images) < 0.7 * roughness(plain.images)
    assert (clean.responses[-1] > 10 * clean.responses[0].clamp(min=0.01)).all()


def test_an_edge_filter_is_found_as_edges_and_a_colour_filter_as_colour(
    model: nn.Sequential,
) -> None:
    model[0].weight.data.zero_()
    model[0].bias.data.zero_()
    model[0].weight.data[0, :, :, :2], model[0].weight.data[0, :, :, 3:] = -1, 1
    model[0].weight.data[1, 0], model[0].weight.data[1, 1:] = 1, -1
    edges, colour = find(model, "0", filters=[0, 1]).images
    across, down = edges.diff(dim=2).abs().mean(), edges.diff(dim=1).abs().mean()
    assert across > 1.5 * down
    assert colour[0].mean() > 0.8
    assert colour[1:].mean() < 0.2


def test_a_filter_that_is_silent_on_the_blank_image_is_not_stuck(
    model: nn.Sequential,
) -> None:
    model[0].bias.data.fill_(-0.3)
    for layer in ("0", "2"):
        found = find(model, layer, steps=40)
        assert (found.responses[0] == 0).all()
        assert (found.responses[-1] > 0).all()


def test_a_filter_that_nothing_excites_stays_at_zero(model: nn.Sequential) -> None:
    model[0].weight.data[0] = 0
    model[0].bias.data[0] = -1
    found = find(model, "0", steps=5)
    assert found.responses[-1, 0] == 0
    assert (found.images[0] - 0.5).abs().max() < 0.05


def test_pictures_are_always_the_same_and_the_global_generator_is_left_alone(
    model: nn.Sequential,
) -> None:
    state = torch.get_rng_state()
    first, again = (find(model, "0", steps=3) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_model_is_left_as_it_was(model: nn.Sequential) -> None:
    model[4].weight.requires_grad_(False)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes, wanted = (
        [m.training for m in model.modules()],
        [p.requires_grad for p in model.parameters()],
    )
    with torch.no_grad():
        find(model, "2", steps=2)
    with pytest.raises(ModelError):
        find(model, "9")
    assert all(
        torch.equal(value, state[name]) for name, value in model.state_dict().items()
    )
    assert [m.training for m in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == wanted
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_residual_branches_one_channel_and_shared_layers() -> None:
    torch.manual_seed(0)
    for layer in ("layer1.0.conv2", "layer2.0.downsample.0", "layer1", "layer2.0.relu"):
        found = find(
            ResNet18(num_classes=3, in_channels=1),
            layer,
            channels=1,
            filters=[0, 5],
            steps=2,
        )
        assert found.images.shape == (2, 1, SIZE, SIZE)
    assert find(
        LeNet5(3, 1, SIZE), "relu", channels=1, filters=[83], steps=2
    ).responses.shape == (3, 1)


def test_what_cannot_be_drawn_is_refused(model: nn.Sequential) -> None:
    with pytest.raises(ModelError, match="no layer 'conv9': known are 0, 1, 2, 3, 4"):
        find(model, "conv9")
    with pytest.raises(ModelError, match="has filters 0 to 3: choose some of these"):
        find(model, "0", filters=[4])
    with pytest.raises(ModelError, match="has filters"):
        find(model, "0", filters=[])
    with pytest.raises(ModelError, match=r"'0' works on \(1, 3, 256\)"):
        find(nn.Sequential(nn.Flatten(2)), "0")


def test_a_picture_has_zero_at_mid_gray_and_its_own_scale() -> None:
    filters = torch.tensor([[-2.0, 0.0, 1.0], [0.0, 0.1, 0.0]]).view(2, 3, 1, 1)
    pictures = weight_pictures(filters).view(2, 3)
    assert torch.allclose(pictures, torch.tensor([[0.0, 0.5, 0.75], [0.5, 1.0, 0.5]]))
    assert weight_pictures(torch.zeros(1, 3, 2, 2)).unique().tolist() == [0.5]
