"""A multilayer perceptron whose weights can be looked at as images."""

from torch import Tensor, nn

from helpers.models.building import initialise, register


@register("mlp")
class MLP(nn.Module):
    """One hidden layer with ReLU.

    Args:
        hidden: units; the course asks for 300 and 800.
        dropout: of hidden units.
        init: as ``initialise`` takes it.
        standardise: bring each image to mean 0 and standard deviation 1 first.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 28,
        *,
        hidden: int = 300,
        dropout: float = 0.0,
        init: str | None = None,
        standardise: bool = False,
    ) -> None:
        super().__init__()
        self.image_shape = (in_channels, image_size, image_size)
        inputs = in_channels * image_size * image_size
        norm = nn.LayerNorm(inputs, elementwise_affine=False)
        self.norm = norm if standardise else nn.Identity()
        self.fc1 = nn.Linear(inputs, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, num_classes)
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.relu(self.fc1(self.norm(images.flatten(1))))  # (B, hidden)
        logits: Tensor = self.fc2(self.dropout(x))
        return logits

    def weight_images(self) -> Tensor:
        """Each hidden unit's weights as an image of either sign: (hidden, C, H, W)."""
        weights: Tensor = self.fc1.weight.detach().cpu()
        return weights.reshape(-1, *self.image_shape)
