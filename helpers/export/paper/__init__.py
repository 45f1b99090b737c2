"""From an executed notebook to a paper: its text, as LaTeX, and the PDF."""
