"""Which pixels and which body a network was trained with, measured by its accuracy on labelled images.

W h + b equals the logits for the wrong pixels too, the picture stays plausible and its conclusion can
reverse. So every plausible preprocessing, and every variant of the body that leaves no key, is tried on the
same images before anything is drawn. The table is shown; an error that costs less than two points is not seen
this way. Where the images do not decide, the plainest set-up is taken: nothing in a file speaks for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from penviz.external.evidence.label_order import sentences
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.evidence.scored_set_up import Row, row_of, scores_of
from penviz.external.evidence.set_up_table import SetUpTable, plainest, too_few_outputs
from penviz.external.evidence.ties import is_plausible, settle
from penviz.external.networks.variants import Variant
from penviz.store.run_config import RunError
from penviz.training.data_set import DataSet

IMAGES = 512
POINTS = 0.02
"""Accuracies further apart than this are called different."""


@dataclass(frozen=True)
class Check:
    """All set-ups that were tried, the best first, and what is to be said of them.

    Attributes:
        rows: best first.
        sentences: warnings on the order of the classes and on accuracy near chance.
        untried: set-ups left out for lack of time.
        n_classes: K.
        undecided: the rows that these images cannot tell from the first, the most accurate first.
        settled: a sentence on how ties were settled, or "".
        close: rows of other pixels that lost by no more than POINTS, where nothing but these images decided.
    """

    rows: tuple[Row, ...]
    sentences: tuple[str, ...]
    untried: int
    n_classes: int
    undecided: tuple[Row, ...] = ()
    settled: str = ""
    close: tuple[Row, ...] = ()

    @property
    def best(self) -> Row:
        """The row that is marked."""
        return self.rows[0]

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        rows = [row.to_json() for row in self.rows]
        said = {"sentences": list(self.sentences), "undecided": " ".join(self.doubts)}
        return {"rows": rows, "untried": self.untried} | said

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences on what the images do not decide: ties, how they were settled, and close set-ups."""
        return tuple(filter(None, (self.settled, self.undecided_sentence, self.close_sentence)))

    @property
    def close_sentence(self) -> str:
        """Which other pixels are nearly as accurate; "" where none are, or where more than accuracy spoke."""
        if not self.close:
            return ""
        names = list(dict.fromkeys(row.preprocessing.name for row in self.close))
        named = " and ".join(f"'{name}'" for name in names[:2])
        if len(names) > 2:
            named += f" (and {len(names) - 2} more)"
        return (
            f"Accuracy alone does not rule out {named}: within {100 * POINTS:.0f} points of the one taken. "
            "If you know the preprocessing, state it."
        )

    @property
    def undecided_sentence(self) -> str:
        """How many set-ups the images do not tell apart, and which of them is taken; "" for one alone."""
        if not self.undecided:
            return ""
        taken = "known recipe" if self.best.preprocessing.is_recipe else "plainest"
        if self.best.variant != Variant():
            taken = "most accurate"
        return (
            f"Of {len(self.rows)} set-ups tried, {self.best.n:,} images cannot tell "
            f"{len(self.undecided) + 1} apart; of these the {taken} is taken."
        )


def sample(labels: NDArray[np.int64], n: int = IMAGES) -> NDArray[np.int64]:
    """Rows [m], ascending, of at most n examples that share the classes evenly.

    Splits are sorted by the hashes of their pixels, so the first of each class are a random sample.
    """
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    turn = np.arange(len(labels)) - starts  # 0 for the first of each class, 1 for the second, ...
    return np.sort(order[np.lexsort((order, turn))][:n])


def sample_of(dataset: DataSet) -> tuple[str, NDArray[np.uint8], NDArray[np.int64]]:
    """The split on which a network is judged (`DataSet.judged_on`), and images and labels of it."""
    name = dataset.judged_on
    split = dataset.splits[name]
    rows = sample(split.labels)
    return name, split.images[rows], split.labels[rows]


def check_outputs(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: NDArray[np.uint8],
    n_names: int,
    variant: Variant | None = None,
) -> None:
    """RunError unless the network has one output a class name."""
    n_classes = scores_of(network, preprocessing, images[:2], variant).shape[1]
    if n_classes == 1:
        raise RunError(
            "The network has a single output; penviz needs one output a class, also for two classes."
        )
    if n_classes != n_names:
        raise RunError(
            f"The network has {n_classes} outputs and the data have {n_names} classes: choose the data it "
            "was trained on, or name the classes of all its outputs, in order (--class-names)."
        )


def expectation_warning(measured: float, expected: float | None, n: int) -> str:
    """A sentence where a measured and an expected accuracy in [0, 1] differ; "" otherwise.

    That is by more than POINTS, and by more than the n images measured leave room for: two standard errors.
    """
    if expected is None:
        return ""
    room = 2 * max(expected * (1 - expected), 1 / n) ** 0.5 / n**0.5
    if abs(measured - expected) <= max(POINTS, room):
        return ""
    cause = "the preprocessing, the network's body or the order of the classes differs from its training"
    if measured > expected:
        cause = "it may have been trained on these images, or the expected accuracy is of other weights"
    said = f"penviz measures {100 * measured:.1f} % on {n} images where {100 * expected:.1f} % is expected"
    return f"{said}: {cause}."


def check(
    table: SetUpTable,
    preprocessings: Sequence[Preprocessing],
    bodies_tried: Sequence[Variant],
    *,
    proved: Sequence[Preprocessing] = (),
    whole: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None,
) -> Check:
    """Try every plausible set-up on the labelled images of a table.

    First the scalings at the first geometry; then the other geometries with the best three scalings, and the
    variants of the body with the best three of all; with all of them while everything is near chance, because
    then a first step cannot guide the next. Where all that would take longer than its seconds, the first look
    is at fewer images (FEWEST or more) and only the best are measured on all of them.

    The most accurate row is not always first. Where the first batch norm proves the preprocessing, only its
    rows count, unless they are over POINTS less accurate. Of the rows that are not clearly worse than the
    best, those that more images of the split leave count (ties.py), and of them the plainest (tie_break.py)
    is first.

    Args:
        table: without rows as yet; it is filled.
        preprocessings: the known recipe first, if there is one (`recipes.plausible`).
        bodies_tried: the network as built first (`variants.plausible`).
        proved: by the first batch norm (`NormProof.proved`).
        whole: more images and labels of the split, to settle ties on.

    Raises:
        RunError: no set-up runs, or the network has another number of outputs than there are classes.
    """
    few = table.affordable(preprocessings[0], len(preprocessings) + 3 * len(bodies_tried))
    n_classes, plain = table.n_classes, bodies_tried[0]
    geometry = preprocessings[0].size, preprocessings[0].crop
    table.attempt([(p, plain) for p in preprocessings if (p.size, p.crop) == geometry], few)
    if not table.scored:
        raise RunError("The network runs on these images in none of the usual sizes.")
    names = {p.name for p in (preprocessings if table.near_chance() else table.leading(3))}
    table.attempt([(p, plain) for p in preprocessings if p.name in names], few)
    held = list(dict.fromkeys(row.preprocessing for row in table.of(proved)))[:3]
    guided = preprocessings if table.near_chance() else held or table.leading(3)
    table.attempt([(p, body) for p in guided for body in bodies_tried], few)
    if few < len(table.labels):
        leaders = [*table.ranked()[:3], plainest(table.undecided()), *table.of(proved)[:3]]
        table.seconds *= 2
        set_ups = [*((r.preprocessing, r.variant) for r in leaders), (preprocessings[0], plain)]
        table.attempt(set_ups, len(table.labels))
    proof, said = _proof(table, proved)
    alike = table.undecided(proof)
    guides = not table.doubted() and not table.near_chance()
    settled, lost = "", table.ranked()
    if len(alike) > 1 and whole is not None and guides:
        alike, others, settled = settle(table.network, alike, *whole, table.seconds / 2)
        measured = {row.preprocessing for row in (*alike, *others)}
        lost = [*others, *(row for row in lost if row.preprocessing not in measured)]
    first = plainest(alike)
    known = {(row.preprocessing, row.variant): row for row in alike}
    ordered = [known.get((r.preprocessing, r.variant), r) for r in table.ranked()]
    rows = [first, *(row for row in ordered if row is not first)]
    predictions = table.scored[first.preprocessing, first.variant][1]
    said += sentences(predictions, table.labels[: len(predictions)], n_classes)
    ties = tuple(row for row in alike if row is not first)
    decided = proof or first.preprocessing.is_recipe or not guides
    close = () if decided else _close(first, alike, lost, table)
    return Check(tuple(rows), said, table.untried, n_classes, ties, settled, close)


def _close(first: Row, alike: Sequence[Row], lost: Sequence[Row], table: SetUpTable) -> tuple[Row, ...]:
    """The rows of other pixels, same body, within POINTS of the first on the same images; nearest first."""
    ways = {row.preprocessing for row in alike}
    early, _ = table.scored[first.preprocessing, first.variant]
    least = {row.n: row.accuracy - POINTS for row in (early, first)}
    close = [
        row
        for row in lost
        if row.preprocessing not in ways
        and row.variant == first.variant
        and row.accuracy >= least.get(row.n, 1.0)
        and (row.temperature is None or is_plausible(row.temperature))
    ]
    return tuple(sorted(close, key=lambda row: (-row.n, -row.accuracy)))


def _proof(table: SetUpTable, proved: Sequence[Preprocessing]) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of a proved preprocessing; none, and why, where others are over POINTS more accurate."""
    proof = table.of(proved)
    best = max(row.accuracy for row in table.ranked())
    if proof and max(proof[0].accuracy, proof[0].permuted) < best - POINTS:
        return [], (_contradiction(proof[0], table.ranked()[0]),)
    return proof, ()


def _contradiction(proved: Row, best: Row) -> str:
    first, second = (f"'{r.preprocessing.describe()}' ({100 * r.accuracy:.1f} %)" for r in (proved, best))
    said = f"The first batch norm points to {first}, accuracy to {second}, which is taken"
    return f"{said}: the network's body or the class order may differ from its training."


def measure_setup(
    network: nn.Module,
    preprocessing: Preprocessing,
    variant: Variant,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> Row:
    """The row of one set-up, as `check` makes it.

    Raises:
        RunError: the network does not run so, or has fewer outputs than there are labels.
    """
    scores = scores_of(network, preprocessing, images, variant)
    if labels.max() >= scores.shape[1]:
        raise RunError(too_few_outputs(scores.shape[1], labels))
    return row_of(preprocessing, variant, scores, labels)
