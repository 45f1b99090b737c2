from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.models.heads import Heads, class_logits, factor_labels, marginals

FACTORS = {
    "size": ("small", "large"),
    "hue": ("red", "green", "blue"),
    "lit": ("no", "yes"),
}


@pytest.fixture
def heads() -> Heads:
    return Heads(FACTORS)


@pytest.fixture
def outputs() -> torch.Tensor:
    return torch.randn(
        5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )


def test_two_classes_are_one_neuron_and_more_are_one_each(heads: Heads) -> None:
    assert heads.widths == [1, 3, 1]
    assert heads.num_classes == 12


def test_the_pair_of_a_sigmoid_head_is_its_sigmoid_and_its_binary_cross_entropy(
    heads: Heads, outputs: torch.Tensor
) -> None:
    pair = heads.logits(outputs)["size"]
    torch.testing.assert_close(pair.softmax(1)[:, 1], outputs[:, 0].sigmoid())
    labels = torch.tensor([0, 1, 1, 0, 1])
    binary = F.binary_cross_entropy_with_logits(outputs[:, 0], labels.double())
    torch.testing.assert_close(F.cross_entropy(pair, labels), binary)


def test_the_joint_probabilities_are_the_products_row_by_row(
    heads: Heads, outputs: torch.Tensor
) -> None:
    each = [logits.softmax(1) for logits in heads.logits(outputs).values()]
    joint = heads.joint_logits(outputs).softmax(1)
    assert joint.shape == (5, 12)
    labels = factor_labels(torch.arange(12), FACTORS)
    for k in range(12):
        product = (
            each[0][:, labels["size"][k]]
            * each[1][:, labels["hue"][k]]
            * each[2][:, labels["lit"][k]]
        )
        torch.testing.assert_close(joint[:, k], product)
    assert [labels[name][7].item() for name in FACTORS] == [1, 0, 1]


def test_the_joint_cross_entropy_is_the_sum_of_the_heads_own(
    heads: Heads, outputs: torch.Tensor
) -> None:
    labels = torch.tensor([0, 3, 5, 8, 11])
    own = factor_labels(labels, FACTORS)
    parts = [
        F.cross_entropy(logits, own[name])
        for name, logits in heads.logits(outputs).items()
    ]
    torch.testing.assert_close(
        F.cross_entropy(heads.joint_logits(outputs), labels), torch.stack(parts).sum()
    )


def test_marginals_give_the_heads_back(heads: Heads, outputs: torch.Tensor) -> None:
    found = marginals(heads.joint_logits(outputs).softmax(1), FACTORS)
    for name, logits in heads.logits(outputs).items():
        torch.testing.assert_close(found[name], logits.softmax(1))


def test_a_single_factor_is_the_classes_themselves(outputs: torch.Tensor) -> None:
    found = marginals(outputs.softmax(1), {"only": tuple("abcde")})
    torch.testing.assert_close(found["only"], outputs.softmax(1))


def test_a_plain_classifier_says_what_it_says(outputs: torch.Tensor) -> None:
    assert class_logits(nn.Linear(1, 5), outputs) is outputs
