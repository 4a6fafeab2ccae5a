"""What one run and split has to say whatever triple is chosen: computed once, kept by the caller.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz.activations import Activations
from penviz.measure.logits import LogitNumbers
from penviz.measure.moments import Moments, class_rows
from penviz.measure.triples import TripleMoments


@dataclass(frozen=True)
class Summary:
    """One run's split, digested.

    Attributes:
        activations: the features themselves, by reference.
        rows: for each class [n_k] rows of the activations, by rising index of the example.
        moments: of the features.
        logits: one number an example, None without a head.
        triples: moments of all triples, None without a head or below three classes.
    """

    activations: Activations
    rows: tuple[NDArray[np.int64], ...]
    moments: Moments
    logits: LogitNumbers | None
    triples: TripleMoments | None

    @classmethod
    def of(cls, activations: Activations) -> Summary:
        """Digest the activations of one run and split."""
        a, n_classes = activations, len(activations.class_names)
        rows = class_rows(a.labels, n_classes, a.indices)
        moments = Moments.of(a.features, a.labels, n_classes, rows)
        if a.head is None or not len(a):
            return cls(a, tuple(rows), moments, None, None)
        z = a.logits()
        return cls(
            a,
            tuple(rows),
            moments,
            LogitNumbers.of(z, a.labels, a.predictions),
            TripleMoments.of(z, rows) if n_classes >= 3 else None,
        )
