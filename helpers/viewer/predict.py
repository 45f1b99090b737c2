"""Images labelled by a saved network: for people, and in the file a course asks for."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from helpers.base.errors import DataError, ExportError
from helpers.base.files import write_atomic
from helpers.base.record import RunRecord
from helpers.data.images import identified, listed
from helpers.models.saved import SUFFIXES, SavedModel, find_model, load_model
from helpers.viewer.inputs import read_image

CHUNK = 1024  # images decoded at a time


@dataclass(frozen=True)
class Predictions:
    """What the network in the file ``path`` says of images.

    Attributes:
        files: the images, in order of identifier (the name without its suffix).
        probabilities: float32 (N, K).
        faults: why each of the other files is not labelled.
    """

    path: Path
    saved: SavedModel
    files: list[Path]
    probabilities: Tensor
    faults: list[str]

    def likeliest(self) -> Iterator[str]:
        """A line for each image: ``cup.jpg: cup 91.2 %, chair 5.0 %, lamp 1.3 %``."""
        best = self.probabilities.topk(min(3, len(self.saved.classes)))
        for file, *row in zip(self.files, *map(Tensor.tolist, best), strict=True):
            pairs = zip(*row, strict=True)
            named = [f"{self.saved.classes[k]} {100 * p:.1f} %" for p, k in pairs]
            yield f"{file.name}: {', '.join(named)}"

    def write(self, output: Path, *, names: bool = False) -> None:
        """Writes them as ``write_labels`` does: class indices, or names."""
        labels = self.probabilities.argmax(1).tolist()
        known = [self.saved.classes[k] for k in labels] if names else labels
        write_labels(output, [file.stem for file in self.files], known)


def predict_images(
    model: str, images: Path, *, besides: Path | None = None
) -> Predictions:
    """Labels images with a saved network, as many as can be read.

    ``model`` is as of ``find_model``; ``images`` is one image, or a folder of images,
    in which the file ``besides`` is to be written.

    Raises:
        ModelError: as ``find_model`` and ``read_image``.
        DataError: there are no images, two have one identifier, or ``besides`` is one.
    """
    no_text = {*Image.registered_extensions(), *SUFFIXES}
    if besides and besides.suffix.lower() in no_text:
        raise DataError(f"{besides} would be no text: name a .csv or .txt file.")
    files = [images]
    if images.is_dir():
        own = besides and realpath(besides)
        there = (file for file in listed(images) if realpath(file) != own)
        files = list(identified(there).values())
    if not files or not images.exists():
        raise DataError(
            f"{images} is {'empty' if images.is_dir() else 'not there'}. Expected an "
            "image or a folder of images."
        )
    path = find_model(model)
    saved = load_model(path)
    faults, labelled, found = [], list[Path](), [torch.empty(0)]
    for start in range(0, len(files), CHUNK):
        decoded = {}
        for file in files[start : start + CHUNK]:
            try:
                decoded[file] = read_image(saved, file)
            except DataError as error:
                faults.append(str(error))
        if decoded:
            labelled += decoded
            found.append(saved.predict(torch.stack([*decoded.values()])))
    return Predictions(path, saved, labelled, torch.cat(found), faults)


def write_labels(output: Path, ids: Iterable[str], labels: Iterable[int | str]) -> None:
    """Writes the header ``id,label`` and rows ``0001, 2``, as courses ask for them, or
    with names ``0001,cup``; an ExportError says that this is impossible.
    """
    known = (f" {label}" if isinstance(label, int) else label for label in labels)
    with (
        write_atomic(output) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerows([("id", "label"), *zip(ids, known, strict=True)])


def training_of(path: Path, saved: SavedModel) -> str:
    """What the network in a file was trained on, and what made that a reduced run."""
    said = [f"{path} was trained on {saved.trained_on} data"]
    with suppress(ExportError):  # a model by itself knows no more
        run = RunRecord.load(path.with_name("metrics.json"))
        name = run.data.get("name", "unknown").replace(", ", " or ")
        said[0] += f" ({name})"
        said += [text.rstrip(".") for _, text in run.caveats()]
    said += [] if saved.trained_on == "real" else ["What it says means nothing"]
    return ". ".join(said)
