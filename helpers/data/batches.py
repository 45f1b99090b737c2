"""Batches from a split that lies whole on the training device."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from helpers.data.augment import Augment
from helpers.data.splits import Split, Splits


class Batches:
    """Normalised batches of a split; seed and epoch alone fix order and augmentation.

    Args:
        split: the images; moved to ``device`` once, as they are.
        batch_size: images per batch; the last may be smaller.
        device: where the batches are made.
        mean: of each channel, in 0–1.
        std: likewise.
        shuffle: a new order every epoch, of full batches if there is one: steps weigh
            the same, and batch normalisation cannot learn from one image.
        augment: applied to every batch; None for evaluation.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        device: torch.device,
        mean: Sequence[float],
        std: Sequence[float],
        seed: int = 0,
        shuffle: bool = False,
        augment: Augment | None = None,
    ) -> None:
        self.images, self.labels = split.images.to(device), split.labels.to(device)
        self.batch_size, self.device, self.seed = batch_size, device, seed
        self.shuffle, self.augment = shuffle, augment
        # The value that mean and std call 1.
        white = 255 if self.images.dtype == torch.uint8 else 1
        self.generator = torch.Generator(device)
        self._centre, self._width = (
            torch.tensor(values, device=device, dtype=torch.float32)
            .mul(white)
            .view(1, -1, 1, 1)
            for values in (mean, std)
        )

    def __len__(self) -> int:
        full, rest = divmod(len(self.labels), self.batch_size)
        return full + (rest > 0 and not (self.shuffle and full))

    def order(self, epoch: int) -> Iterator[Tensor]:
        """Seeds what ``take`` draws, and yields the indices (B,) of each batch."""
        count = len(self.labels)
        generator = self.generator.manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.arange(count, device=self.device)
        if self.shuffle:
            order = torch.randperm(count, generator=generator, device=self.device)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size]

    def take(self, chosen: Tensor, *, size: int | None = None) -> tuple[Tensor, Tensor]:
        """The batch at ``chosen``, without a wait: normalised float images
        (B, C, H, W), ``channels_last`` in memory, and ``int64`` labels (B,).

        Augmentation gives images of side ``size`` in pixels; None keeps their own.
        """
        # On a CPU, an index in brackets takes ten times as long.
        images = self.images.index_select(0, chosen)
        images = (images - self._centre).div_(self._width)
        if self.augment is not None:
            images = self.augment(images, self.generator, size=size)
        images = images.contiguous(memory_format=torch.channels_last)
        return images, self.labels.index_select(0, chosen)


def augmented_views(
    splits: Splits, augment: Augment, *, index: int = 0, count: int
) -> Tensor:
    """A training image in ``count`` augmented versions: float (count, C, H, W), 0–1."""
    one = splits.train.subset(torch.tensor([index] * count))
    mean, std = splits.channel_stats()
    cpu = torch.device("cpu")
    batches = Batches(one, count, device=cpu, mean=mean, std=std, augment=augment)
    images, _ = batches.take(*batches.order(0))
    mean_t, std_t = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
    return (images * std_t + mean_t).clamp(0, 1)
