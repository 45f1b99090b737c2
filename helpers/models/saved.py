"""A trained network in one file that holds all that prediction needs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from helpers.base.errors import ModelError
from helpers.base.files import exports_dir
from helpers.base.tensors import UnreadableError, read_tensors, write_tensors
from helpers.models.heads import class_logits
from helpers.models.registry import create_model

FORMAT = 1


@dataclass(frozen=True)
class SavedModel:
    """A network with what it was trained on.

    Attributes:
        model: the network, in evaluation mode.
        architecture: its name in the registry.
        arguments: what its constructor was given.
        classes: class names, in the order of the logits.
        image_size: side of the images in pixels.
        channels: channels of an image.
        mean: mean of each channel that is subtracted, in 0–1.
        std: standard deviation of each channel that is divided by, in 0–1.
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
        """``uint8`` images (B, C, H, W), 0–255, as the network wants them: float, mean
        0, deviation 1.
        """
        mean, std = (
            torch.tensor(v, device=images.device).view(1, -1, 1, 1)
            for v in (self.mean, self.std)
        )
        return (images.float() / 255 - mean) / std

    @torch.no_grad()
    def predict(self, images: Tensor, *, batch_size: int = 256) -> Tensor:
        """Class probabilities.

        Args:
            images: ``uint8`` (N, channels, image_size, image_size), 0–255.
            batch_size: images per forward pass.

        Returns:
            Probabilities (N, K), float32, on the CPU; each row sums to 1.
        """
        device = next(self.model.parameters()).device
        outputs = (
            self.model(self.normalise(batch.to(device)))
            for batch in images.split(batch_size)
        )
        return torch.cat(
            [
                class_logits(self.model, batch.float()).softmax(1).cpu()
                for batch in outputs
            ]
        )


def save_model(
    path: Path,
    model: nn.Module,
    *,
    architecture: str,
    arguments: dict[str, Any],
    classes: Sequence[str],
    image_size: int,
    channels: int,
    mean: Sequence[float],
    std: Sequence[float],
    trained_on: str,
) -> None:
    """Writes a network to ``path``, whole or not at all; the arguments are those of
    ``SavedModel``.
    """
    content = {
        "format": FORMAT,
        "architecture": architecture,
        "arguments": arguments,
        "state_dict": {
            name: tensor.detach().cpu() for name, tensor in model.state_dict().items()
        },
        "classes": list(classes),
        "image_size": image_size,
        "channels": channels,
        "mean": list(mean),
        "std": list(std),
        "trained_on": trained_on,
    }
    write_tensors(path, content)


def load_model(source: Path | str, *, trained_on: str | None = None) -> SavedModel:
    """Loads a network that a notebook has saved.

    Args:
        source: a path to a ``model.pt``, or the name of the notebook that saved it
            (``caltech101/01_lenet5``); where a notebook saves several, with that of the
            file (``lines/01_foundations/model_mnist``).
        trained_on: ``real`` or ``synthetic`` where only such a model will do; None
            takes either.

    Raises:
        ModelError: there is no such file, it is not a model of this project, or it was
            trained on other data.
    """
    path = _model_path(source)
    content = _read(path)
    if trained_on not in (None, content["trained_on"]):
        raise ModelError(
            f"{path} was trained on {content['trained_on']} data, but {trained_on} "
            "data are what it is to be used on. "
            "Run the notebook that saves it again, on the same data."
        )
    # A network that started from pretrained weights need not find them again: the file
    # holds what became of them.
    forgotten = {"weights": None} if "weights" in content["arguments"] else {}
    model = create_model(content["architecture"], **content["arguments"] | forgotten)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        # PyTorch lists every weight that is missing, unexpected or of another shape:
        # the beginning says enough.
        problem = textwrap.shorten(
            " ".join(str(error).splitlines()[1:]) or str(error), 200, placeholder=" …"
        )
        raise ModelError(
            f"The weights in {path} do not fit {content['architecture']!r} as it is "
            f"now ({problem}). "
            "Run the notebook that saves it again."
        ) from error
    return SavedModel(
        model=model.eval(),
        architecture=content["architecture"],
        arguments=content["arguments"],
        classes=tuple(content["classes"]),
        image_size=content["image_size"],
        channels=content["channels"],
        mean=tuple(content["mean"]),
        std=tuple(content["std"]),
        trained_on=content["trained_on"],
    )


def _model_path(source: Path | str) -> Path:
    path = Path(source)
    if path.suffix in (".pt", ".pth"):
        if not path.is_file():
            raise ModelError(f"There is no model file {path}.")
        return path
    notebook, stem = (
        (path.parent, path.name) if len(path.parts) > 2 else (path, "model")
    )
    saved = exports_dir() / notebook / f"{stem}.pt"
    if not saved.is_file():
        quick = " --quick" if exports_dir().name == "quick" else ""
        raise ModelError(
            f"The model of notebook {notebook.as_posix()} is not there ({saved}). "
            "Run that notebook first: python -m helpers run "
            f"{notebook.as_posix()}{quick}"
        )
    return saved


def _read(path: Path) -> dict[str, Any]:
    expected = "Expected a model.pt that a notebook of this project has written."
    try:
        content = read_tensors(path)
    except UnreadableError as error:
        raise ModelError(
            f"{path} cannot be read as a model ({error}). {expected}"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError(f"{path} holds no model of format {FORMAT}. {expected}")
    return content
