"""From a notebook to what is handed in: run, export, results."""
