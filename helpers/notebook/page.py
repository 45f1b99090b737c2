"""What a notebook shows: figures, tables, text; copies are kept in its folder."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn
from torchinfo import summary

from helpers.base.errors import ConfigError
from helpers.base.files import write_atomic, write_whole
from helpers.base.terminal import say
from helpers.data.splits import Splits
from helpers.notebook.display import DPI, frame_table, show_markdown, show_picture
from helpers.notebook.others import saved_file
from helpers.plots import plot_class_counts, plot_image_grid


class Page:
    """The page of one notebook, and the folder that keeps what is shown on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def figure(
        self, picture: Figure | Axes, name: str, *, alt: str, caption: str = ""
    ) -> None:
        """Shows what a plot function returned, and saves it as ``figures/<name>.png``
        and ``.pdf``; a paper refers to it as ``@fig:<name>``.

        Args:
            picture: it is closed afterwards.
            name: letters, digits, hyphens and underscores.
            alt: what the figure shows, for those who do not see it.
            caption: Markdown below the figure; a paper needs one.
        """
        figure = cast("Figure", picture.get_figure(root=True))
        dateless = {"CreationDate": None}  # the same figure is the same file
        for kind in ("png", "pdf"):
            with write_atomic(self._path(name, kind)) as file:
                figure.savefig(file, format=kind, dpi=DPI, metadata=dateless)
        plt.close(figure)
        show_picture(self._path(name, "png"), alt=alt, caption=caption)

    def figure_from(
        self, source: str, name: str = "", *, alt: str, caption: str = ""
    ) -> None:
        """Shows a figure that another notebook has saved, and keeps a copy of it.

        ``source`` is notebook and figure, ``caltech101/01_lenet5/lenet5_curves``; the
        figure keeps its name unless it is given another. Raises as ``saved_file``.
        """
        name = name or source.rpartition("/")[2]
        for kind in ("png", "pdf"):
            content = saved_file(source, kind).read_bytes()
            write_whole(self._path(name, kind), content)
        show_picture(self._path(name, "png"), alt=alt, caption=caption)

    def table(self, frame: pd.DataFrame, name: str, *, caption: str = "") -> None:
        """Shows a table, and saves it with all digits as ``figures/<name>.csv``.

        The index is left out where it only counts the rows. Numbers are shown with four
        significant digits: format them as text where that is not what you want. In a
        paper it is ``@tab:<name>``, and needs a caption.
        """
        numbered = isinstance(frame.index, pd.RangeIndex)
        with write_atomic(self._path(name, "csv")) as file:
            frame.to_csv(file, index=not numbered)
        text = frame_table(frame if numbered else frame.reset_index())
        shown = f"{text}\n\n*{caption}*" if caption else text
        show_markdown(shown, {"table": name, "source": text, "caption": caption})

    def table_from(
        self, source: str, *, columns: Sequence[str] = (), caption: str = ""
    ) -> None:
        """Shows a table that another notebook has saved, like ``figure_from``, or only
        those of its columns that are named.
        """
        table = pd.read_csv(saved_file(source, "csv"), keep_default_na=False)
        shown = table[list(columns)] if columns else table
        self.table(shown, source.rpartition("/")[2], caption=caption)

    def show_samples(
        self,
        splits: Splits,
        count: int,
        *,
        columns: int = 8,
        seed: int = 3,
        name: str = "samples",
        without: Sequence[str] = (),
    ) -> None:
        """Shows training images and their classes, some ``without`` being shown."""
        hidden = torch.tensor([name in without for name in splits.classes])
        kept = splits.train.subset((~hidden[splits.train.labels]).nonzero().flatten())
        shown = kept.take(min(count, len(kept)), seed=seed)
        titles = [splits.classes[label] for label in shown.labels]
        self.figure(
            plot_image_grid(shown.images, titles=titles, columns=columns),
            name,
            alt=f"{len(shown)} training images of {splits.name} with their classes",
        )

    def show_class_counts(self, splits: Splits) -> None:
        """Shows the images of each class, and what always answering one gives."""
        sizes = torch.bincount(splits.train.labels, minlength=len(splits.classes))
        share = (splits.valid.labels == sizes.argmax()).float().mean()
        self.figure(
            plot_class_counts(splits),
            "class_counts",
            alt=f"Images of {splits.name} per class and split, largest class first",
            caption=(
                f"{sizes.min()} to {sizes.max()} training images per class. Always "
                f"answering the largest is right for {share:.1%} of validation images."
            ),
        )

    def show_model(self, model: nn.Module, splits: Splits, *, depth: int = 3) -> None:
        """Shows the layers of a network that takes images of ``splits``: outputs,
        parameters and multiply-adds, to some ``depth`` of nested modules.
        """
        table = summary(
            model,
            input_size=(1, splits.channels, splits.image_size, splits.image_size),
            col_names=("output_size", "num_params", "mult_adds"),
            col_width=18,
            depth=depth,
            device=next(model.parameters()).device,
            verbose=0,
        )
        say(str(table))

    def say(self, markdown: str) -> None:
        """Shows Markdown that was put together from results."""
        show_markdown(markdown)

    def warn(self, markdown: str, title: str = "") -> None:
        """Shows, set off, what results would be misread without: no report omits it."""
        heading = f"> **{title}**\n>\n" if title else ""
        show_markdown(f"{heading}> {markdown}", {"warning": "yes"})

    def _path(self, name: str, suffix: str) -> Path:
        if not re.fullmatch(r"[\w-]+", name):
            raise ConfigError(
                f"{name!r} is no name for a figure or table: use letters, digits, "
                "hyphens and underscores."
            )
        return self.folder / "figures" / f"{name}.{suffix}"
