"""The library behind the notebooks: data, models, training, inspection, plots and
publishing.
"""

__version__ = "0.1.0"
