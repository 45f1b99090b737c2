"""One run of a notebook: parameters, studies, findings, and what it leaves behind."""

import ast
import inspect
import os
import platform
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torchvision
from joblib import effective_n_jobs
from numpy.typing import ArrayLike

from helpers.base.declared import read_checked_in, read_notebook
from helpers.base.environment import commit, cpu_name
from helpers.base.errors import (
    ConfigError,
    DivergedError,
    ExportError,
    ModelError,
    NotebookError,
)
from helpers.base.estimate import Estimate, estimate, exact, judge
from helpers.base.files import exports_dir, notebooks_dir
from helpers.base.markdown import markdown_table
from helpers.base.record import FINDING, RunRecord, finding_rows, summarize
from helpers.base.runs import GIVEN, TRIAL, place, unfinished
from helpers.base.terminal import say
from helpers.data.near_copies import has_near_copy
from helpers.data.splits import Splits
from helpers.models.saved import SavedModel, find_model, load_model, save_model
from helpers.notebook.display import show_finding
from helpers.notebook.others import Reports, as_one, completed_runs, short_path
from helpers.notebook.page import Page
from helpers.notebook.progress import live, shorten_errors
from helpers.plots import use_style
from helpers.study import Comparison, CrossStudy, Study
from helpers.training.cross_validation import cross_validate
from helpers.training.device import choose_device
from helpers.training.experiments import Experiment, Trained, run_experiments

NO_RESULT = "What comes from them is no result, and nothing is judged by it."
INJECTED = "# Parameters\n"  # how papermill's own cell starts
T = TypeVar("T")
Rows = Mapping[str, Experiment] | Mapping[str, Mapping[str, Experiment]]


def start_run(name: str) -> "Run":
    """Opens the run of a notebook, ``caltech101/01_lenet5``: parameters, seeds, device,
    folder, ``metrics.json``.

    A parameter has the value that the calling notebook or script has given to its name,
    else its default; text that stands for a number or a truth value, as plain papermill
    passes it, is converted in place.

    Raises:
        NotebookError: there is no such notebook.
        ConfigError: a parameter has a value of the wrong type, or papermill was given
            one that the notebook does not declare.
    """
    declared = read_notebook(notebooks_dir() / f"{name}.ipynb")
    frame = inspect.currentframe()
    namespace = frame.f_back.f_globals if frame and frame.f_back else {}
    names = [*declared.parameters, *_injected(namespace)]
    given = declared.parse({key: namespace[key] for key in names if key in namespace})
    namespace.update(given)
    # An edited parameters cell is another experiment than the one checked in.
    checked_in = read_checked_in(declared.path)
    values = {key: p.default for key, p in declared.parameters.items()} | given
    reduced = checked_in.reductions(values)
    shorten_errors()
    run = Run(name, values, reduced=reduced, namespace=namespace)
    if reduced:
        own = {key: checked_in.parameters[key].default or "all" for key in reduced}
        smaller = [f"{key} {values[key]} (of {own[key]})" for key in own]
        text = f"{', '.join(smaller)}: less than the notebook's own experiment."
        run.warn(text, "REDUCED RUN")
    return run


class Run(Page):
    """One run of a notebook and the ``folder`` it fills, which ``finish`` moves to its
    place; ``device`` is what its networks run on.
    """

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, Any],
        *,
        reduced: Sequence[str] = (),
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        given = os.environ.get(GIVEN)
        trial = exports_dir() / TRIAL
        super().__init__(Path(given) if given else unfinished(trial, name))
        self._started = time.perf_counter()
        self.name = name
        self.parameters, self._namespace = dict(parameters), namespace or {}
        self.device = choose_device()
        self._data: tuple[Splits, ...] = ()
        seed = self.parameters.get("seed", 0)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  # what libraries draw from
        torch.manual_seed(seed)
        use_style()
        environment = _environment(self.device)
        self._own = RunRecord(
            name,
            parameters=self.parameters,
            environment=environment,
            reduced=list(reduced),
        )
        self._save()
        say(" · ".join(f"{key} {value}" for key, value in environment.items()))

    def use_data(self, *data: Splits, replaces: str = "") -> None:
        """Notes which data the results are about, and shows how many images they have.

        Says so loudly if any are a synthetic stand-in: then nothing is judged. Where
        the course's own are others, ``replaces`` names these.
        """
        self._data = data
        sets = [
            {"name": s.name, "source": s.source, "splits": s.counts()} for s in data
        ]
        self._note(sets[0] if len(sets) == 1 else as_one(sets))
        self._record.data["classes"] = [len(splits.classes) for splits in data]
        self._stands_in(replaces)
        for splits in data:
            images = ", ".join(f"{n:,} {part}" for part, n in splits.counts().items())
            self.say(
                f"**{splits.name}** ({splits.source}): {images} images of "
                f"{splits.image_size}×{splits.image_size} pixels in "
                f"{len(splits.classes)} classes (chance {1 / len(splits.classes):.1%})."
            )
        if drawn := [splits.name for splits in data if splits.source != "real"]:
            why = f"{', '.join(drawn)}: drawn images stand in for the real ones."
            self.warn(f"{why} {NO_RESULT}", "SYNTHETIC DATA")

    def _note(self, about: dict[str, Any]) -> None:
        """A run is as real and as pretrained as the least that it has used."""
        least = {"source": "synthetic", "weights": "random"}
        self._record.data |= about | dict(least.items() & self._record.data.items())

    def use_results(self, *notebooks: str) -> Reports:
        """What other notebooks have measured.

        Says so loudly if any of them ran on drawn images, with random weights for
        pretrained ones, or in reduced form. Raises as ``completed_runs``.
        """
        records = completed_runs(notebooks, self.name)
        self._note(as_one([record.data for record in records.values()]))
        self._save()
        self._warn_of(*records.values())
        return records

    def _warn_of(self, *records: RunRecord) -> None:
        """Says what a reader must know of runs before their numbers."""
        said: dict[str, list[str]] = {}
        for record in records:
            for _, text in record.caveats():
                # Without its assignment: long names break badly.
                said.setdefault(text, []).append(record.notebook.rpartition("/")[2])
        for text, names in said.items():
            self.warn(f"{', '.join(names)}: **{text}**")

    def load_model(self, source: str, *, trained_on: str | None = None) -> SavedModel:
        """Loads a network that another notebook has saved, the best that there is.

        Says so as ``use_results`` does, or where it is of a trial or quick run. Else as
        ``helpers.models.load_model``.
        """
        path = find_model(source, trained_on=trained_on)
        saved = load_model(path, trained_on=trained_on)
        own = [(data.classes, data.source) for data in self._data]
        if own and (saved.classes, saved.trained_on) not in own:
            why = f"{path} is of other classes or images"
            raise ModelError(f"{why}: run its notebook on these.")
        with suppress(ExportError):  # a file of one's own has no record
            record = RunRecord.load(path.with_name("metrics.json"))
            self._warn_of(record)
            folder = path.absolute().parent
            if not record.reduced and folder != exports_dir() / record.notebook:
                self.warn(f"The network is that of `{short_path(folder)}`.")
        return saved

    def use_backbone(self, name: str, weights: str, *, course: str = "") -> None:
        """Notes which pretrained network the results rest on.

        With ``random`` weights nothing is judged, which is said loudly. A result with
        another network than the one that the course names says so.
        """
        self._note({"backbone": name, "weights": weights})
        other = course and name != course
        self._stands_in(f"{name} in place of {course}" if other else "")
        if self._record.untrained:
            why = f"{name}: random weights stand for those learned on ImageNet."
            self.warn(f"{why} {NO_RESULT}", "RANDOM WEIGHTS")

    def train(
        self, name: str, experiment: Experiment, splits: Splits, *, seeds: int
    ) -> Study:
        """Trains an experiment with seeds 0, 1, …, and records what they reach as
        ``name``.
        """
        one = {name: experiment}
        trained = self._train(run_experiments, seeds, one, splits, seeds=seeds)
        return self.study(name, trained[name], splits)

    def study(self, name: str, points: Sequence[Trained], splits: Splits) -> Study:
        """Records what trained networks reach, one for each seed."""
        study = Study(name, points, splits, self)
        self._keep(name, study.summaries())
        return study

    def compare(
        self,
        name: str,
        rows: Rows,
        splits: Splits,
        *,
        seeds: int,
        baseline: str | None = None,
        test: bool = False,
    ) -> Comparison:
        """Trains several experiments with the same seeds, to be compared pairwise.

        ``rows`` are experiments by the name of the row, or groups of them; see
        ``Comparison`` for the baseline. With ``test`` they are measured on the test set
        too. Choices are made on validation: leave it out wherever a row is chosen.
        """
        flat, groups = _ungroup(rows)
        trained = self._train(run_experiments, seeds, flat, splits, seeds=seeds)
        judged = splits if test else splits.without_test()
        studies = {
            row: self.study(row, found, judged) for row, found in trained.items()
        }
        return Comparison(name, studies, self, baseline=baseline, groups=groups)

    def tune(
        self,
        name: str,
        experiments: Mapping[str, Experiment],
        splits: Splits,
        *,
        seeds: int,
        factors: Sequence[float] = (1 / 3, 1, 3),
        show: bool = True,
    ) -> dict[str, Experiment]:
        """Each experiment with the learning rate that is best on validation.

        These ``factors`` of its own are tried, and ``show`` draws the comparison.
        One at which training diverges is out, unless all are.
        """
        grid: dict[str, dict[str, Experiment]] = {row: {} for row in experiments}
        for row, one in experiments.items():
            for factor in factors:
                config = replace(one.config, lr=factor * one.config.lr)
                grid[row][f"{row}, {config.lr:.2g}"] = replace(one, config=config)
        while True:  # what has been trained is not trained again
            try:
                tried = self.compare(name, grid, splits, seeds=seeds)
                break
            except DivergedError as error:
                [rates] = (rates for rates in grid.values() if error.row in rates)
                del rates[error.row]
                if not rates:
                    raise
                self.say(f"{error.row} is out. {error}")
        if show:
            tried.baseline = tried.best  # where the line is
            tried.show_figure()
        return {row: rates[tried.best_of(rates)] for row, rates in grid.items()}

    def cross_validate(
        self,
        name: str,
        rows: Rows,
        splits: Splits,
        *,
        folds: int,
        repeats: int,
        watch: float = 0.0,
    ) -> Comparison:
        """As ``compare``, on the folds of ``helpers.training.cross_validate``; the
        first row is the baseline.
        """
        flat, groups = _ungroup(rows)
        how = {"folds": folds, "repeats": repeats, "watch": watch}
        found = self._train(cross_validate, folds * repeats, flat, splits, **how)
        studies = {}
        for row, rounds in found.items():
            studies[row] = study = CrossStudy(row, rounds, splits, self, watch=watch)
            self._keep(row, study.summaries())
        return Comparison(name, studies, self, groups=groups)

    def without_near_copies(self, study: Study) -> Estimate:
        """How far a study's accuracy falls without near copies of training images;
        shows and records what it is on the others.
        """
        alone = ~has_near_copy(study.judged_images.images, study.splits.train.images)
        right = ((one.predictions == one.labels)[alone] for one in study.evaluations)
        left = [hits.double().mean().item() for hits in right]
        metric = f"{[*study.splits.parts][-1]}_accuracy"
        fall = study.paired(metric, study.samples(metric), left)
        self._keep(study.name, {f"{metric}_without_near_copies": summarize(left)})
        number = estimate(left, "percent").number
        say(f"{number} on {alone.sum()} of {len(alone)} images")
        return fall

    def record(
        self,
        model: str,
        *,
        over: str = "seeds",
        shared: float = 0.0,
        **metrics: ArrayLike,
    ) -> None:
        """Keeps results of a model that no study has measured, and writes them at once:
        ``run.record("cnn", valid_accuracy=[0.84, 0.85])``, one value for each of
        ``over``; ``shared`` as of ``estimate``.
        """
        found = {
            m: summarize(np.atleast_1d(v), over, shared) for m, v in metrics.items()
        }
        self._keep(model, found)

    def ask(
        self,
        section: str,
        text: str,
        found: Estimate | float,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        exactly: float | None = None,
    ) -> None:
        """Judges a result by what the course, or the project's own goal, asks.

        ``run.ask("1(b)", "accuracy of at least 71 %", study["valid_accuracy"],
        at_least=0.71)``: reaching a bound is enough; ``exactly`` is both. The
        section of a goal is ``1(b), goal``. A plain number is one that was counted or
        computed.
        """
        if exactly is not None:
            at_least = at_most = exactly
        number = found if isinstance(found, Estimate) else exact(found)
        bounds = {"at_least": at_least, "at_most": at_most}
        bounds = {n: exact(b).mean for n, b in bounds.items() if b is not None}
        if not bounds:
            raise ConfigError(f"{text!r} has no bound: give at_least, for example.")
        row = {"section": section, "text": text, "estimate": asdict(number), **bounds}
        no_result = self._record.drawn or self._record.untrained
        judged = judge(number, **bounds, asked=bool(section))
        row["verdict"] = "not judged" if no_result else judged
        told = self._record.findings  # a cell may be run again
        told[:] = [r for r in told if (r["section"], r["text"]) != (section, text)]
        told.append(row)
        self._save()
        show_finding(row, self._record.replaced)

    def finding(
        self,
        text: str,
        found: Estimate | float,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """States a claim about results, and shows what its interval says of it.

        ``run.finding("Dropout helps.", ablation.gain("dropout"))``: the number that
        decides must lie above ``at_least`` (without any bound, 0) and below
        ``at_most``. The text is a full sentence without measured numbers.
        """
        if at_least is None and at_most is None:
            at_least = 0.0
        self.ask("", text, found, at_least=at_least, at_most=at_most)

    estimate = staticmethod(estimate)  # of values, for a finding about them

    def save(
        self, point: Trained, *, data: Splits | None = None, name: str = "model"
    ) -> None:
        """Saves a trained network with the classes and image format of its data, as
        ``<name>.pt``.

        Raises:
            NotebookError: the run does not use one set of data, and ``data`` is None.
        """
        if data is None and len(self._data) != 1:
            raise NotebookError(
                f"The run has {len(self._data)} data sets, a model is saved with the "
                "classes of one: call run.use_data(splits), or say data=splits."
            )
        data = data or self._data[0]
        save_model(
            self.folder / f"{name}.pt",
            point.model,
            architecture=point.experiment.model,
            arguments=point.experiment.model_arguments(data),
            classes=data.classes,
            image_size=data.image_size,
            channels=data.channels,
            mean=point.mean,
            std=point.std,
            trained_on=data.source,
        )

    def finish(self) -> None:
        """Marks the run as complete, and shows all findings once more.

        In JupyterLab or a script it takes its place among the trials now; headless, the
        runner moves it.
        """
        self._record.status = "complete"
        self._save()
        if rows := finding_rows(self._record):
            self.say(markdown_table(FINDING, rows, right={"measured"}))
        text = f"{self.name}: complete after {self._record.seconds:.0f} s"
        if GIVEN not in os.environ:
            self.folder = place(self.folder, exports_dir() / TRIAL, self.name)
            text += f", results in {short_path(self.folder)}"
        say(text)

    def _train(
        self,
        train: Callable[..., T],
        times: int,
        rows: Mapping[str, Experiment],
        splits: Splits,
        **how: Any,
    ) -> T:
        jobs = effective_n_jobs(self._record.jobs)
        epochs = times * sum(row.config.epochs for row in rows.values())
        points = times * len(rows)
        how |= {"folder": exports_dir() / ".work" / self.name, "jobs": jobs}
        with live(points, epochs, min(jobs, points)) as report:
            return train(rows, splits, **how, report=report)

    def _stands_in(self, this: str) -> None:
        said = self._record.replaced
        if this not in said:  # the data and the backbone may both be others
            self._record.data["replaces"] = f"{said}; {this}" if said else this
        self._save()

    def _keep(self, model: str, summaries: Mapping[str, dict[str, Any]]) -> None:
        self._record.results.setdefault(model, {}).update(summaries)
        self._save()

    @property
    def _record(self) -> RunRecord:
        now = self._namespace
        if changed := [k for k, v in self.parameters.items() if now.get(k, v) != v]:
            raise NotebookError(
                f"{', '.join(changed)} changed after start_run: run all cells again."
            )
        return self._own

    def _save(self) -> None:
        self._record.seconds = round(time.perf_counter() - self._started, 3)
        self._record.save(self.folder / "metrics.json")


def _injected(namespace: Mapping[str, Any]) -> list[str]:
    """The names that papermill has set in the cell that it adds to a notebook."""
    cells = [text for text in namespace.get("In", ()) if text.startswith(INJECTED)]
    lines = ast.parse(cells[-1]).body if cells else ()
    given = [line.targets[0] for line in lines if isinstance(line, ast.Assign)]
    return list(map(ast.unparse, given))


def _ungroup(rows: Rows) -> tuple[dict[str, Experiment], dict[str, list[str]]]:
    """Rows by name, and the names in each group, where there are groups."""
    flat: dict[str, Experiment] = {}
    groups: dict[str, list[str]] = {}
    for name, row in rows.items():
        own = {name: row} if isinstance(row, Experiment) else row
        if twice := flat.keys() & own.keys():
            raise ConfigError(f"Two rows have the same name: {', '.join(twice)}.")
        flat |= own
        if own is row:
            groups[name] = list(own)
    return flat, groups


def _environment(device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    environment = {
        "device": torch.cuda.get_device_name(device) if on_gpu else str(device),
        "cpu": cpu_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "python": platform.python_version(),
        "cluster": os.environ.get("RAY_ADDRESS", ""),
        "commit": commit(),
    }
    return {name: value for name, value in environment.items() if value != ""}
