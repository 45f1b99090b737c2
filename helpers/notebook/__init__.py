"""What a notebook itself calls: from ``start_run`` in its first cell to ``run.finish``.

In JupyterLab, under papermill and in a plain script a run does the same and leaves the
same figures, model and metrics. Only what is displayed differs: without IPython, texts
go to the terminal.
"""

from helpers.notebook.display import show_source
from helpers.notebook.run import Run, start_run
