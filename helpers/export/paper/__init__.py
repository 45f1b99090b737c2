"""From an executed notebook to a paper: its text, checked, as LaTeX or Typst, and the
PDF.
"""
