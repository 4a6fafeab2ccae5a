"""Set-ups that a first look cannot tell apart, settled on all unseen images: accuracy, then NLL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from penviz.external.evidence.outputs import as_logits, kind_of_scores
from penviz.external.evidence.scored_set_up import BATCH, Row, row_of, scores_of
from penviz.external.evidence.tie_break import STANDARD_ERRORS, clearly_worse
from penviz.external.networks.variants import Variant
from penviz.metrics.calibration.temperature import fit_temperature

MOST_ROWS = 12
MOST_IMAGES = 10_000
PLAUSIBLE = (0.2, 5.0)
"""Fitted temperatures of networks that are fed what they were trained on; else logits are of another size."""


@dataclass(frozen=True)
class _Measured:
    row: Row
    right: NDArray[np.bool_]
    temperature: float
    nll: NDArray[np.float64]

    @property
    def is_plausible(self) -> bool:
        return is_plausible(self.temperature)


def is_plausible(temperature: float) -> bool:
    """Whether logits are of the size that a network gives on the pixels it was trained on."""
    return PLAUSIBLE[0] <= temperature <= PLAUSIBLE[1]


def settle(
    network: nn.Module,
    rows: Sequence[Row],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    seconds: float,
) -> tuple[list[Row], list[Row], str]:
    """Those of some rows that all images of the split leave, the others, and what decided between them.

    In this order: accuracy (McNemar's test, as in `tie_break.clearly_worse`); a plausible temperature; the
    network as built before a change of its body; NLL at the fitted temperature, paired by image, because the
    scale of wrong pixels is then no longer in it.

    Args:
        network: with its weights; rows: not told apart, the most accurate first.
        images, labels: [n, h, w, c] and [n] of the split, shared evenly by the classes where they are cut.
        seconds: that it may take about.

    Returns:
        The rows left and the others, both measured on n images, and a sentence.
    """
    rows = list(rows[:MOST_ROWS])
    started = time.monotonic()
    scores_of(network, rows[0].preprocessing, images[:BATCH], rows[0].variant)
    each = (time.monotonic() - started) / len(images[:BATCH])
    n = int(min(len(images), MOST_IMAGES, max(rows[0].n, seconds / max(each * len(rows), 1e-9))))
    images, labels = images[:n], labels[:n]
    found = []
    for row in rows:
        scores = scores_of(network, row.preprocessing, images, row.variant)
        logits = as_logits(scores, kind_of_scores(scores)).double().numpy()
        temperature = fit_temperature(logits, labels).value
        scaled = torch.from_numpy(logits / np.clip(temperature, 1e-3, 1e6))
        nll = torch.nn.functional.cross_entropy(scaled, torch.from_numpy(labels), reduction="none").numpy()
        measured = replace(row_of(row.preprocessing, row.variant, scores, labels), temperature=temperature)
        found.append(_Measured(measured, scores.argmax(1).numpy() == labels, temperature, nll))
    count = [len(found)]
    tried = [m.row for m in found]
    best = max(found, key=lambda m: m.row.accuracy)
    found = [m for m in found if not clearly_worse(m.right, best.right)]
    count.append(len(found))
    found = [m for m in found if m.is_plausible] or found
    found = [m for m in found if m.row.variant == Variant()] or found
    count.append(len(found))
    lowest = min(found, key=lambda m: float(m.nll.mean()))
    found = [m for m in found if not _clearly_above(m.nll, lowest.nll)]
    found.sort(key=lambda m: float(m.nll.mean()))
    left = [m.row for m in found]
    return left, [row for row in tried if row not in left], _sentence(n, count, len(left))


def _clearly_above(nll: NDArray[np.float64], lowest: NDArray[np.float64]) -> bool:
    """Whether the mean of paired differences [n] is above 0 beyond its standard error."""
    difference = nll - lowest
    spread = float(difference.std()) / len(difference) ** 0.5
    return bool(float(difference.mean()) > STANDARD_ERRORS * spread)


def _sentence(n: int, count: Sequence[int], left: int) -> str:
    tried, by_accuracy, plausible = count
    steps = []
    if by_accuracy < tried:
        steps.append(f"accuracy on {n:,} images leaves {by_accuracy}")
    if plausible < by_accuracy:
        steps.append(f"the network as built at a plausible temperature leaves {plausible}")
    if left < plausible:
        steps.append(f"NLL at the fitted temperature leaves {left}")
    return f"Of {tried} set-ups that the first images do not tell apart, {', '.join(steps)}." if steps else ""
