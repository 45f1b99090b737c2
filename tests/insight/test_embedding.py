from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers.base.errors import ConfigError
from helpers.insight.embedding import embed


def clouds() -> tuple[Tensor, Tensor]:
    """Three clouds of 20 points each in eight dimensions, and which is whose."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat_interleave(20)
    centres = 6 * torch.randn(3, 8, generator=generator)
    return centres[labels] + torch.randn(60, 8, generator=generator), labels


def test_neighbours_stay_neighbours() -> None:
    features, labels = clouds()
    found = embed(features, perplexity=10)
    assert found.points.shape == (60, 2)
    assert 0 < found.divergence < 2
    nearest = torch.cdist(found.points, found.points).topk(6, largest=False).indices
    same = labels[nearest[:, 1:]] == labels[:, None]  # without the point itself
    assert same.float().mean() > 0.95


def test_the_same_seed_gives_the_same_plane() -> None:
    features, _ = clouds()
    first, again = (embed(features, perplexity=10, seed=1).points for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("perplexity", [0, 60])
def test_a_perplexity_that_does_not_fit_is_refused(perplexity: float) -> None:
    with pytest.raises(ConfigError, match=f"perplexity is {perplexity} for 60 images"):
        embed(clouds()[0], perplexity=perplexity)


@pytest.mark.parametrize(
    "features",
    [
        torch.full((60, 10), 0.1),
        1e-30 * torch.eye(60),
        1e30 * torch.eye(60),
        torch.randn(60, 10).index_fill(0, torch.tensor([3]), float("nan")),
        torch.randn(60, 10).index_fill(1, torch.tensor([3]), float("inf")),
        torch.randn(60, 1),
    ],
    ids=["equal", "tiny", "huge", "nan", "inf", "one"],
)
def test_features_that_would_crash_are_refused(features: Tensor) -> None:
    with pytest.raises(ConfigError, match="cannot be embedded: expected at least two"):
        embed(features)


def test_the_perplexity_counts() -> None:
    features, _ = clouds()
    few, many = (embed(features, perplexity=p).points for p in (3, 18))
    assert not torch.allclose(few, many)
