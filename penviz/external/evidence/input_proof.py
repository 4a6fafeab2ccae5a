"""Which preprocessing gives the mean and variance that the first batch norm keeps, with its proof."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from penviz.external.evidence.first_norm import (
    PADDINGS,
    Float,
    as_stored,
    distance,
    entering_moments,
    first_norm,
    runs_under,
)
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.store.run_config import RunError

IMAGES, FEWEST, FEW = 2000, 200, 60
"""Images that the nearest are compared on, at most and at least; images that all are compared on first."""

SECONDS = 60.0

SURVIVORS, HOPELESS = 8, 100.0
""
""
""
""
""
""
"""How many stay after the first comparison, and times the least distance up to which more do."""

RESAMPLES = 200

NEAR = 0.001
"""KL in nats up to which a preprocessing fits, where sampling alone does not give more."""

FLOOR_FACTOR = 2.0
"""How far above what sampling alone gives a preprocessing may lie and still fit."""

SMALLEST = 1e-10
"""Running variance up to which a channel is dead."""

PADDED_UP_TO = 30.0
"""Times the least distance up to which paddings are tried too."""


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


@dataclass
class _Attempts:
    """What some preprocessings give at a batch norm.

    Attributes:
        nearest: distance, padding and moments of the padding that fits best; costs: seconds an image.
    """

    network: nn.Module
    norm: _BatchNorm
    alive: NDArray[np.bool_]
    running: tuple[Float, Float]
    nearest: dict[Preprocessing, tuple[float, str, Float]] = field(default_factory=dict)
    costs: dict[Preprocessing, float] = field(default_factory=dict)

    def add(self, ways: Sequence[Preprocessing], images: NDArray[np.uint8], padding: str = "") -> None:
        """Try some; those under which the network fails are left out."""
        for way in ways:
            started = time.monotonic()
            try:
                sums = entering_moments(self.network, self.norm, way, images, padding)[:, self.alive]
            except RunError:
                continue
            self.costs[way] = (time.monotonic() - started) / len(images)
            far = distance(sums.mean(0), self.running)
            if math.isfinite(far) and (way not in self.nearest or far < self.nearest[way][0]):
                self.nearest[way] = far, padding, sums

    def within(self, factor: float, at_least: int = 0) -> list[Preprocessing]:
        """Those up to so many times as far as the nearest, and some whatever they are; the nearest first."""
        ordered = sorted(self.nearest, key=lambda way: self.nearest[way][0])
        least = max(self.nearest[ordered[0]][0], NEAR) if ordered else 0.0
        return [w for i, w in enumerate(ordered) if i < at_least or self.nearest[w][0] <= factor * least]


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
    runnable = [way for way in ways if runs_under(network, way, images)]
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
    first = _Attempts(network, norm, alive, running)
    first.add(runnable, images[:: max(1, len(images) // FEW)][:FEW])
    kept = first.within(HOPELESS, SURVIVORS)
    affordable = seconds / max(2 * sum(first.costs[way] for way in kept), 1e-9)
    images = images[: int(np.clip(affordable, FEWEST, IMAGES))]
    tried = _Attempts(network, norm, alive, running)
    tried.add(kept, images)
    near = [way for way in tried.within(PADDED_UP_TO) if as_stored(way, images)]
    for padding in ("black", "zeros"):
        tried.add(near, images, padding)
    nearest = tried.nearest
    if not nearest:
        return None
    ordered = sorted(nearest.items(), key=lambda item: item[1][0])
    best_sums = ordered[0][1][2]
    draws = _resamples(len(images))
    drawn = [np.tensordot(w, best_sums, 1) for w in draws]
    centre = best_sums.mean(0)
    own = (centre[:, 0], np.maximum(centre[:, 1] - centre[:, 0] ** 2, 1e-30))
    floor = float(np.quantile([distance(sums, own) for sums in drawn], 0.975))
    base = np.array([distance(sums, running) for sums in drawn])
    fits = [Fit(ordered[0][0], ordered[0][1][1], ordered[0][1][0])]
    for way, (far, padding, sums) in ordered[1:]:
        ratio = far / max(fits[0].kl, 1e-12)
        others = np.array([distance(np.tensordot(w, sums, 1), running) for w in draws])
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
        sums = entering_moments(network, norm, way(parameters), images, padding)[:, alive].mean(0)
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
