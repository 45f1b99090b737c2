from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from torch import Tensor, nn
from training.conftest import stop_before_epoch

from helpers.base.errors import ConfigError, TrainingError, WriteError
from helpers.base.tensors import write_tensors
from helpers.data import Augment
from helpers.data.splits import Splits
from helpers.models import ImprovedCNN, LeNet5, StrokeNet
from helpers.training import TrainConfig, evaluate, fit, loop
from helpers.training.loop import TrainingRun
from helpers.training.turns import run_alone

QUICK = TrainConfig(epochs=3, batch_size=16, lr=0.05, precision="fp32")


def small_net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return ImprovedCNN(4, widths=(4, 8), dropout=0.1)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) for name in one
    )


def test_a_network_learns_the_corners(corners: Splits) -> None:
    model = small_net()
    history = fit(
        model, corners, TrainConfig(epochs=8, batch_size=16, lr=0.1, precision="fp32")
    )
    mean, std = corners.channel_stats()
    assert evaluate(model, corners.valid, mean=mean, std=std).accuracy == 1.0
    assert len(history) == 8
    assert history.frame["train_loss"].iloc[-1] < history.frame["train_loss"].iloc[0]
    assert not model.training


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam", "lr": 1e-3, "schedule": "cosine"},
        {"optimizer": "adamw", "lr": 1e-3, "schedule": "plateau"},
        {"optimizer": "rmsprop", "lr": 1e-3, "schedule": "step"},
        {"mixup": 0.2, "cutmix": 1.0},
        {"l1": 1e-4, "clip_norm": 1.0, "ema": 0.9, "label_smoothing": 0.1},
        {
            "augment": Augment(flip=0.5, rotate=10, crop=1, brightness=0.1, erase=0.5),
            "start_size": 8,
        },
        {"precision": "bf16"},
    ],
)
def test_every_setting_trains(corners: Splits, settings: dict[str, object]) -> None:
    config = TrainConfig(
        **{"epochs": 2, "batch_size": 16, "precision": "fp32", **settings}
    )  # type: ignore[arg-type]
    model = small_net()
    before = weights(model)
    history = fit(model, corners, config)
    assert len(history) == 2
    assert not same(weights(model), before)


def test_a_penalty_on_weights_asks_for_none(corners: Splits) -> None:
    class OnlyNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, images: Tensor) -> Tensor:
            return self.norm(images).mean((2, 3)).repeat(1, 2)[:, :4]

    assert len(fit(OnlyNorm(), corners, replace(QUICK, l1=1e-4))) == QUICK.epochs


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    corners: Splits,
) -> None:
    results = []
    for seed in (1, 1, 2):
        model = small_net()
        fit(
            model,
            corners,
            TrainConfig(epochs=1, batch_size=16, seed=seed, precision="fp32"),
        )
        results.append(weights(model))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_the_callers_random_numbers_are_left_alone(corners: Splits) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = LeNet5(4, image_size=16)
    torch.manual_seed(5)
    fit(model, corners, QUICK)
    assert torch.equal(torch.rand(3), expected)


def test_losses_are_weighted_by_sample(
    corners: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Constant(nn.Module):
        """Always the same logits, whatever the batch: its loss on a split follows from
        the labels alone.
        """

        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Parameter(torch.tensor([[2.0, 0.0, 0.0, 0.0]]))

        def forward(self, images: Tensor) -> Tensor:
            return self.logits.expand(len(images), -1)

    mean, std = corners.channel_stats()
    split = corners.valid.subset(
        torch.tensor([0, 4, 8, 12, 1])
    )  # four images of class 0, one of class 1
    monkeypatch.setitem(evaluate.__globals__, "images_per_pass", lambda *_: 4)
    found = evaluate(Constant(), split, mean=mean, std=std, precision="fp32")
    log_sum = torch.logsumexp(torch.tensor([2.0, 0.0, 0.0, 0.0]), 0).item()
    assert found.loss == pytest.approx(log_sum - 2.0 * 4 / 5)
    assert found.accuracy == pytest.approx(4 / 5)
    assert found.mean_class_accuracy == pytest.approx(1 / 2)


def test_early_stopping_restores_a_copy_of_the_best_weights(corners: Splits) -> None:
    model = small_net()
    # A rate that wrecks the network after it has learned: the best epoch is not the
    # last.
    config = TrainConfig(
        epochs=30,
        batch_size=16,
        lr=0.02,
        schedule="constant",
        patience=3,
        precision="fp32",
    )
    history = fit(model, corners, config)
    mean, std = corners.channel_stats()
    reached = evaluate(
        model, corners.valid, mean=mean, std=std, precision="fp32"
    ).accuracy
    assert reached == pytest.approx(history.frame["valid_accuracy"].max())
    assert history.best_epoch < len(history)
    assert len(history) == min(30, history.best_epoch + 3)


def test_the_best_weights_differ_from_the_last_only_where_the_best_is_earlier(
    corners: Splits,
) -> None:
    model = small_net()
    history = fit(model, corners, replace(QUICK, epochs=4, lr=0.3, keep_best=True))
    assert history.best_weights is not None
    equal = same(history.best_weights, weights(model))
    assert equal == (history.best_epoch == len(history))


def test_watching_the_test_set_adds_its_curve_and_changes_nothing_else(
    corners: Splits,
) -> None:
    # Judged on the test set, the last epoch would be the best by far; the validation
    # set says otherwise.
    hopeless = replace(corners.valid, labels=(corners.valid.labels + 1) % 4)
    splits, config = (
        replace(corners, valid=hopeless, test=corners.valid),
        replace(QUICK, epochs=6, patience=6),
    )
    runs = []
    for watch_test in (False, True):
        model = small_net()
        history = fit(model, splits, replace(config, watch_test=watch_test))
        runs.append((weights(model), history))
    (unwatched, plain), (watched, curves) = runs
    assert same(unwatched, watched)
    assert set(curves.frame) - set(plain.frame) == {"test_loss", "test_accuracy"}
    mean, std = splits.channel_stats()
    last = evaluate(
        last_weights(splits), corners.valid, mean=mean, std=std, precision="fp32"
    )
    assert curves.rows[-1]["test_accuracy"] == last.accuracy > 0.5
    assert curves.rows[-1]["test_loss"] == pytest.approx(last.loss)
    assert curves.best_epoch < 6
    assert not same(watched, weights(last_weights(splits)))


def last_weights(splits: Splits) -> nn.Module:
    model = small_net()
    fit(model, splits, replace(QUICK, epochs=6))
    return model


def test_a_test_set_that_is_not_there_cannot_be_watched(corners: Splits) -> None:
    with pytest.raises(ConfigError, match="corners has no test split to watch"):
        fit(small_net(), corners, replace(QUICK, watch_test=True))


def test_a_loss_that_is_not_a_number_stops_with_step_and_learning_rate(
    corners: Splits, tmp_path: Path
) -> None:
    class Broken(nn.Module):
        """A network that outputs NaN from its twelfth training step on."""

        def __init__(self) -> None:
            super().__init__()
            self.fc, self.steps = nn.Linear(768, 4), 0

        def forward(self, images: Tensor) -> Tensor:
            self.steps += self.training
            logits: Tensor = self.fc(images.flatten(1))
            return logits * float("nan") if self.steps >= 12 else logits

    with pytest.raises(
        TrainingError, match=r"nan at step 12 \(epoch 2\), learning rate 0\.01\b"
    ):
        fit(
            Broken(),
            corners,
            TrainConfig(
                epochs=3, batch_size=16, lr=0.01, schedule="constant", device="cpu"
            ),
            folder=tmp_path,
        )
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert len(kept["history"]["rows"]) == 1
    assert kept["model"]["fc.weight"].isfinite().all()


def test_a_last_step_that_wrecks_the_network_is_noticed_before_anything_is_kept(
    corners: Splits, tmp_path: Path
) -> None:
    config = TrainConfig(
        epochs=1,
        batch_size=128,
        lr=1e29,
        momentum=0.0,
        schedule="constant",
        precision="fp32",
    )
    with pytest.raises(
        TrainingError, match=r"validation loss is (nan|inf) at step 1 \(epoch 1\)"
    ):
        fit(LeNet5(4, image_size=16), corners, config, folder=tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_run_stopped_between_epochs_goes_on_to_the_same_bits(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(
        epochs=5,
        batch_size=16,
        lr=0.05,
        ema=0.9,
        mixup=0.2,
        patience=5,
        device="cpu",
        augment=Augment(flip=0.5, rotate=10),
    )
    unbroken = small_net()
    expected = fit(unbroken, corners, config)
    with monkeypatch.context() as patch:
        stop_before_epoch(3, patch)
        with pytest.raises(KeyboardInterrupt):
            fit(small_net(), corners, config, folder=tmp_path)
    resumed = small_net(seed=9)  # its own first weights must not matter
    history = fit(resumed, corners, config, folder=tmp_path)
    assert same(weights(resumed), weights(unbroken))
    drop = "seconds"
    assert history.frame.drop(columns=drop).equals(expected.frame.drop(columns=drop))


def test_a_finished_run_is_forgotten_with_its_data(corners: Splits) -> None:
    run = TrainingRun(small_net(), corners, TrainConfig(epochs=1), None)
    run_alone(run.all_epochs)
    alive = weakref.ref(run)
    gc.disable()
    try:
        del run
        assert alive() is None
    finally:
        gc.enable()


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
from training.conftest import squares
import torch
from helpers.data import Augment
from helpers.data.splits import Splits
from helpers.models import ImprovedCNN
from helpers.training import TrainConfig, fit

torch.set_num_threads(1)
corners = Splits("corners", "synthetic", tuple("abcd"), squares(128, 0), squares(32, 1))
# What is resumed has other first weights: only the checkpoint leads to the same end.
torch.manual_seed(9 * Path(sys.argv[1], "checkpoint.pt").is_file())
model = ImprovedCNN(4, widths=(4, 8), dropout=0.1)
augment = Augment(flip=0.5, rotate=10)
config = TrainConfig(epochs=6, batch_size=16, lr=0.05, augment=augment, device="cpu")

if sys.argv[2] == "slow":  # announce each step: the kill falls in mid-epoch
    forward = model.forward
    def announced(images):
        if model.training:
            print("step", flush=True)
        return forward(images)
    model.forward = announced
fit(model, corners, config, folder=Path(sys.argv[1]))
torch.save(model.state_dict(), Path(sys.argv[1]) / "final.pt")
"""


def test_a_run_killed_in_mid_epoch_and_resumed_ends_with_the_same_bits(
    tmp_path: Path,
) -> None:
    script = tmp_path / "train.py"
    script.write_text(KILLED.format(tests=str(Path(__file__).parents[1])))

    def command(folder: str, pace: str) -> list[str]:
        return [sys.executable, str(script), str(tmp_path / folder), pace]

    subprocess.run(command("unbroken", "quick"), check=True, capture_output=True)

    process = subprocess.Popen(
        command("killed", "slow"), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    steps = 0
    for line in process.stdout:
        steps += line.startswith("step")
        if steps == 20:  # eight steps an epoch: in the middle of the third
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    kept = torch.load(tmp_path / "killed" / "checkpoint.pt", weights_only=True)
    assert 0 < len(kept["history"]["rows"]) < 6
    assert not (tmp_path / "killed" / "final.pt").exists()

    subprocess.run(command("killed", "quick"), check=True, capture_output=True)
    finals = [
        torch.load(tmp_path / name / "final.pt", weights_only=True)
        for name in ("unbroken", "killed")
    ]
    assert same(*finals)


def test_a_gpu_waits_between_two_checkpoints(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrainingRun(
        small_net(), corners, replace(QUICK, epochs=9, device="cpu"), tmp_path
    )
    run.device = torch.device("cuda")  # it only seems so
    now = run._kept
    monkeypatch.setattr(loop, "GPU_PAUSE", 20.0)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    kept = []
    for seconds in (19.0, 2.0, 10.0, 11.0):
        now += seconds
        (tmp_path / "checkpoint.pt").unlink(missing_ok=True)
        run_alone(run.one_epoch)
        kept.append((tmp_path / "checkpoint.pt").exists())
    assert kept == [False, True, False, True]


def test_a_full_disk_leaves_the_previous_checkpoint(
    corners: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(small_net(), corners, TrainConfig(epochs=1, batch_size=16), folder=tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def full(_state: object, file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(WriteError, match="No space left on device"):
        write_tensors(tmp_path / "checkpoint.pt", {})
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_of_other_settings_is_refused(
    corners: Splits, tmp_path: Path
) -> None:
    config = TrainConfig(epochs=1, batch_size=16, lr=0.3, device="cpu")
    fit(small_net(), corners, config, folder=tmp_path)
    with pytest.raises(TrainingError, match=r"lr 0\.3 -> 0\.2"):
        fit(small_net(), corners, replace(config, lr=0.2), folder=tmp_path)


def test_a_damaged_checkpoint_is_named(corners: Splits, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt cannot be read"):
        fit(small_net(), corners, QUICK, folder=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"config": None},
        {"config": [1]},
        {"history": {}},
        {"history": {"rows": []}},
        {"history": {"rows": [{"epoch": 1}], "best_weights": None}},
        {"history": {"rows": [1], "best_weights": None}},
        {"model": None},
        {"model": {}},
        {"model": {"fc.weight": torch.zeros(1)}},
        {"optimizer": {"state": {}, "param_groups": []}},
        {"schedule": 3},
    ],
    ids=str,
)
def test_a_checkpoint_of_other_content_is_named(
    corners: Splits, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "checkpoint.pt"
    fit(small_net(), corners, QUICK, folder=tmp_path)
    torch.save(torch.load(path, weights_only=True) | change, path)
    with pytest.raises(
        TrainingError, match=r"checkpoint\.pt cannot be read \(.*Move it"
    ):
        fit(small_net(), corners, QUICK, folder=tmp_path)


def test_evaluation_leaves_the_training_mode_as_it_was(corners: Splits) -> None:
    model = small_net().train()
    mean, std = corners.channel_stats()
    before = weights(model)
    evaluate(model, corners.valid, mean=mean, std=std)
    assert model.training
    assert same(weights(model), before)


def test_averaged_weights_leave_the_first_ones_behind() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = loop._MovingAverage(model, 0.99)
    average.update_parameters(model)
    nn.init.zeros_(model[0].weight)
    model[1].running_mean.fill_(1.0)
    model[1].num_batches_tracked.fill_(60)
    for _ in range(59):
        average.update_parameters(model)
    assert average.module[0].weight.abs().max() < 1e-6
    assert average.module[1].running_mean.min() > 0.999
    assert average.module[1].num_batches_tracked == 60
    nn.init.ones_(model[0].weight)  # later steps have the full decay
    for _ in range(2000):
        average.update_parameters(model)
    before = average.module[0].weight.clone()
    nn.init.zeros_(model[0].weight)
    average.update_parameters(model)
    torch.testing.assert_close(average.module[0].weight, 0.99 * before)


def test_a_short_training_is_not_worse_for_averaging(corners: Splits) -> None:
    accuracy = {}
    for ema in (None, 0.99):
        torch.manual_seed(0)
        model = StrokeNet(4, widths=(8, 8, 16, 32), depths=(1, 1, 1), features=16)
        config = TrainConfig(
            epochs=8,
            batch_size=16,
            optimizer="adam",
            lr=3e-3,
            ema=ema,
            precision="fp32",
        )  # 64 steps
        history = fit(model, corners, config)
        accuracy[ema] = history.rows[-1]["valid_accuracy"]
    assert accuracy[0.99] >= accuracy[None] > 0.5


def test_dropout_does_not_draw_the_numbers_of_the_order_of_the_images(
    corners: Splits,
) -> None:
    drawn: list[Tensor] = []

    class Drawing(nn.Linear):
        def forward(self, images: Tensor) -> Tensor:
            if self.training:
                drawn.append(torch.randperm(128))
            return super().forward(images.flatten(1))

    fit(Drawing(768, 4), corners, replace(QUICK, batch_size=128, epochs=2))
    for epoch, own in enumerate(drawn):
        generator = torch.Generator().manual_seed(epoch)
        assert not torch.equal(own, torch.randperm(128, generator=generator))


def test_a_checkpoint_of_other_threads_says_that_they_give_other_bits(
    corners: Splits, tmp_path: Path
) -> None:
    fit(small_net(), corners, QUICK, folder=tmp_path)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    state["config"]["threads"] = 12
    write_tensors(tmp_path / "checkpoint.pt", state)
    with pytest.raises(TrainingError, match=r"other bits: set OMP_NUM_THREADS=12"):
        fit(small_net(), corners, QUICK, folder=tmp_path)
    state["config"]["threads"] = None  # of a GPU
    write_tensors(tmp_path / "checkpoint.pt", state)
    with pytest.raises(TrainingError, match="threads None -> ") as error:
        fit(small_net(), corners, QUICK, folder=tmp_path)
    assert "OMP_NUM_THREADS" not in str(error.value)


def test_the_smallest_maps_give_the_same_bits_each_time_in_bf16(
    corners: Splits,
) -> None:
    config = replace(QUICK, batch_size=64, precision="bf16", epochs=1)
    finals = []
    for _ in range(4):
        torch.manual_seed(0)
        model = StrokeNet(4)  # on 16×16 pixels its last maps are 1×1
        fit(model, corners, config)
        finals.append(weights(model))
    assert all(same(finals[0], other) for other in finals[1:])
