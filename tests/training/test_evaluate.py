from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import precision_recall_fscore_support
from torch import nn

from helpers.data.splits import Split
from helpers.training import Evaluation
from helpers.training.evaluate import images_per_pass

CLASSES = ("ant", "bee", "cup", "dog", "eel", "fox")
FACTORS = {"row": ("top", "bottom"), "column": ("left", "middle", "right")}


@pytest.fixture
def evaluation() -> Evaluation:
    """Sixty guesses, half of them right; no image is a fox or taken for one."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 5
    logits = torch.randn(60, 6, generator=generator) + 2 * F.one_hot(labels, 6)
    logits[:, 5] = -10
    return Evaluation(logits.softmax(1), labels, F.cross_entropy(logits, labels).item())


def test_the_scores_are_those_of_scikit_learn(evaluation: Evaluation) -> None:
    table = evaluation.scores(CLASSES)
    expected = precision_recall_fscore_support(
        evaluation.labels, evaluation.predictions, labels=range(5)
    )
    for column, values in zip(
        ("precision", "recall", "F-score", "images"), expected, strict=True
    ):
        assert list(table[column][:5]) == pytest.approx(list(values))
    assert evaluation.f1_macro == pytest.approx(expected[2].mean())
    assert evaluation.mean_class_accuracy == pytest.approx(expected[1].mean())


def test_an_accuracy_that_is_its_bound_reaches_it() -> None:
    labels = (torch.arange(100) < 71).long()
    sure = F.one_hot(torch.ones(100, dtype=torch.long), 2).float()
    assert Evaluation(sure, labels, 0.0).accuracy >= 0.71


def test_a_class_that_is_not_there_has_no_score(evaluation: Evaluation) -> None:
    assert (
        evaluation.scores(CLASSES)
        .iloc[5][["precision", "recall", "F-score"]]
        .isna()
        .all()
    )
    assert evaluation.per_class_f1[5].isnan()


def test_factors_are_judged_on_their_own(evaluation: Evaluation) -> None:
    own = evaluation.by_factor(FACTORS)
    rows, columns = evaluation.labels // 3, evaluation.labels % 3
    assert torch.equal(own["row"].labels, rows)
    assert torch.equal(own["column"].labels, columns)
    top = evaluation.probabilities[:, :3].sum(1)
    torch.testing.assert_close(
        own["row"].probabilities, torch.stack((top, 1 - top), dim=1)
    )
    assert own["row"].accuracy == pytest.approx(
        ((top < 0.5).long() == rows).float().mean().item()
    )
    assert own["row"].loss == pytest.approx(
        F.nll_loss(own["row"].probabilities.log(), rows).item()
    )
    assert evaluation.accuracy <= min(head.accuracy for head in own.values())


def test_a_head_that_is_sure_has_no_loss_below_zero() -> None:
    above = torch.tensor([[0.75, 0.25 + 1e-7, 0.0, 0.0, 0.0, 0.0]])
    assert above[0, :3].sum() > 1  # as sums round
    own = Evaluation(above, torch.tensor([0]), 0.3).by_factor(FACTORS)
    assert own["row"].loss == 0


def test_a_gpu_is_given_many_images_at_once_and_a_cpu_as_many_as_ever() -> None:
    gpu = nn.Linear(1, 1, device="meta")  # of any accelerator
    sides = {
        side: Split(torch.zeros(1, 3, side, side), torch.zeros(1), ("0",))
        for side in (32, 64, 224)
    }
    assert [images_per_pass(gpu, split) for split in sides.values()] == [
        4096,
        1024,
        256,
    ]
    assert {images_per_pass(nn.Linear(1, 1), one) for one in sides.values()} == {256}
    gpu.features = nn.Module()
    gpu.features.size = 64  # as FeatureNet has it, which enlarges its images
    assert images_per_pass(gpu, sides[32]) == 1024
