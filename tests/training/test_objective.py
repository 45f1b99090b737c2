from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from training.conftest import stop_before_epoch

from helpers.base.errors import ConfigError
from helpers.data.splits import Splits
from helpers.models import LeNet5, MultiHeadCNN
from helpers.models.heads import factor_labels
from helpers.training import Experiment, TrainConfig, fit, run_experiments
from helpers.training.config import CHOICES
from helpers.training.objective import HeadsObjective, make_objective

FACTORS = {"row": ("top", "bottom"), "column": ("left", "middle", "right")}
WEIGHTS = {"row": 2.0, "column": 0.5}


@pytest.fixture
def model() -> MultiHeadCNN:
    torch.manual_seed(0)
    return MultiHeadCNN(6, heads=FACTORS, widths=(4, 8), hidden=8)


@pytest.fixture
def quadrants(corners: Splits) -> Splits:
    """The corners, each one of two rows and two columns."""
    return replace(
        corners, factors={"row": ("top", "bottom"), "column": ("left", "right")}
    )


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    return F.one_hot(labels, 6).float()


def test_the_heads_loss_is_binary_cross_entropy_and_cross_entropy_weighted(
    model: nn.Module,
) -> None:
    outputs, labels = torch.randn(5, 4), torch.tensor([0, 1, 3, 5, 5])
    own = factor_labels(labels, FACTORS)
    row = F.binary_cross_entropy_with_logits(outputs[:, 0], own["row"].float())
    column = F.cross_entropy(outputs[:, 1:], own["column"])
    weighted = make_objective(model, TrainConfig(head_weights=WEIGHTS))(
        outputs, one_hot(labels)
    )
    torch.testing.assert_close(weighted, 2 * row + 0.5 * column)
    learned = make_objective(model, TrainConfig(head_weights="learned"))
    assert isinstance(learned, HeadsObjective)
    torch.testing.assert_close(learned(outputs, one_hot(labels)), row + column)
    with torch.no_grad():
        learned.log_variances.copy_(torch.tensor([0.5, -1.0]))  # type: ignore[union-attr]  # it is learned
    expected = row * torch.tensor(-0.5).exp() + column * torch.tensor(1.0).exp() - 0.25
    torch.testing.assert_close(learned(outputs, one_hot(labels)), expected)


@pytest.mark.parametrize("loss", CHOICES["loss"])
def test_every_loss_is_least_where_the_logits_say_the_targets(loss: str) -> None:
    objective = make_objective(
        nn.Linear(1, 1), TrainConfig(loss=loss, label_smoothing=0.1)
    )
    targets = one_hot(torch.tensor([2, 4]))
    smoothed = targets * 0.9 + 0.1 / 6
    best = {
        "cross_entropy": smoothed.log(),
        "binary_cross_entropy": smoothed.logit(),
        "squared_error": smoothed,
    }[loss].requires_grad_()
    objective(best, targets).backward()
    assert best.grad is not None
    torch.testing.assert_close(best.grad, torch.zeros_like(best), atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss", CHOICES["loss"])
def test_every_loss_trains(corners: Splits, loss: str) -> None:
    torch.manual_seed(0)
    config = TrainConfig(
        epochs=4, batch_size=16, optimizer="adam", lr=1e-3, loss=loss, precision="fp32"
    )
    history = fit(LeNet5(4, image_size=16), corners, config)
    assert history.rows[-1]["valid_accuracy"] > 0.9


def test_weights_for_other_heads_or_none_at_all_are_refused(model: nn.Module) -> None:
    with pytest.raises(ConfigError, match="row, column"):
        make_objective(model, TrainConfig(head_weights={"row": 1.0}))
    with pytest.raises(ConfigError, match="has no heads"):
        make_objective(nn.Linear(1, 1), TrainConfig(head_weights=WEIGHTS))


def test_a_multi_head_network_is_trained_and_judged_head_by_head(
    quadrants: Splits, tmp_path: Path
) -> None:
    config = TrainConfig(
        epochs=6,
        batch_size=16,
        optimizer="adam",
        lr=3e-3,
        head_weights="learned",
        precision="fp32",
    )
    arguments = {"heads": quadrants.factors, "widths": (4, 8), "hidden": 8}
    experiment = Experiment("multi_head_cnn", config, arguments)
    trained = run_experiments(
        {"heads": experiment}, quadrants, seeds=1, folder=tmp_path
    )["heads"]
    row = trained[0].history.rows[-1]
    assert {
        "valid_accuracy_row",
        "valid_loss_column",
        "weight_row",
        "weight_column",
    } <= set(row)
    assert row["weight_row"] != 1.0
    joint = trained[0].evaluate(quadrants.valid)
    heads = joint.by_factor(quadrants.factors)
    assert joint.accuracy == pytest.approx(row["valid_accuracy"])
    for name, own in heads.items():
        assert own.accuracy == pytest.approx(row[f"valid_accuracy_{name}"])
        assert joint.accuracy <= own.accuracy
    both = sum(own.loss for own in heads.values())
    assert joint.loss == pytest.approx(both, rel=1e-3)


def test_heads_in_another_order_than_the_labels_are_refused(
    quadrants: Splits, tmp_path: Path
) -> None:
    turned = dict(reversed(quadrants.factors.items()))
    experiment = Experiment("multi_head_cnn", TrainConfig(epochs=1), {"heads": turned})
    with pytest.raises(ConfigError, match=r"heads are .*, not .*, in order"):
        run_experiments({"heads": experiment}, quadrants, seeds=1, folder=tmp_path)


def test_learned_weights_are_resumed_with_the_rest(
    quadrants: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(
        epochs=3, batch_size=16, lr=0.05, head_weights="learned", precision="fp32"
    )
    arguments = {
        "num_classes": 4,
        "heads": quadrants.factors,
        "widths": (4, 8),
        "hidden": 8,
    }

    def train(folder: Path | None) -> tuple[list[float], nn.Module]:
        torch.manual_seed(0)
        model = MultiHeadCNN(**arguments)  # type: ignore[arg-type]
        history = fit(model, quadrants, config, folder=folder)
        return [row["weight_row"] for row in history.rows], model

    whole, expected = train(None)
    with monkeypatch.context() as patch:
        stop_before_epoch(3, patch)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    resumed, model = train(tmp_path)
    assert resumed == whole
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            model.state_dict().values(), expected.state_dict().values(), strict=True
        )
    )
