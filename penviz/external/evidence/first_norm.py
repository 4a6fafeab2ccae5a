"""The first batch norm remembers the pixels of the training: which preprocessing gives its mean and variance.

What enters the first batch norm depends on the pixels and on few weights. Its running mean and variance were
taken from training images, so the preprocessing of the training brings them about again and others do not. No
labels are needed. The numbers of a channel are compared as two normal distributions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from penviz.external.evidence.outputs import run
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.store.run_config import RunError

BATCH = 200

PADDINGS = {"": "no padding", "black": "black pixels padded", "zeros": "zeros padded"}
"""How training crops were padded: not, before the scaling, or after it."""

Float = NDArray[np.float64]


def kl(mean: Float, variance: Float, running_mean: Float, running_variance: Float) -> Float:
    """KL(measured || running) of two normal distributions a channel, in nats.

    0.5 (v'/v - 1 - ln(v'/v) + (m' - m)^2 / v), with m', v' measured and m, v running (Kullback 1959).
    """
    ratio = np.maximum(variance, 1e-30) / running_variance
    shift = (mean - running_mean) ** 2 / running_variance
    return np.asarray(0.5 * (ratio - 1 - np.log(ratio) + shift), np.float64)


class _Reached(Exception):
    """Ends a forward pass at the first batch norm."""


def first_norm(network: nn.Module, example: Tensor) -> tuple[str, _BatchNorm] | None:
    """Name and module of the batch norm that a forward pass reaches first, with running statistics; or None.

    Args:
        network: in evaluation mode; example: a batch that it can be fed.
    """
    reached: list[tuple[str, _BatchNorm]] = []

    def hook(name: str) -> Callable[[nn.Module, Any], None]:
        def enter(module: nn.Module, inputs: Any) -> None:
            reached.append((name, module))  # type: ignore[arg-type]
            raise _Reached

        return enter

    norms = [(n, m) for n, m in network.named_modules() if isinstance(m, _BatchNorm)]
    handles = [m.register_forward_pre_hook(hook(n)) for n, m in norms]
    try:
        with torch.no_grad():
            network(example)
    except _Reached:
        pass
    except Exception:  # what keeps a network from running is said where it is run in earnest
        return None
    finally:
        for handle in handles:
            handle.remove()
    if not reached or reached[0][1].running_mean is None or reached[0][1].running_var is None:
        return None
    return reached[0]


@torch.no_grad()
def entering(network: nn.Module, norm: _BatchNorm, batch: Tensor) -> Tensor:
    """What enters a batch norm: [n, C] or [n, C, ...].

    Raises:
        RunError: the network does not run on such images.
    """
    held: list[Tensor] = []

    def enter(module: nn.Module, inputs: Any) -> None:
        held.append(inputs[0])
        raise _Reached

    handle = norm.register_forward_pre_hook(enter)
    try:
        network(batch)
    except _Reached:
        return held[0]
    except Exception as error:
        raise RunError(f"The network does not run on such images: {error}.") from None
    finally:
        handle.remove()
    raise RunError("The batch norm is not reached.")


def padded(way: Preprocessing, images: NDArray[np.uint8], padding: str) -> Tensor:
    """Images as a training feeds them: padded by an eighth of their side and cropped at random, seeded."""
    if not padding:
        return way.apply(images)
    n, height, width, _ = images.shape
    pad = max(1, height // 8)
    y, x = np.random.default_rng(0).integers(0, 2 * pad + 1, (2, n))
    if padding == "black":
        wide = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        return way.apply(
            np.stack([one[a : a + height, b : b + width] for one, a, b in zip(wide, y, x, strict=True)])
        )
    padded = F.pad(way.apply(images), (pad,) * 4)
    cut = [one[:, a : a + height, b : b + width] for one, a, b in zip(padded, y, x, strict=True)]
    return torch.stack(cut)


def entering_moments(
    network: nn.Module, norm: _BatchNorm, way: Preprocessing, images: NDArray[np.uint8], padding: str
) -> Float:
    """Mean and mean square of what enters a batch norm, of each image and channel: [n, C, 2]."""
    parts = []
    for start in range(0, len(images), BATCH):
        x = entering(network, norm, padded(way, images[start : start + BATCH], padding)).double()
        x = x.flatten(2) if x.ndim > 2 else x[..., None]
        parts.append(torch.stack([x.mean(2), (x * x).mean(2)], -1).numpy())
    return np.concatenate(parts)


def distance(sums: Float, running: tuple[Float, Float]) -> float:
    """Median KL over channels of moments [C, 2]."""
    return float(np.median(kl(sums[:, 0], sums[:, 1] - sums[:, 0] ** 2, *running)))


def runs_under(network: nn.Module, way: Preprocessing, images: NDArray[np.uint8]) -> bool:
    """Whether the network runs on images under a preprocessing."""
    try:
        run(network, way.apply(images[:2]))
    except RunError:
        return False
    return True


def as_stored(way: Preprocessing, images: NDArray[np.uint8]) -> bool:
    """Whether images are fed at the size that they are stored at, as small ones are that are padded."""
    return not way.size and way.crop in (0, min(images.shape[1:3])) and max(images.shape[1:3]) <= 64
