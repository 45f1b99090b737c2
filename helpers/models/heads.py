"""Networks with several heads, for classes that combine factors.

A line is long or short, thin or thick, red or blue, at one of twelve angles: each
factor has a head of its own. All heads' outputs lie side by side in one tensor (B, D);
``class_logits`` turns it into logits of the combined classes.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

Factors = Mapping[str, Sequence[str]]  # class names by factor


class Heads:
    """The heads of a network and their places in its output.

    A head of two classes is one neuron, for a sigmoid; one of k > 2 classes is k
    neurons, for a softmax. Of the combined classes, the last head's changes fastest.

    Args:
        factors: for each head, in order, its class names, two or more.
    """

    def __init__(self, factors: Factors) -> None:
        self.factors = {name: tuple(names) for name, names in factors.items()}
        self.shape = _shape(factors)  # classes of each head
        self.widths = [1 if classes == 2 else classes for classes in self.shape]
        self.num_classes = math.prod(self.shape)  # K

    def logits(self, outputs: Tensor) -> dict[str, Tensor]:
        """Outputs (B, D) to each head's logits (B, k), for a softmax.

        The one neuron z of a sigmoid head becomes (-z/2, z/2): its softmax is
        (1 - sigmoid(z), sigmoid(z)), its cross-entropy the binary one of z.
        """
        parts = outputs.split(self.widths, dim=1)
        pairs = (
            torch.cat((-part / 2, part / 2), dim=1) if part.shape[1] == 1 else part
            for part in parts
        )
        return dict(zip(self.factors, pairs, strict=True))

    def joint_logits(self, outputs: Tensor) -> Tensor:
        """Outputs (B, D) to log-probabilities (B, K) of the combined classes: sums of
        the heads' own, which are independent given the image.
        """
        joint = outputs.new_zeros(len(outputs), 1)
        for logits in self.logits(outputs).values():
            joint = (joint[:, :, None] + logits.log_softmax(1)[:, None, :]).flatten(1)
        return joint


def heads_of(model: nn.Module) -> Heads | None:
    """The heads of a network that has several."""
    heads = getattr(model, "heads", None)
    return heads if isinstance(heads, Heads) else None


def class_logits(model: nn.Module, outputs: Tensor) -> Tensor:
    """The outputs of any network to logits (B, K) of its classes."""
    heads = heads_of(model)
    return outputs if heads is None else heads.joint_logits(outputs)


def marginals(joint: Tensor, factors: Factors) -> dict[str, Tensor]:
    """Probabilities or soft targets of combined classes (N, K) to those of each
    factor's classes (N, k).
    """
    table = joint.unflatten(1, (*_shape(factors), 1))  # (N, k1, k2, …, 1)
    axes = set(range(1, table.ndim))  # always another one to sum over
    return {
        name: table.sum(dim=tuple(axes - {own}))
        for own, name in enumerate(factors, start=1)
    }


def factor_labels(labels: Tensor, factors: Factors) -> dict[str, Tensor]:
    """Labels of combined classes (N,) to each factor's labels (N,)."""
    parts = torch.unravel_index(labels, _shape(factors))
    return dict(zip(factors, parts, strict=True))


def _shape(factors: Factors) -> tuple[int, ...]:
    return tuple(map(len, factors.values()))
