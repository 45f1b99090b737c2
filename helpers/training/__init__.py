"""Configuration, the loop, its optimizers and schedules, evaluation, experiments."""

from helpers.training.config import TrainConfig
from helpers.training.cross_validation import cross_validate, deal_folds
from helpers.training.evaluate import Evaluation, evaluate
from helpers.training.experiments import Experiment, Trained, run_experiments
from helpers.training.features import extract_features
from helpers.training.history import History
from helpers.training.loop import fit
