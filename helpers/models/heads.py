"""Networks with several outputs: what their one tensor means, head by head and for all
heads together.

The classes of some data sets combine factors: a line is long or short, thin or thick,
red or blue, and lies at one of twelve angles. A multi-head network answers each factor
with a head of its own. All heads' outputs lie side by side in one tensor (B, D), so
that whatever takes a network and its output takes this one too; ``class_logits`` turns
them into what a plain classifier of the combined classes puts out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError


class Heads:
    """The heads of a network and their places in its output.

    A head for two classes is one neuron, to be read through a sigmoid; one for k > 2
    classes is k neurons, to be read through a softmax. The combined classes are
    numbered row by row: the last head's class changes fastest.

    Args:
        factors: for each head its class names, at least two, in the order of the heads.

    Raises:
        ModelError: there is no head, or one has fewer than two classes.
    """

    def __init__(self, factors: Mapping[str, Sequence[str]]) -> None:
        if not factors or any(len(names) < 2 for names in factors.values()):
            raise ModelError(
                "A multi-head network needs heads of two classes or more each, not "
                f"{dict(factors)}."
            )
        self.factors = {name: tuple(names) for name, names in factors.items()}
        self.widths = [
            1 if len(names) == 2 else len(names) for names in self.factors.values()
        ]

    @property
    def shape(self) -> tuple[int, ...]:
        """Classes of each head."""
        return tuple(map(len, self.factors.values()))

    @property
    def num_outputs(self) -> int:
        """Neurons of all heads together: D."""
        return sum(self.widths)

    @property
    def num_classes(self) -> int:
        """Combinations of the heads' classes: K."""
        return math.prod(self.shape)

    def logits(self, outputs: Tensor) -> dict[str, Tensor]:
        """What each head says: outputs (B, D) to logits (B, k), of which softmax gives
        the head's probabilities.

        The one neuron z of a sigmoid head becomes the pair (-z/2, z/2): its softmax is
        (1 - sigmoid(z), sigmoid(z)), and its cross-entropy is the binary cross-entropy
        of z.
        """
        parts = outputs.split(self.widths, dim=1)
        pairs = (
            torch.cat((-part / 2, part / 2), dim=1) if part.shape[1] == 1 else part
            for part in parts
        )
        return dict(zip(self.factors, pairs, strict=True))

    def joint_logits(self, outputs: Tensor) -> Tensor:
        """Outputs (B, D) to log-probabilities (B, K) of the combined classes: the
        heads' own, added up.

        The heads answer independently, given the image; so the cross-entropy of these
        is the sum of the heads' own.
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
    """What ``model`` says about each class: its outputs to logits (B, K), whatever its
    heads.

    A plain classifier's outputs are just that; those of a network with ``heads`` become
    the log-probabilities of the combined classes. Either way softmax gives the
    probabilities.
    """
    heads = heads_of(model)
    return outputs if heads is None else heads.joint_logits(outputs)


def marginals(joint: Tensor, factors: Mapping[str, Sequence[str]]) -> dict[str, Tensor]:
    """Probabilities or soft targets of combined classes (N, K) to those of each
    factor's classes (N, k).
    """
    shape = tuple(map(len, factors.values()))
    table = joint.unflatten(1, shape)  # (N, k1, k2, …)
    axes = range(1, len(shape) + 1)
    return {
        name: table.sum(dim=[axis for axis in axes if axis != own])
        if len(shape) > 1
        else joint
        for own, name in zip(axes, factors, strict=True)
    }


def factor_labels(
    labels: Tensor, factors: Mapping[str, Sequence[str]]
) -> dict[str, Tensor]:
    """Combined labels (N,), numbered row by row, to the label of each factor (N,)."""
    parts = torch.unravel_index(labels, tuple(map(len, factors.values())))
    return dict(zip(factors, parts, strict=True))
