"""What every classifier here is: `features` then `head`, and a way to build one.

Images [n, channels, height, width] -> features [n, d] -> logits [n, K].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from penviz.training import images


class Network(nn.Module):
    """Any classifier here: `features` maps images to the penultimate layer, `head` is the last linear layer.

    Attributes:
        features: module, [n, channels, height, width] -> [n, d].
        head: Linear(d, K).
        dropout: probability with which an input of the head is left out while training; never in `features`.
        decayed: parameters that weight decay acts on; all weights of convolutions and linear layers unless
            the recipe of the network says otherwise.
        scaling: from stored pixels [n, height, width, channels] uint8 to images; each by its own mean and
            std unless the network is one that was trained otherwise.
    """

    def __init__(
        self,
        features: nn.Module,
        head: nn.Linear,
        decayed: list[Tensor] | None = None,
        scaling: Callable[[Tensor], Tensor] = images.standardise,
        body: nn.Module | None = None,
    ):
        super().__init__()
        self.features = features
        self.head = head
        self.dropout = 0.0
        self.scaling = scaling
        self._body = (features if body is None else body,)  # a tuple, so that its weights count once
        self.decayed: list[Tensor] = (
            [p for p in self.parameters() if p.ndim > 1] if decayed is None else decayed
        )

    @property
    def body(self) -> nn.Module:
        """The part of `features` that pretrained weights are for; all of it unless said otherwise."""
        return self._body[0]

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, K]."""
        features = self.features(images)
        if self.dropout:
            features = F.dropout(features, self.dropout, self.training)
        logits: Tensor = self.head(features)
        return logits


@dataclass(frozen=True)
class Architecture:
    """A way to build a network.

    Attributes:
        build: (channels, height, width) of the images, K -> Network.
        about: one line for people.
        width: d.
        least_side: smallest image side it takes, in pixels.
        recipe: RunConfig fields in which its training differs from the defaults.
    """

    build: Callable[[tuple[int, int, int], int], Network]
    about: str
    width: int
    least_side: int = 1
    recipe: dict[str, object] | None = None
