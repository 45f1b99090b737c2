"""A data set in memory: images and labels for training, validation and testing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

import torch
from torch import Tensor

from helpers.base.errors import ConfigError, DataError


def shuffle_key(name: str) -> bytes:
    """A sort key that shuffles alike on every machine, for ever."""
    return hashlib.sha256(f"0/{name}".encode()).digest()


@dataclass(frozen=True)
class Split:
    """One split.

    Attributes:
        images: ``uint8`` (N, C, H, W), 0–255; or float32 (N, C, h, w), a network's
            features, which are taken as they are.
        labels: ``int64`` (N,), indices into the data set's classes.
        ids: N names, for files their path below the split's folder.
    """

    images: Tensor
    labels: Tensor
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.labels) == len(self.ids):
            raise ValueError(
                f"{len(self.images)} images, {len(self.labels)} labels and "
                f"{len(self.ids)} ids do not match"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: Tensor) -> Split:
        """The images at ``indices`` (``int64``), in that order."""
        return Split(
            self.images[indices],
            self.labels[indices],
            tuple(self.ids[i] for i in indices.tolist()),
        )

    def take(self, count: int, *, seed: int = 0) -> Split:
        """``count`` images, with the classes in the split's own proportions.

        A smaller count is always a part of a larger one; a ConfigError says that there
        are not so many.
        """
        if not 1 <= count <= len(self):
            raise ConfigError(
                f"A limit of {count} images does not fit a split of {len(self)}: "
                f"choose 1 to {len(self)}."
            )
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self), generator=generator)
        order = order[torch.argsort(self.labels[order], stable=True)]
        # The k-th of n images of a class comes at time (k + 1/2) / n.
        labels, sizes = self.labels[order], torch.bincount(self.labels)
        rank = torch.arange(len(self)) - (sizes.cumsum(0) - sizes)[labels]
        time = (rank + 0.5) / sizes[labels]
        chosen = order[torch.argsort(time, stable=True)][:count]
        return self.subset(chosen.sort().values)

    def share_out(
        self, counts: Callable[[int], Sequence[int]], *, groups: Tensor | None = None
    ) -> list[Split]:
        """Deals the images of each class out into parts, by ids alone.

        Args:
            counts: says of the number of images of a class how many go into each part
                but the last.
            groups: ``int64`` (N,): images of one group go into one part, as long as
                one has room for them; None deals each by itself.
        """
        own = range(len(self)) if groups is None else groups.tolist()
        dealt = []  # for each class the indices of each part
        for label in self.labels.unique():
            members = (self.labels == label).nonzero().flatten().tolist()
            units: dict[int, list[int]] = {}
            for i in sorted(members, key=lambda i: shuffle_key(self.ids[i])):
                units.setdefault(own[i], []).append(i)
            sizes = counts(len(members))
            rest = len(members) - sum(sizes)
            dealt.append(_deal(units.values(), [*sizes, rest]))
        parts = [sorted(chain(*part)) for part in zip(*dealt, strict=True)]
        return [self.subset(torch.tensor(part, dtype=torch.int64)) for part in parts]


def _deal(units: Iterable[list[int]], room: list[int]) -> list[list[int]]:
    """Fills parts with that much room one after the other, the largest units first."""
    parts: list[list[int]] = [[] for _ in room]
    for unit in sorted(units, key=len, reverse=True):
        # A unit that fits nowhere is dealt image by image.
        pieces = [unit] if max(room) >= len(unit) else [[index] for index in unit]
        for piece in pieces:
            part = next(n for n, left in enumerate(room) if left >= len(piece))
            parts[part] += piece
            room[part] -= len(piece)
    return parts


@dataclass(frozen=True)
class Splits:
    """A data set.

    Attributes:
        name: its name in the catalogue.
        source: ``real`` or ``synthetic`` (a drawn stand-in).
        classes: class names, in the order of the labels.
        train: what is learned from.
        valid: what everything is selected on.
        test: the last word, or None where the set has none.
        factors: what the classes combine, where they do: values by name, the last
            changing fastest.
        normalisation: mean and standard deviation of each channel, in 0–1; None takes
            those of the training images.
        unlabelled: images whose labels nobody has, ``uint8`` (C, H, W) by identifier.
    """

    name: str
    source: str
    classes: tuple[str, ...]
    train: Split
    valid: Split
    test: Split | None = None
    factors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    unlabelled: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Split]:
        """The splits that are there, by name."""
        named = {"train": self.train, "valid": self.valid, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.train.images.shape[1]

    @property
    def image_size(self) -> int:
        """Side of an image in pixels."""
        return self.train.images.shape[-1]

    def counts(self) -> dict[str, int]:
        """Images per split."""
        return {name: len(split) for name, split in self.parts.items()}

    def find(self, name: str) -> Tensor:
        """The image with this id, with or without suffix: ``uint8`` (C, H, W)."""
        for split in self.parts.values():
            for index, item in enumerate(split.ids):
                if name in (item, item.rpartition(".")[0]):
                    return split.images[index]
        raise DataError(
            f"{self.name} has no image {name!r}: expected an id such as "
            f"{self.train.ids[0]!r}."
        )

    def normalised_with(self, mean: Sequence[float], std: Sequence[float]) -> Splits:
        """The same images, normalised as a network trained on others expects them."""
        return replace(self, normalisation=(tuple(mean), tuple(std)))

    def channel_stats(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel to normalise with, in 0–1.

        0 and 1 for floats; the deviation of a constant channel is 1.
        """
        return self.normalisation or self._own_stats

    @cached_property
    def _own_stats(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if self.train.images.dtype != torch.uint8:
            return (0.0,) * self.channels, (1.0,) * self.channels
        # Counting the 256 values is exact, and needs no copy of the images as floats.
        values = torch.arange(256, dtype=torch.float64) / 255
        mean, std = [], []
        for channel in self.train.images.unbind(1):
            share = torch.bincount(channel.flatten(), minlength=256) / channel.numel()
            centre = (share * values).sum()
            mean.append(centre.item())
            std.append((share * (values - centre) ** 2).sum().sqrt().item() or 1.0)
        return tuple(mean), tuple(std)

    def limit(self, train: int | None = None, valid: int | None = None) -> Splits:
        """Fewer images, with the classes in proportion; None takes all."""
        return replace(
            self,
            train=self.train if train is None else self.train.take(train),
            valid=self.valid if valid is None else self.valid.take(valid),
        )

    def without_test(self) -> Splits:
        """The same data for comparisons, in which the test set has no part."""
        return replace(self, test=None)

    def fingerprint(self) -> str:
        """A short hash of every pixel and label and of the normalisation."""
        digest = hashlib.blake2b(self.name.encode(), digest_size=8)
        if self.normalisation is not None:
            digest.update(repr(self.normalisation).encode())
        for split in self.parts.values():
            digest.update(split.images.contiguous().numpy().data)
            digest.update(split.labels.contiguous().numpy().data)
        return digest.hexdigest()
