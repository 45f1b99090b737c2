"""Trained seeds and comparisons: their curves, tables, intervals and differences."""

from helpers.study.comparison import Comparison
from helpers.study.study import CrossStudy, Study
