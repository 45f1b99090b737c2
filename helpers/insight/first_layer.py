"""The filters of a first layer: as pictures, and how much of them is colour."""

import torch
from torch import Tensor


def weight_pictures(weight: Tensor) -> Tensor:
    """Filters (F, C, h, w) as pictures, 0–1, each on its own scale, 0 mid-gray."""
    values = weight.detach().float().cpu()
    largest = values.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    return 0.5 + 0.5 * values / largest


def filter_composition(weight: Tensor) -> dict[str, Tensor]:
    """Splits the energy of each filter, the sum of its squared weights, in four.

    A filter (F, C, h, w) is its mean over channels (brightness) and the rest (colour);
    each of these is its mean over places (plain) and the rest (a pattern, such as an
    edge). The four are orthogonal, as in an analysis of variance. Random filters have
    energy in proportion to the dimensions: 1, C - 1, hw - 1 and (C - 1)(hw - 1).

    Returns:
        By ``plain brightness``, ``plain colour``, ``brightness pattern`` and ``colour
        pattern``: shares (F,), which add up to 1.
    """
    filters = weight.detach().double().cpu()
    gray = filters.mean(dim=1, keepdim=True).expand_as(filters)
    colour = filters - gray
    parts = {}
    for name, part in (("brightness", gray), ("colour", colour)):
        plain = part.mean(dim=(2, 3), keepdim=True).expand_as(part)
        parts[f"plain {name}"], parts[f"{name} pattern"] = plain, part - plain
    energies = {name: part.square().sum(dim=(1, 2, 3)) for name, part in parts.items()}
    whole = torch.stack(list(energies.values())).sum(0).clamp(min=1e-30)
    return {name: energy / whole for name, energy in energies.items()}
