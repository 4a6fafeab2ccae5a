"""The first batch norm remembers the pixels of the training: which preprocessing gives its mean and variance.

What enters the first batch norm depends on the pixels and on few weights. Its running mean and variance were
taken from training images, so the preprocessing of the training brings them about again and others do not. No
labels are needed. The numbers of a channel are compared as two normal distributions.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from penviz.external.evidence.outputs import run
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.store.runs import RunError

IMAGES, FEWEST = 2000, 200
BATCH = 200
SECONDS = 60.0
RESAMPLES = 200
NEAR = 0.001
"""KL in nats up to which a preprocessing fits, where sampling alone does not give more."""
FLOOR_FACTOR = 2.0
"""How far above what sampling alone gives a preprocessing may lie and still fit."""
SMALLEST = 1e-10
"""Running variance up to which a channel is dead."""
PADDED_UP_TO = 30.0
"""Times the least distance up to which paddings are tried too."""
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


@dataclass(frozen=True)
class Fit:
    """How near a preprocessing comes.

    Attributes:
        way: the preprocessing; padding: of PADDINGS, the one that fits best.
        kl: median over channels, nats.
        ratio: to the nearest preprocessing, with the 95 % interval low to high over resampled images.
    """

    way: Preprocessing
    padding: str
    kl: float
    ratio: float = 1.0
    low: float = 1.0
    high: float = 1.0

    @property
    def is_tie(self) -> bool:
        """Whether these images cannot tell it from the nearest."""
        return self.low <= 1.0

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        words = {"preprocessing": self.way.describe(), "padding": PADDINGS[self.padding]}
        return words | {"kl": self.kl, "ratio": self.ratio, "interval": [self.low, self.high]}


@dataclass(frozen=True)
class NormProof:
    """What the first batch norm says of the input.

    Attributes:
        layer: its name in the network; n: images.
        fits: the nearest preprocessing first; split: that the images are of.
        floor: KL in nats below which 97.5 % of samples of these images lie where the preprocessing is right.
    """

    layer: str
    n: int
    fits: tuple[Fit, ...]
    floor: float
    split: str = "training"

    @property
    def proved(self) -> tuple[Preprocessing, ...]:
        """The preprocessing that fits, and those that these images cannot tell from it; none if none fits."""
        if self.fits[0].kl > max(NEAR, FLOOR_FACTOR * self.floor):
            return ()
        return tuple(fit.way for fit in self.fits if fit.is_tie)

    @property
    def sentence(self) -> str:
        """The proof in words: the number, the runner-up, ties."""
        best, *others = self.fits
        start = f"The first batch norm ({self.layer}) remembers its input: on {self.n:,} {self.split} images "
        ties = [fit for fit in others if fit.is_tie]
        rest = [fit for fit in others if not fit.is_tie]
        padded = f" ({PADDINGS[best.padding]})" if best.padding else ""
        head = f"'{best.way.describe()}'{padded} is {best.kl:.2g} nats away"
        if not self.proved:
            head = f"no known input fits; the nearest, '{best.way.describe()}', is {best.kl:.2g} nats away"
        said = [head]
        if ties:
            said.append(f"these images cannot tell it from {_listed(ties)}")
        if rest:
            nearest, words = rest[0], rest[0].way.describe()
            bounds = f"[{nearest.low:.3g}, {nearest.high:.3g}]"
            said.append(f"the next, '{words}', is {nearest.ratio:.3g} times as far {bounds}")
        return f"{start}{'; '.join(said)}."

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        kept = [fit.to_json() for fit in self.fits[:6]]
        words = {"layer": self.layer, "n": self.n, "floor": self.floor, "proved": bool(self.proved)}
        return words | {"fits": kept, "sentence": self.sentence}


def _listed(fits: Sequence[Fit]) -> str:
    shown = [f"'{fit.way.describe()}'" for fit in fits[:3]]
    more = [f"{len(fits) - 3} more"] if len(fits) > 3 else []
    return " or ".join([*shown, *more])


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


def _padded(way: Preprocessing, images: NDArray[np.uint8], padding: str) -> Tensor:
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


def _moments(
    network: nn.Module, norm: _BatchNorm, way: Preprocessing, images: NDArray[np.uint8], padding: str
) -> Float:
    """Mean and mean square of what enters a batch norm, of each image and channel: [n, C, 2]."""
    parts = []
    for start in range(0, len(images), BATCH):
        x = entering(network, norm, _padded(way, images[start : start + BATCH], padding)).double()
        x = x.flatten(2) if x.ndim > 2 else x[..., None]
        parts.append(torch.stack([x.mean(2), (x * x).mean(2)], -1).numpy())
    return np.concatenate(parts)


def _distance(sums: Float, running: tuple[Float, Float]) -> float:
    """Median KL over channels of moments [C, 2]."""
    return float(np.median(kl(sums[:, 0], sums[:, 1] - sums[:, 0] ** 2, *running)))


def prove_input(
    network: nn.Module,
    ways: Sequence[Preprocessing],
    images: NDArray[np.uint8],
    seconds: float = SECONDS,
    split: str = "training",
) -> NormProof | None:
    """Compare the first batch norm with what training images give under each preprocessing.

    Args:
        network: with its weights, in evaluation mode.
        ways: the candidates.
        images: [n, h, w, c] uint8 training images as stored, 2,000 or fewer.
        seconds: that it may take about: fewer images are taken where all would take longer.
        split: that the images are of, where they are not training images.

    Returns:
        None where there is no batch norm with running statistics, or the images do not reach it.
    """
    runnable = [way for way in ways if _runs(network, way, images)]
    if not runnable:
        return None
    found = first_norm(network, runnable[0].apply(images[:2]))
    if found is None:
        return None
    name, norm = found
    assert norm.running_mean is not None
    assert norm.running_var is not None
    alive = (norm.running_var > SMALLEST).numpy()
    if not alive.any():
        return None
    running = (
        norm.running_mean.double().numpy()[alive],
        norm.running_var.double().numpy()[alive],
    )
    started = time.monotonic()
    _moments(network, norm, runnable[0], images[:50], "")
    each = (time.monotonic() - started) / len(images[:50])
    images = images[: int(np.clip(seconds / max(each * 2 * len(runnable), 1e-9), FEWEST, IMAGES))]
    nearest: dict[Preprocessing, tuple[float, str, Float]] = {}

    def attempt(way: Preprocessing, padding: str) -> None:
        try:
            sums = _moments(network, norm, way, images, padding)[:, alive]
        except RunError:
            return
        far = _distance(sums.mean(0), running)
        if math.isfinite(far) and (way not in nearest or far < nearest[way][0]):
            nearest[way] = far, padding, sums

    for way in runnable:
        attempt(way, "")
    least = min((far for far, _, _ in nearest.values()), default=0.0)
    for way in [way for way, (far, _, _) in nearest.items() if far <= PADDED_UP_TO * max(least, NEAR)]:
        if _as_stored(way, images):
            attempt(way, "black")
            attempt(way, "zeros")
    if not nearest:
        return None
    ordered = sorted(nearest.items(), key=lambda item: item[1][0])
    best_sums = ordered[0][1][2]
    draws = _resamples(len(images))
    drawn = [np.tensordot(w, best_sums, 1) for w in draws]
    centre = best_sums.mean(0)
    own = (centre[:, 0], np.maximum(centre[:, 1] - centre[:, 0] ** 2, 1e-30))
    floor = float(np.quantile([_distance(sums, own) for sums in drawn], 0.975))
    base = np.array([_distance(sums, running) for sums in drawn])
    fits = [Fit(ordered[0][0], ordered[0][1][1], ordered[0][1][0])]
    for way, (far, padding, sums) in ordered[1:]:
        ratio = far / max(fits[0].kl, 1e-12)
        others = np.array([_distance(np.tensordot(w, sums, 1), running) for w in draws])
        low, high = np.quantile(others / np.maximum(base, 1e-12), (0.025, 0.975))
        fits.append(Fit(way, padding, far, ratio, float(low), float(high)))
    return NormProof(name, len(images), tuple(fits), floor, split)


def _resamples(n: int) -> Float:
    """Weights [RESAMPLES, n] of images drawn with replacement, half as many as there are.

    Half, because the running statistics are of a sample too: with the usual momentum of 0.1, of about 19
    batches of 128, 2,400 images ((2 - 0.1) / 0.1 batches count).
    """
    rng = np.random.default_rng(0)
    size = max(n // 2, 2)
    return rng.multinomial(size, np.full(n, 1 / n), RESAMPLES) / size


def _runs(network: nn.Module, way: Preprocessing, images: NDArray[np.uint8]) -> bool:
    try:
        run(network, way.apply(images[:2]))
    except RunError:
        return False
    return True


def _as_stored(way: Preprocessing, images: NDArray[np.uint8]) -> bool:
    """Whether images are fed at the size that they are stored at, as small ones are that are padded."""
    return not way.size and way.crop in (0, min(images.shape[1:3])) and max(images.shape[1:3]) <= 64


def solve(
    network: nn.Module, start: Preprocessing, padding: str, images: NDArray[np.uint8]
) -> Preprocessing | None:
    """The mean and deviation a colour channel that bring the first batch norm about, from the nearest known.

    Least squares on (m' - m) / sqrt(v) and ln(v'/v) / sqrt(2): half their squares are the KL near a solution.

    Args:
        network: with a first batch norm; start: of scaling "0..1" to begin with; padding: of PADDINGS.
        images: [n, h, w, c] uint8 training images.

    Returns:
        A preprocessing of pixels in 0..1, rounded to four digits; None where none is found.
    """
    from scipy.optimize import least_squares

    found = first_norm(network, start.apply(images[:2]))
    if found is None:
        return None
    norm = found[1]
    assert norm.running_mean is not None
    assert norm.running_var is not None
    alive = (norm.running_var > SMALLEST).numpy()
    m, v = norm.running_mean.double().numpy()[alive], norm.running_var.double().numpy()[alive]
    if 2 * len(m) < 2 * start.channels:
        return None

    def way(parameters: Float) -> Preprocessing:
        mean, std = parameters[: start.channels], np.exp(parameters[start.channels :])
        numbers = (tuple(float(x) for x in mean), tuple(float(x) for x in std))
        return dataclasses.replace(start, name="solved", scaling="0..1", mean=numbers[0], std=numbers[1])

    def residuals(parameters: Float) -> Float:
        sums = _moments(network, norm, way(parameters), images, padding)[:, alive].mean(0)
        variance = np.maximum(sums[:, 1] - sums[:, 0] ** 2, 1e-30)
        return np.concatenate([(sums[:, 0] - m) / np.sqrt(v), np.log(variance / v) / math.sqrt(2)])

    mean, std = _affine(start)
    begin = np.concatenate([mean, np.log(std)])
    try:
        solution = least_squares(residuals, begin, loss="soft_l1", f_scale=0.1, diff_step=1e-3, max_nfev=25).x
    except (RunError, ValueError):
        return None
    solved = way(solution)
    rounded = [tuple(round(x, 4) for x in numbers) for numbers in (solved.mean, solved.std)]
    if not all(math.isfinite(x) for x in (*rounded[0], *rounded[1])) or min(rounded[1]) <= 0:
        return None
    words = [", ".join(f"{x:g}" for x in numbers) for numbers in rounded]
    name = f"mean {words[0]}, std {words[1]} (solved)"
    return dataclasses.replace(solved, name=name, mean=rounded[0], std=rounded[1])


def _affine(way: Preprocessing) -> tuple[list[float], list[float]]:
    """Mean and deviation that do to pixels in 0..1 what a preprocessing does to all images alike."""
    mean = list(way.mean) or [0.0] * way.channels
    std = list(way.std) or [1.0] * way.channels
    if way.scaling == "-1..1":  # x = 2 p - 1, then (x - mean) / std
        return [(m + 1) / 2 for m in mean], [s / 2 for s in std]
    if way.scaling == "0..255":
        return [m / 255 for m in mean], [s / 255 for s in std]
    return (mean, std) if way.scaling == "0..1" else ([0.5] * way.channels, [0.25] * way.channels)
