"""An executed notebook as HTML, PDF or paper."""
