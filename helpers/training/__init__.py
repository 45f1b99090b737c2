"""Configuration, the loop, its optimizers and schedules, evaluation, experiments."""
