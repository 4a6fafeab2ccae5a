"""Small classifiers with every kind of head, and coloured pictures that a small network learns in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

D, K = 12, 5


class Body(nn.Module):
    """[n, 3, 8, 8] -> [n, D]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, D, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x)).mean((2, 3))


class Classifier(nn.Module):
    """A body, a head, and a way to put them together."""

    def __init__(self, head: nn.Module, end: Callable[[Any, Tensor], Any] | None = None, body: Any = None):
        super().__init__()
        self.body, self.fc = body or Body(), head
        self.end = end

    def forward(self, x: Tensor) -> Any:
        h = self.body(x)
        return self.fc(h) if self.end is None else self.end(self.fc, h)


class CosineHead(nn.Module):
    """s cos(W_k, h), as NormFace has it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(K, D))

    def forward(self, h: Tensor) -> Tensor:
        return 16.0 * F.normalize(h, dim=1) @ F.normalize(self.weight, dim=1).T


class Centres(nn.Linear):
    """-|h - W_k|, which is no linear image of h."""

    def __init__(self) -> None:
        super().__init__(D, K, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        return -torch.cdist(h, self.weight)


class TransposedHead(nn.Module):
    """A matrix [d, K] of another name, as margin heads keep it."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(D, K))

    def forward(self, h: Tensor) -> Tensor:
        return h @ self.kernel


class Scores(dict):  # type: ignore[type-arg]
    """A dictionary with attributes, as model libraries return it."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class MapBody(nn.Module):
    """[n, 3, 8, 8] -> [n, D, 8, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, D, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


class TwoHeads(nn.Module):
    """The mean of two heads that read different features."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Body(), Body()
        self.fc1, self.fc2 = nn.Linear(D, K), nn.Linear(D, K)

    def forward(self, x: Tensor) -> Tensor:
        return (self.fc1(self.first(x)) + self.fc2(self.second(x))) / 2


def spoil(head: nn.Module, h: Tensor) -> Tensor:
    """Logits, after which the features are overwritten in place."""
    out = head(h)
    h.zero_()
    return out


def small_body(
    pooling: str = "mean", stride: int = 1, activation: Callable[[Tensor], Tensor] = F.relu
) -> nn.Module:
    """A network whose keys and shapes do not depend on pooling, stride and activation."""

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, stride, 1)
            self.conv2 = nn.Conv2d(16, 32, 3, 2, 1)
            self.fc = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = activation(self.conv2(activation(self.conv1(x))))
            pool = F.adaptive_avg_pool2d if pooling == "mean" else F.adaptive_max_pool2d
            return self.fc(pool(x, 1).flatten(1))

    return Small()


def coloured_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """scikit-learn's digits at 16 x 16, tinted: the colour tells about half of what the shape tells."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    labels = digits.target.astype(np.int64)
    rng = np.random.default_rng(0)
    strokes = digits.images.repeat(2, 1).repeat(2, 2)[..., None] / 16
    tints = np.array([[1, 0.2, 0.1], [0.1, 0.3, 1], [0.6, 0.9, 0.2], [1, 0.7, 0.9], [0.3, 0.6, 0.5]])
    tint = tints[labels % 5][:, None, None] * rng.uniform(0.7, 1.0, (len(labels), 1, 1, 1))
    noise = rng.normal(0, 0.06, (*strokes.shape[:3], 3))
    pixels = np.clip(0.15 + 0.75 * strokes * tint + noise, 0, 1)
    return (pixels * 255).round().astype(np.uint8), labels


HEADS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "linear": (lambda: Classifier(nn.Linear(D, K)), "linear"),
    "no bias": (lambda: Classifier(nn.Linear(D, K, bias=False)), "linear"),
    "weight norm": (lambda: Classifier(weight_norm(nn.Linear(D, K))), "linear"),
    "transposed": (lambda: Classifier(TransposedHead()), "linear"),
    "temperature": (lambda: Classifier(nn.Linear(D, K), lambda fc, h: fc(h) / 0.07), "linear"),
    "unit rows": (
        lambda: Classifier(
            nn.Linear(D, K, bias=False), lambda fc, h: 9 * h @ F.normalize(fc.weight).T + 0 * fc(h)
        ),
        "linear",
    ),
    "cosine": (lambda: Classifier(CosineHead()), "cosine"),
    "1x1 convolution": (
        lambda: Classifier(nn.Conv2d(D, K, 1), lambda fc, h: fc(h[:, :, None, None]).flatten(1)),
        "1x1 convolution",
    ),
    "convolution before the pool": (
        lambda: Classifier(nn.Conv2d(D, K, 1), lambda fc, h: fc(h).mean((2, 3)), MapBody()),
        "1x1 convolution",
    ),
    "tokens": (
        lambda: Classifier(nn.Linear(D, K), lambda fc, h: fc(h.flatten(2).mT).mean(1), MapBody()),
        "linear",
    ),
    "dictionary": (
        lambda: Classifier(nn.Linear(D, K), lambda fc, h: {"features": h[0], "logits": fc(h)}),
        "linear",
    ),
    "model output": (lambda: Classifier(nn.Linear(D, K), lambda fc, h: Scores(logits=fc(h))), "linear"),
    "tuple": (lambda: Classifier(nn.Linear(D, K), lambda fc, h: (fc(h), h)), "linear"),
    "log-probabilities": (lambda: Classifier(nn.Linear(D, K), lambda fc, h: fc(h).log_softmax(1)), "linear"),
    "probabilities": (lambda: Classifier(nn.Linear(D, K), lambda fc, h: fc(h).softmax(1)), "linear"),
    "features overwritten": (lambda: Classifier(nn.Linear(D, K), spoil), "linear"),
}
"""Name -> network and the kind of head that must be proved."""

WITHOUT: dict[str, Callable[[], nn.Module]] = {
    "two heads": TwoHeads,
    "ReLU after": lambda: Classifier(nn.Linear(D, K), lambda fc, h: F.relu(fc(h) - 0.1)),
    "divided by its norm": lambda: Classifier(nn.Linear(D, K), lambda fc, h: F.normalize(fc(h))),
    "squared": lambda: Classifier(nn.Linear(D, K), lambda fc, h: fc(h) ** 2),
    "distances to centres": lambda: Classifier(Centres()),
    "convolution, ReLU, pool": lambda: Classifier(
        nn.Conv2d(D, K, 1), lambda fc, h: F.relu(fc(h)).mean((2, 3)), MapBody()
    ),
}
"""Networks whose logits are no linear image of any features."""
