"""Every picture of the notebooks: data in, a matplotlib Axes or Figure out.

Nothing here is shown or saved; ``run.figure`` does both. No meaning hangs on colour
alone.
"""

from helpers.plots.classes import (
    most_confused,
    plot_class_accuracy,
    plot_class_counts,
    plot_confusion_matrix,
    plot_embedding,
)
from helpers.plots.curves import (
    plot_comparison,
    plot_curves,
    plot_learning_curves,
    plot_sweep,
)
from helpers.plots.fields import plot_footprint, plot_receptive_field
from helpers.plots.grids import (
    plot_activation_layers,
    plot_filters,
    plot_heatmaps,
    plot_image_grid,
)
from helpers.plots.style import PAGE_WIDTH, use_style
