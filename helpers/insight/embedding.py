"""Features of many images on a plane, such that neighbours stay neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from helpers.base.errors import ConfigError


@dataclass(frozen=True)
class Embedding:
    """Points on a plane, one for each image.

    Attributes:
        points: float32 (N, 2); its axes have no meaning.
        perplexity: about how many neighbours each image was given.
        seed: of the random numbers.
        divergence: Kullback–Leibler divergence between the neighbourhoods of the
            features and those of the points, in nats: what the plane could not show.
    """

    points: Tensor
    perplexity: float
    seed: int
    divergence: float


def embed(features: Tensor, *, perplexity: float = 30.0, seed: int = 0) -> Embedding:
    """t-SNE (van der Maaten and Hinton 2008) by scikit-learn, from principal
    components.

    Args:
        features: float (N, D); more axes, as of maps, are taken together.
        perplexity: about how many neighbours of each image count; less than N.
        seed: of what is left to chance; the points start at the principal components.

    Raises:
        ConfigError: the perplexity is not positive, or not less than the number of
            images.
    """
    values = features.flatten(1).float().numpy()
    if not 0 < perplexity < len(values):
        raise ConfigError(
            f"The perplexity is {perplexity} for {len(values)} images: expected more "
            "than 0, and less."
        )
    tsne = TSNE(
        perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed
    )
    points = tsne.fit_transform(values)
    return Embedding(
        torch.from_numpy(np.asarray(points, np.float32)),
        perplexity,
        seed,
        float(tsne.kl_divergence_),
    )


def neighbour_agreement(
    points: Tensor, labels: Tensor, *, neighbours: int = 10
) -> float:
    """The mean share of each point's nearest ``neighbours`` that have its label, 0–1.

    Args:
        points: (N, D), on the plane or before.
        labels: ``int64`` (N,).
        neighbours: how many are asked, at most N - 1.
    """
    found = NearestNeighbors(n_neighbors=min(neighbours, len(points) - 1)).fit(
        points.numpy()
    )
    nearest = torch.from_numpy(
        found.kneighbors(return_distance=False)
    )  # (N, neighbours), without the point itself
    return (labels[nearest] == labels[:, None]).float().mean().item()
