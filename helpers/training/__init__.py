"""Configuration, the loop, its optimizers and schedules, evaluation, experiments."""

from helpers.data.augment import Augment
from helpers.training.config import TrainConfig
from helpers.training.evaluate import Evaluation, evaluate
from helpers.training.experiments import Experiment, Trained, measure, run_experiments
from helpers.training.features import extract_features
from helpers.training.history import History
from helpers.training.loop import fit

__all__ = [
    "Augment",
    "Evaluation",
    "Experiment",
    "History",
    "TrainConfig",
    "Trained",
    "evaluate",
    "extract_features",
    "fit",
    "measure",
    "run_experiments",
]
