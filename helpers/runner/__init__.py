"""Notebooks run headless by papermill: plan, execution, progress, failure."""
