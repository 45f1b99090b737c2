"""One run of a notebook: its parameters, seeds and device, and all that it leaves in
its folder.
"""

from __future__ import annotations

import inspect
import platform
import random
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torchvision
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image
from torch import nn

from helpers.base.declared import read_notebook
from helpers.base.environment import commit, cpu_name
from helpers.base.errors import ConfigError, NotebookError
from helpers.base.files import PAGES, exports_dir, notebooks_dir, write_atomic
from helpers.base.record import RunRecord, summarize
from helpers.data.splits import Splits
from helpers.models.saved import save_model
from helpers.notebook.display import (
    frame_table,
    requirement_table,
    show_markdown,
    show_picture,
)
from helpers.notebook.others import (
    completed_runs,
    data_of_all,
    notices,
    saved_file,
    short_path,
)
from helpers.plots import use_style
from helpers.training.device import choose_device

DPI = 150


def start_run(name: str) -> Run:
    """Opens the run of a notebook: parameters, seeds, device, folder, ``metrics.json``
    and the look of figures.

    The values of the parameters are those that the calling notebook (or script) has
    given to the names that the notebook declares; text that stands for a number or a
    truth value, as plain papermill passes it, is converted in place. A parameter
    without a value has its default.

    Args:
        name: assignment and notebook, ``caltech101/01_lenet5``.

    Raises:
        NotebookError: there is no such notebook.
        ConfigError: a parameter has a value of the wrong type.
    """
    declared = read_notebook(notebooks_dir() / f"{name}.ipynb")
    frame = inspect.currentframe()
    namespace = frame.f_back.f_globals if frame and frame.f_back else {}
    given = declared.parse(
        {key: namespace[key] for key in declared.parameters if key in namespace}
    )
    namespace.update(given)
    parameters = {
        key: parameter.default for key, parameter in declared.parameters.items()
    } | given
    run = Run(name, parameters, reduced=declared.reductions(given))
    if run.reduced:
        smaller = [
            f"{key} {given[key]} instead of {declared.parameters[key].default or 'all'}"
            for key in run.reduced
        ]
        run.warn(
            "> **REDUCED RUN**\n>\n"
            f"> {', '.join(smaller)}: less than the notebook's own experiment. What "
            "follows is about this smaller one."
        )
    return run


class Run:
    """One run of a notebook and the folder it fills.

    Attributes:
        name: the notebook's name.
        parameters: their values in this run.
        reduced: which of them make this run smaller than the notebook's own experiment.
        folder: ``exports/<assignment>/<notebook>``.
        work: where training keeps what it resumes from.
        device: what the networks run on.
    """

    def __init__(
        self, name: str, parameters: Mapping[str, Any], *, reduced: Sequence[str] = ()
    ) -> None:
        self._started = time.perf_counter()
        self.name = name
        self.parameters = dict(parameters)
        self.reduced = tuple(reduced)
        self.folder = exports_dir() / name
        self.work = self.folder / "work"
        self.device = choose_device(self.parameters.get("device", "auto"))
        self._data: tuple[Splits, ...] = ()
        # What an earlier run left must not pass for this one's; the runner writes
        # notebook.ipynb anew.
        for stale in ("notebook.ipynb", *PAGES):
            (self.folder / stale).unlink(missing_ok=True)
        _seed_everything(self.parameters.get("seed", 0))
        use_style()
        environment = _environment(self.device)
        self._record = RunRecord(
            name,
            parameters=self.parameters,
            environment=environment,
            reduced=list(reduced),
        )
        self._save()
        print(  # noqa: T201
            " · ".join(
                f"{key} {value}" for key, value in self._record.environment.items()
            )
        )

    def use_data(self, *data: Splits) -> None:
        """Notes which data the run's results are about; says so loudly if any are a
        synthetic stand-in.

        With several data sets, ``metrics.json`` names their splits ``<set>_<split>``,
        and the run is one on real data only if all of them are.
        """
        self._data = data
        drawn = [splits.name for splits in data if splits.source != "real"]
        counts = {
            f"{s.name}_{name}": count
            for s in data
            for name, count in s.counts().items()
        }
        self._record.data |= {
            "name": ", ".join(splits.name for splits in data),
            "source": "synthetic" if drawn else "real",
            "splits": data[0].counts() if len(data) == 1 else counts,
        }
        self._save()
        if drawn:
            self.warn(
                "> **SYNTHETIC DATA**\n>\n"
                f"> These images are a drawn stand-in for {', '.join(drawn)}. Every "
                "number below is about the "
                "stand-in: none of them is a result, and no requirement counts as met."
            )

    def use_results(self, *notebooks: str) -> dict[str, RunRecord]:
        """What other notebooks have measured, for a run that reports on them; it is
        about the data of all of them.

        Says so loudly if any of them ran on drawn images, with random weights for
        pretrained ones, or smaller than planned.

        Returns:
            Their records, by name.

        Raises:
            NotebookError: some of them have not been run to their end; the message
                names all of those.
        """
        records = completed_runs(notebooks, self.name)
        self._record.data |= data_of_all(records.values())
        self._save()
        for notice in notices(records):
            self.warn(notice)
        return records

    def use_backbone(self, name: str, weights: str) -> None:
        """Notes which pretrained network the run's results rest on; says so loudly if
        it has learned nothing.

        Args:
            name: of the network, ``alexnet``.
            weights: which weights it was given, as ``load_backbone`` says it;
                ``random`` are those that let no requirement count as met.
        """
        self._record.data |= {"backbone": name, "weights": weights}
        self._save()
        if self._record.untrained:
            self.warn(
                "> **RANDOM WEIGHTS**\n>\n"
                f"> {name} was given random weights in place of those learned on "
                "ImageNet. Every number below is about "
                "a network that knows nothing: none of them is a result, and no "
                "requirement counts as met."
            )

    def record(self, model: str, **metrics: ArrayLike) -> None:
        """Keeps results, one value per seed, and writes them at once.

        Args:
            model: what they are about, ``improved_cnn``.
            metrics: named ``<split>_<measure>``: ``valid_accuracy=[0.84, 0.85]``.

        Raises:
            ConfigError: a metric has no values, or some that are no finite numbers.
        """
        kept = self._record.results.setdefault(model, {})
        for metric, values in metrics.items():
            kept[metric] = summarize(np.atleast_1d(values))
        self._save()

    def require(
        self,
        section: str,
        text: str,
        value: float | tuple[str, str],
        threshold: float,
        *,
        higher_is_better: bool = True,
    ) -> dict[str, Any]:
        """Compares a result with what the course or the project asks; ``finish`` shows
        all requirements.

        Args:
            section: of the assignment, ``1(b)``.
            text: what is asked, ``at least 71 % on validation``.
            value: what was reached; or the model and the metric, as they were recorded,
                whose mean it is.
            threshold: what is asked; reaching it exactly is enough.
            higher_is_better: whether the threshold is the least or the most allowed.

        Returns:
            The row of ``metrics.json``; ``met`` is None unless the run's data are real,
            and its backbone, where it has one, is pretrained.

        Raises:
            ExportError: nothing was recorded under these names.
        """
        named: dict[str, Any] = {}
        if isinstance(value, tuple):
            named["metric"] = list(value)
            value = fmean(self._record.values(*value))
        met: bool | None = None
        if not (self._record.drawn or self._record.untrained):
            met = value >= threshold if higher_is_better else value <= threshold
        row = {
            "section": section,
            "text": text,
            "threshold": threshold,
            "value": value,
            "met": met,
        } | named
        self._record.requirements.append(row)
        self._save()
        return row

    def figure(
        self, picture: Figure | Axes, name: str, *, alt: str, caption: str = ""
    ) -> None:
        """Shows a figure, and saves it as ``figures/<name>.png`` and ``.pdf``.

        Args:
            picture: what a plot function returned; it is closed afterwards.
            name: of the files; a paper refers to the figure as ``@fig:<name>``.
            alt: what the figure shows, for those who do not see it. Mandatory.
            caption: Markdown below the figure; a paper needs one.

        Raises:
            ConfigError: the alternative text is missing, or the name is not one for a
                file.
        """
        _require_alt(name, alt)
        figure = (
            picture if isinstance(picture, Figure) else picture.get_figure(root=True)
        )
        if figure is None:
            raise ConfigError(f"Figure {name!r} was removed before it was shown.")
        png, pdf = self._figure_path(name, "png"), self._figure_path(name, "pdf")
        with write_atomic(png) as file:
            figure.savefig(file, format="png", dpi=DPI)
        with write_atomic(pdf) as file:
            # Without a date, the same figure is the same file.
            figure.savefig(file, format="pdf", dpi=DPI, metadata={"CreationDate": None})
        plt.close(figure)
        # As wide on the screen as on paper, and sharp on screens with more than 96
        # pixels per inch.
        show_picture(
            png, name, alt=alt, caption=caption, width=round(96 * figure.get_figwidth())
        )

    def figure_from(
        self, source: str, name: str, *, alt: str, caption: str = ""
    ) -> None:
        """Shows a figure that another notebook has saved, and keeps a copy of it among
        its own.

        Args:
            source: notebook and figure, ``caltech101/01_lenet5/learning_curves``.
            name: as in ``figure``, like the rest.
            alt: what the figure shows.
            caption: Markdown below it.

        Raises:
            NotebookError: that notebook has not been run, or has no such figure.
            ConfigError: as in ``figure``.
        """
        _require_alt(name, alt)
        for suffix in ("png", "pdf"):
            original = saved_file(source, suffix)
            with write_atomic(self._figure_path(name, suffix)) as file:
                file.write_bytes(original.read_bytes())
        png = self._figure_path(name, "png")
        with Image.open(png) as picture:
            width = round(96 * picture.width / DPI)
        show_picture(png, name, alt=alt, caption=caption, width=width)

    def table(self, frame: pd.DataFrame, name: str, *, caption: str = "") -> None:
        """Shows a table, and saves it with all digits as ``figures/<name>.csv``.

        The index is left out where it only counts the rows. Numbers are shown with four
        significant digits: format them as text where that is not what you want. In a
        paper it is ``@tab:<name>``, and needs a caption.
        """
        numbered = isinstance(frame.index, pd.RangeIndex)
        with write_atomic(self._figure_path(name, "csv")) as file:
            frame.to_csv(file, index=not numbered)
        text = frame_table(frame if numbered else frame.reset_index())
        shown = f"{text}\n\n*{caption}*" if caption else text
        show_markdown(shown, {"table": name, "source": text, "caption": caption})

    def say(self, markdown: str) -> None:
        """Shows Markdown that was put together from results."""
        show_markdown(markdown)

    def warn(self, markdown: str) -> None:
        """Shows Markdown without which results would be misread: no report leaves it
        out.
        """
        show_markdown(markdown, {"warning": "yes"})

    def save_model(
        self,
        model: nn.Module,
        *,
        architecture: str,
        arguments: Mapping[str, Any],
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        data: Splits | None = None,
        name: str = "model",
    ) -> None:
        """Saves the network as ``model.pt`` with the classes and image format of its
        data.

        Args:
            model: the trained network.
            architecture: its name in the registry.
            arguments: all that its constructor was given.
            mean: mean of each channel that it expects to be subtracted, 0–1; None: that
                of the training images.
            std: standard deviation of each channel, likewise.
            data: what it was trained on; None: the run's data.
            name: of the file, without its suffix, for a run that saves several
                networks.

        Raises:
            NotebookError: ``use_data`` was not called before, or was with several data
                sets and ``data`` does not say which is meant.
        """
        if data is None:
            if len(self._data) != 1:
                raise NotebookError(
                    "A model is saved with its classes, and the run uses "
                    f"{len(self._data)} data sets: call "
                    "run.use_data(splits) before run.save_model, and say data=splits "
                    "where there are several."
                )
            data = self._data[0]
        data_mean, data_std = data.channel_stats()
        save_model(
            self.folder / f"{name}.pt",
            model,
            architecture=architecture,
            arguments=dict(arguments),
            classes=data.classes,
            image_size=data.image_size,
            channels=data.channels,
            mean=mean or data_mean,
            std=std or data_std,
            trained_on=data.source,
        )

    def finish(self) -> None:
        """Marks the run as complete, and shows which requirements it meets."""
        self._record.status = "complete"
        self._save()
        if self._record.requirements:
            self.say(requirement_table(self._record))
        print(  # noqa: T201
            f"{self.name}: complete after {self._record.seconds:.0f} s, results in "
            f"{short_path(self.folder)}"
        )

    def _save(self) -> None:
        self._record.seconds = round(time.perf_counter() - self._started, 3)
        self._record.save(self.folder / "metrics.json")

    def _figure_path(self, name: str, suffix: str) -> Path:
        if not re.fullmatch(r"[\w-]+", name):
            raise ConfigError(
                f"{name!r} is no name for a figure or table: use letters, digits, "
                "hyphens and underscores."
            )
        return self.folder / "figures" / f"{name}.{suffix}"


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # libraries draw from the global generator
    torch.manual_seed(seed)


def _environment(device: torch.device) -> dict[str, Any]:
    environment = {
        "device": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else str(device),
        "cpu": cpu_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "python": platform.python_version(),
        "commit": commit(),
    }
    return {name: value for name, value in environment.items() if value != ""}


def _require_alt(name: str, alt: str) -> None:
    if not alt.strip():
        raise ConfigError(
            f"Figure {name!r} has no alternative text: say in `alt` what it shows."
        )
