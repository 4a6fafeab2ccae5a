"""The set-ups tried on the same labelled images, and which of them lead."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from penviz.external.evidence.label_order import PERMUTED, near_chance, permuted_right
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.evidence.scored_set_up import Row, row_of, scores_of
from penviz.external.evidence.tie_break import clearly_worse, oddness
from penviz.external.networks.variants import Variant
from penviz.store.run_config import RunError

FEWEST = 64
"""Images of a first look where all set-ups on all images would take too long."""

SetUp = tuple[Preprocessing, Variant]


class SetUpTable:
    """Scores set-ups while the time lasts.

    Attributes:
        scored: set-up -> its row and its predictions [n].
        untried: set-ups left out for lack of time.
        seconds: that all may take, about.
    """

    def __init__(
        self,
        network: nn.Module,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        seconds: float = 240.0,
        report: Callable[[int, int, float], None] = lambda done, n, left: None,
    ) -> None:
        """A table without rows.

        Args:
            network: with its weights; images: [n, h, w, c] uint8, as stored; labels: [n].
            report: told set-ups done, set-ups in all as known by now, and seconds left.
        """
        self.network, self.images, self.labels = network, images, labels
        self.seconds, self.report = seconds, report
        self.scored: dict[SetUp, tuple[Row, NDArray[np.int64]]] = {}
        self.untried = self.n_classes = 0
        self._started = time.monotonic()

    def affordable(self, first: Preprocessing, total: int) -> int:
        """How many images `total` set-ups can be tried on; finds `n_classes` by the way.

        Raises:
            RunError: the network does not run under `first`, or has fewer outputs than there are labels.
        """
        self.n_classes = scores_of(self.network, first, self.images[:2]).shape[1]
        if self.labels.max() >= self.n_classes:
            raise RunError(too_few_outputs(self.n_classes, self.labels))
        clock = time.monotonic()
        scores_of(self.network, first, self.images[:FEWEST])
        per_image = (time.monotonic() - clock) / len(self.images[:FEWEST])
        return int(np.clip(self.seconds / max(per_image * total, 1e-9), FEWEST, len(self.images)))

    def attempt(self, set_ups: Sequence[SetUp], n: int) -> None:
        """Score those on n images that are not scored on as many yet."""
        todo = [s for s in set_ups if s not in self.scored or self.scored[s][0].n < n]
        total = len(self.scored) + len(todo)
        for preprocessing, variant in todo:
            spent = time.monotonic() - self._started
            if spent > 1.5 * self.seconds and self.scored:
                self.untried += (preprocessing, variant) not in self.scored
                continue
            try:
                scores = scores_of(self.network, preprocessing, self.images[:n], variant)
            except RunError:
                continue  # the shapes do not fit: not a way in which it was trained
            row = row_of(preprocessing, variant, scores, self.labels[:n])
            self.scored[preprocessing, variant] = row, scores.argmax(1).numpy()
            spent = time.monotonic() - self._started
            n_scored = len(self.scored)
            self.report(n_scored, total, spent / n_scored * max(total - n_scored, 0))

    def doubted(self) -> bool:
        """Whether another order of the labels fits some row clearly better."""
        return any(row.permuted > row.accuracy + PERMUTED for row, _ in self.scored.values())

    def ranked(self) -> list[Row]:
        """All rows: those on more images first, then by accuracy, then by NLL."""
        by_order = self.doubted()
        rows = [row for row, _ in self.scored.values()]
        return sorted(rows, key=lambda r: (-r.n, -(r.permuted if by_order else r.accuracy), r.nll))

    def of(self, preprocessings: Sequence[Preprocessing]) -> list[Row]:
        """The rows of some preprocessings, ranked."""
        return [row for row in self.ranked() if row.preprocessing in preprocessings]

    def leading(self, n: int) -> list[Preprocessing]:
        """The first n preprocessings in the rank."""
        return list(dict.fromkeys(row.preprocessing for row in self.ranked()))[:n]

    def near_chance(self) -> bool:
        """Whether even the best row is near chance, so that no step can guide the next."""
        best = self.ranked()[0]
        return near_chance(max(best.accuracy, best.permuted), self.n_classes, best.n)

    def undecided(self, held: Sequence[Row] = ()) -> list[Row]:
        """The best of some rows, or of all, and those that are not clearly worse on as many images."""
        best, *rows = held or self.ranked()
        by_order = self.doubted()

        def right(row: Row) -> NDArray[np.bool_]:
            predictions, y = self.scored[row.preprocessing, row.variant][1], self.labels[: row.n]
            return permuted_right(predictions, y, self.n_classes) if by_order else predictions == y

        most = right(best)
        return [best, *(r for r in rows if r.n == best.n and not clearly_worse(right(r), most))]


def plainest(rows: Sequence[Row]) -> Row:
    """The row that assumes least; of equals the first."""
    return min(rows, key=lambda r: oddness(r.preprocessing, r.variant))


def too_few_outputs(n_classes: int, labels: NDArray[np.int64]) -> str:
    """A sentence on labels [n] that a network has no output for."""
    return f"The network has {n_classes} outputs, and the data have labels up to {labels.max()}."
