"""Features of many images on a plane: t-SNE."""

from typing import NamedTuple

import torch
from sklearn.manifold import TSNE
from torch import Tensor

from helpers.base.errors import ConfigError

SMALLEST, LARGEST = 1e-15, 1e15


class Embedding(NamedTuple):
    """Points on a plane, one for each image: float32 (N, 2), whose axes have no
    meaning; and the divergence (Kullback and Leibler) that t-SNE is left with, in nats.
    """

    points: Tensor
    divergence: float


def embed(features: Tensor, *, perplexity: float = 30.0, seed: int = 0) -> Embedding:
    """t-SNE (van der Maaten and Hinton 2008) from principal components.

    Args:
        features: float (N, D); more axes, as of maps, are flattened.
        perplexity: about how many neighbours of each image count; less than N.
        seed: of what is left to chance.

    Raises:
        ConfigError: the perplexity is not within 0 and N; or the features are all
            equal, not finite, or one an image.
    """
    values = features.flatten(1).float()
    if not 0 < perplexity < len(values):
        raise ConfigError(
            f"The perplexity is {perplexity} for {len(values)} images: expected more "
            "than 0, and less."
        )
    spread = (values - values[0]).abs().amax().item()
    # Beyond these, squared distances are 0 or infinite, and scikit-learn crashes.
    if values.shape[1] < 2 or not SMALLEST < spread < LARGEST:
        raise ConfigError(
            f"Features {tuple(values.shape)} that differ by at most {spread:g} cannot "
            "be embedded: expected at least two for each image, finite and not all "
            "equal. Choose another layer."
        )
    tsne = TSNE(perplexity=perplexity, random_state=seed)
    points = torch.from_numpy(tsne.fit_transform(values.numpy()))
    return Embedding(points.float(), float(tsne.kl_divergence_))
