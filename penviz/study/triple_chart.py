"""All triples of two runs in one chart: hard across, soft upward, the chosen one and some others marked.

Axis letters: t triples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz import InputError
from penviz.metrics.tightness.finder import rank_of
from penviz.metrics.tightness.triples import is_sampled
from penviz.projection.chart import Chart, Line, Series
from penviz.projection.split_statistics import SplitStatistics

Float = NDArray[np.float64]
Int = NDArray[np.int64]

MOST_DRAWN = 4_000
"""Triples drawn as points at most; a seeded sample stands for more, and the ranks are of all."""

HELD = 0.995
"""Share of the drawn values that the axes hold: a few triples without order would else rule them."""


@dataclass(frozen=True, repr=False)
class TriplePair:
    """rho/d of every triple in two runs.

    Attributes:
        triples: [t, 3] rising; before, after: [t] rho/d, those with a plane in both runs
            only, and with a width in the first; n_all: triples that the classes have, above t where a sample
            stands for them or some have no value.
    """

    triples: Int
    before: Float
    after: Float
    n_all: int

    def __repr__(self) -> str:
        return f"<rho/d of {len(self.triples):,} triples in two runs>"

    @classmethod
    def of(cls, before: SplitStatistics, after: SplitStatistics, bias: bool = True) -> TriplePair:
        """From the summaries of one split of two runs.

        Raises:
            InputError: a run without all its triples (a quick look, no examples), runs of other triples, or
                none with a plane and clusters of some width.
        """
        a, b = before.triples, after.triples
        if a is None or b is None:
            raise InputError("A run does not hold all its classes, so its triples cannot be ranked.")
        if not np.array_equal(a.triples, b.triples):
            raise InputError(
                "The two runs do not hold the same classes, so their triples cannot be compared."
            )
        x, y = before.rho_d[bias], after.rho_d[bias]
        kept = np.isfinite(x) & np.isfinite(y) & (x > 0)
        if not kept.any():
            raise InputError("No triple of these runs has a plane and clusters that are more than a point.")
        return cls(a.triples[kept], x[kept], y[kept], a.n_all)

    @property
    def change(self) -> Float:
        """[t] relative change of rho/d from the first run to the second."""
        return self.after / self.before - 1

    @property
    def sampled(self) -> bool:
        """Whether a seeded sample stands for all triples; some without a plane are no sample."""
        return is_sampled(self.n_all)

    def at(self, chosen: Sequence[int]) -> int | None:
        """Place of a triple, its classes in any order; None where it is not held."""
        found = np.flatnonzero((self.triples == np.sort(np.asarray(chosen))).all(axis=1))
        return int(found[0]) if len(found) else None

    def rank(self, chosen: Sequence[int]) -> int | None:
        """Place of a triple by its change, 1 for the one that tightens most; None where it is not held."""
        return rank_of(chosen, self.triples, self.change, lowest=True)


def triple_chart(
    pair: TriplePair,
    *,
    names: tuple[str, str],
    class_names: Sequence[str],
    chosen: Sequence[int],
    found: tuple[str, Int] | None = None,
    split: str = "train",
    seed: int = 0,
) -> Chart:
    """A cloud of triples: below the diagonal the second run is tighter.

    Args:
        pair: the values; names: of the two runs; class_names: K.
        chosen: three classes, marked; found: a name and [m, 3] triples, marked too.
        split: of the values; seed: of the sample drawn where there are more than MOST_DRAWN.
    """
    n = len(pair.triples)
    drawn = np.arange(n)
    if n > MOST_DRAWN:
        drawn = np.sort(np.random.default_rng(seed).choice(n, MOST_DRAWN, replace=False))
    found_words, others = found or ("", [])
    marked = [at for triple in others if (at := pair.at(triple)) is not None]
    own = pair.at(chosen)
    special = [*marked, *([own] if own is not None else [])]
    values = np.concatenate([pair.before[drawn], pair.after[drawn]])
    high = 1.04 * max([float(np.quantile(values, HELD)), *pair.before[special], *pair.after[special]])
    low = 0.96 * float(values.min())

    def words(at: int) -> str:
        return ", ".join(class_names[k] for k in pair.triples[at])

    def series(name: str, places: Sequence[int] | Int, colour: int, kind: str, faint: bool = False) -> Series:
        at = np.asarray(places, np.int64)
        return Series(
            name, pair.before[at], pair.after[at], kind=kind, colour=colour, faint=faint,
            labels=tuple(words(int(i)) for i in at),
        )  # fmt: skip

    count = f"{len(drawn):,} of {pair.n_all:,} triples" if len(drawn) < pair.n_all else f"all {n:,} triples"
    parts = [series(count, drawn, 4, "points")]
    parts += [series(found_words, marked, 0, "markers")] if marked else []
    parts += [series(words(own), [own], 1, "markers")] if own is not None else []
    how = f", a sample drawn with seed {seed}" if len(drawn) < n or pair.sampled else ""
    return Chart(
        title="",
        x_label=f"ρ/d, {names[0]}",
        y_label=f"ρ/d, {names[1]}",
        series=tuple(parts),
        lines=(Line("no change", (low, low), (high, high)),),
        x_limits=(low, high),
        y_limits=(low, high),
        square=True,
        about=f"Radius over distance of {count}{how}, {split}: {names[1]} against {names[0]}.",
    )
