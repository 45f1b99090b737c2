"""From the runs to one static page: a card for each notebook, filters, and links to
what was handed in.
"""
