"""A trained network in one file that holds all that prediction needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms.v2.functional import normalize

from helpers.base.declared import resolve
from helpers.base.errors import ModelError, NotebookError, explained
from helpers.base.runs import command, find_run
from helpers.base.schema import NUMBER, OBJECT, SIZE, TEXT, fields, many, require
from helpers.base.tensors import write_tensors
from helpers.models.building import create_model, read_file
from helpers.models.heads import class_logits

FORMAT = 1
SUFFIXES = (".pt", ".pth")  # of files that hold a network
SCHEMA = fields(
    {
        "format": {"const": FORMAT},
        "architecture": TEXT,
        "arguments": OBJECT,
        "classes": many(TEXT, 1),
        "image_size": {**SIZE, "maximum": 1024},
        "channels": SIZE,
        "mean": many(NUMBER, 1),
        "std": many({**NUMBER, "exclusiveMinimum": 0}, 1),
        "trained_on": {"enum": ["real", "synthetic"]},
        "state_dict": OBJECT,
    }
)


@dataclass(frozen=True)
class SavedModel:
    """A network with what it was trained on.

    Attributes:
        model: in evaluation mode.
        architecture: its registered name.
        arguments: of its constructor.
        classes: names, in the order of the logits.
        image_size: side in pixels.
        channels: of an image.
        mean: of each channel, in 0–1.
        std: likewise.
        trained_on: ``real`` data, or a ``synthetic`` stand-in.
    """

    model: nn.Module
    architecture: str
    arguments: dict[str, Any]
    classes: tuple[str, ...]
    image_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    trained_on: str

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), ``uint8``, to float ones as in training."""
        normalised: Tensor = normalize(images.float() / 255, self.mean, self.std)
        return normalised

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Images (N, channels, image_size, image_size), ``uint8``, to probabilities
        (N, K), float32, on the CPU.
        """
        device = next(self.model.parameters()).device
        probabilities = []
        for batch in images.split(256):
            outputs = self.model(self.normalise(batch.to(device)))
            logits = class_logits(self.model, outputs.float())
            probabilities.append(logits.softmax(1).cpu())
        return torch.cat(probabilities)


def save_model(path: Path, model: nn.Module, **about: Any) -> None:
    """Writes a registered network to ``path``, atomically; ``about`` are all other
    attributes of ``SavedModel``.
    """
    content = vars(SavedModel(model, **about)) | {"format": FORMAT}
    del content["model"]
    weights = model.state_dict()
    content["state_dict"] = {name: w.detach().cpu() for name, w in weights.items()}
    write_tensors(path, content)


def load_model(source: Path | str, *, trained_on: str | None = None) -> SavedModel:
    """Loads a network that a notebook has saved.

    Args:
        source: as of ``find_model``.
        trained_on: ``real`` or ``synthetic`` to refuse the other; None takes either.

    Raises:
        ModelError: there is no such file, it is not a model of this project, or it was
            trained on other data.
    """
    path = find_model(source, trained_on=trained_on)
    expected = (
        "Expected a model.pt as the notebooks of this project now write it: run the "
        "notebook that saves it again."
    )
    content = read_file(path, expected)
    with explained(ModelError, f"{path} holds no model of format {FORMAT}", expected):
        require(content, SCHEMA)
    if trained_on not in (None, content["trained_on"]):
        raise ModelError(
            f"{path} was trained on {content['trained_on']} data, but is to be used on "
            f"{trained_on} data. Run the notebook that saves it again on those."
        )
    arguments = dict(content["arguments"])
    if "weights" in arguments:
        arguments["weights"] = None  # the file holds what became of pretrained ones
    del content["format"]
    with explained(ModelError, f"{path} cannot be used", expected):
        model = create_model(content["architecture"], **arguments)
        model.load_state_dict(content.pop("state_dict"))
        saved = SavedModel(model.eval(), **content)
        shape = (1, saved.channels, saved.image_size, saved.image_size)
        found = saved.predict(torch.zeros(shape, dtype=torch.uint8))[0]
        if len(found) != len(saved.classes) or not found.isfinite().all():
            raise ModelError(
                f"{len(saved.classes)} classes have {len(found)} logits, or NaN"
            )
    return saved


def find_model(source: Path | str, *, trained_on: str | None = None) -> Path:
    """The file of a model, of the best run of the notebook that there is.

    Args:
        source: a ``.pt`` file; the notebook that saved the model (``03_multi_head``);
            or, where a notebook saves several, with the file's name
            (``lines/01_foundations/model_mnist``).
        trained_on: ``real`` or ``synthetic`` to go before runs on the other.

    Raises:
        NotebookError: no notebook has this name, or several have.
        ModelError: the notebook has not saved it.
    """
    source = Path(source)
    if source.suffix in SUFFIXES:
        return source
    source = Path(source.as_posix().removeprefix("notebooks/").removesuffix(".ipynb"))
    *named, stem = source.parts if len(source.parts) > 2 else (*source.parts, "model")
    names = [notebook.name for notebook in resolve("/".join(named))]
    if len(names) > 1:
        raise NotebookError(
            f"{source} is several notebooks: name one of {', '.join(names)}."
        )
    name, file = names[0], f"{stem}.pt"
    path = find_run(name, source=trained_on, file=file) / file
    if not path.is_file():
        there = find_run(name, source=trained_on).glob("*.pt")
        others = ", ".join(sorted(other.stem for other in there))
        but = f", but {others}" if others else ""
        why = f"{name} has left no {stem}{but}"
        raise ModelError(f"{why}. If it saves one: {command('run', name)}")
    return path
