"""Trained seeds and comparisons: curves, tables, intervals, verdicts."""
