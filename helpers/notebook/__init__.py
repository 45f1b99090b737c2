"""What a notebook itself calls: from ``start_run`` in its first cell to ``run.finish``
in its last.

In JupyterLab, under papermill and in a plain script a run does the same and leaves the
same figures, model and metrics. Only what is displayed differs: without IPython, texts
go to the terminal.
"""

from helpers.notebook.display import show_source
from helpers.notebook.others import read_table
from helpers.notebook.run import Run, start_run
from helpers.notebook.statistics import Difference, paired, pm, results_table

__all__ = [
    "Difference",
    "Run",
    "paired",
    "pm",
    "read_table",
    "results_table",
    "show_source",
    "start_run",
]
