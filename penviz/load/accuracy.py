"""Which pixels and which body a network was trained with, measured by its accuracy on labelled images.

W h + b equals the logits for the wrong pixels too, the picture stays plausible and its conclusion can
reverse. So every plausible preprocessing, and every variant of the body that leaves no key, is tried on the
same images before anything is drawn. The table is shown; an error that costs less than two points is not seen
this way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from penviz.load import variants as bodies
from penviz.load.label_order import PERMUTED, near_chance, permuted_accuracy, sentences
from penviz.load.outputs import as_logits, kind_of_scores, run
from penviz.load.preprocessing import Preprocessing
from penviz.load.variants import Variant
from penviz.runs import RunError

IMAGES = 512
FEWEST = 64
"""Images of a first look where all set-ups on IMAGES would take too long."""

POINTS = 0.02
"""Accuracies further apart than this are called different."""

BATCH = 64


@dataclass(frozen=True)
class Row:
    """One set-up and what it scores.

    Attributes:
        preprocessing, variant: the set-up.
        accuracy: top-1 in [0, 1]; nll: mean -log p of the label, nats; n: images.
        permuted: accuracy under the best assignment of outputs to labels, found on one half of the images and
            counted on the other, both ways round.
    """

    preprocessing: Preprocessing
    variant: Variant
    accuracy: float
    nll: float
    n: int
    permuted: float

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        numbers = {"accuracy": self.accuracy, "nll": self.nll, "n": self.n, "permuted": self.permuted}
        said = {"describe": self.preprocessing.describe(), "body": self.variant.describe()}
        setup = {"preprocessing": self.preprocessing.to_json(), "variant": self.variant.to_json()}
        return setup | said | numbers


@dataclass(frozen=True)
class Check:
    """All set-ups that were tried, the best first, and what is to be said of them.

    Attributes:
        rows: best first.
        sentences: warnings on the order of the classes and on accuracy near chance.
        untried: set-ups left out for lack of time.
        n_classes: K.
    """

    rows: tuple[Row, ...]
    sentences: tuple[str, ...]
    untried: int
    n_classes: int

    @property
    def best(self) -> Row:
        """The row that is marked."""
        return self.rows[0]

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        rows = [row.to_json() for row in self.rows]
        return {"rows": rows, "sentences": list(self.sentences), "untried": self.untried}

    def near(self) -> list[Row]:
        """Rows that this many images cannot tell from the best: within a point of its accuracy."""
        return [row for row in self.rows[1:] if row.n == self.best.n and _close(row, self.best)]


def _close(row: Row, best: Row) -> bool:
    return max(row.accuracy, row.permuted) > max(best.accuracy, best.permuted) - 0.01


def sample(labels: NDArray[np.int64], n: int = IMAGES) -> NDArray[np.int64]:
    """Rows [m], ascending, of at most n examples that share the classes evenly.

    Splits are sorted by the hashes of their pixels, so the first of each class are a random sample.
    """
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    turn = np.arange(len(labels)) - starts  # 0 for the first of each class, 1 for the second, ...
    return np.sort(order[np.lexsort((order, turn))][:n])


@torch.no_grad()
def scores_of(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: NDArray[np.uint8],
    variant: Variant | None = None,
) -> Tensor:
    """Scores [n, K] of stored images under one set-up."""
    first = preprocessing.apply(images[:2])
    with bodies.varied(network.eval(), variant or Variant(), first):
        parts = range(0, len(images), BATCH)
        return torch.cat([run(network, preprocessing.apply(images[i : i + BATCH])) for i in parts]).float()


def check_outputs(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: NDArray[np.uint8],
    n_names: int,
    variant: Variant | None = None,
) -> None:
    """RunError unless the network has one output a class name."""
    n_classes = scores_of(network, preprocessing, images[:2], variant).shape[1]
    if n_classes != n_names:
        raise RunError(
            f"The network has {n_classes} outputs and the data have {n_names} classes: "
            "give the names of the outputs, in their order, as class names."
        )


def measure(scores: Tensor, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Top-1 accuracy in [0, 1] and NLL in nats of scores [n, K], whichever scores they are."""
    y = torch.from_numpy(labels)
    logits = as_logits(scores, kind_of_scores(scores))
    return float((scores.argmax(1) == y).double().mean()), float(F.cross_entropy(logits, y))


def expectation_warning(measured: float, expected: float | None, n: int) -> str:
    """A sentence where a measured and an expected accuracy in [0, 1] are over POINTS apart; "" otherwise."""
    if expected is None or abs(measured - expected) <= POINTS:
        return ""
    return (
        f"penviz measures {100 * measured:.1f} % on {n} images where {100 * expected:.1f} % is expected: "
        "the pixels, the body of the network or the order of the classes differ from its training."
    )


def check(
    network: nn.Module,
    preprocessings: Sequence[Preprocessing],
    bodies_tried: Sequence[Variant],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    seconds: float = 240.0,
    report: Callable[[int, int, float], None] = lambda done, n, left: None,
) -> Check:
    """Try every plausible set-up on the same labelled images.

    First the scalings at the first geometry; then the other geometries with the best three scalings, and the
    variants of the body with the best three of all; with all of them while everything is near chance, because
    then a first step cannot guide the next. Where all that would take longer than `seconds`, the first look
    is at fewer images (FEWEST or more) and only the best are measured on all of them.

    Args:
        network: with its weights.
        preprocessings: the likely ones first (`preprocessing.plausible`).
        bodies_tried: the network as built first (`variants.plausible`).
        images: [n, h, w, c] uint8, as stored; labels: [n].
        seconds: that this may take, about.
        report: told set-ups done, set-ups in all as known by now, and seconds left.

    Raises:
        RunError: no set-up runs, or the network has another number of outputs than there are classes.
    """
    started = time.monotonic()
    table: dict[tuple[Preprocessing, Variant], tuple[Row, NDArray[np.int64]]] = {}
    n_classes = scores_of(network, preprocessings[0], images[:2]).shape[1]
    if labels.max() >= n_classes:
        raise RunError(_too_few(n_classes, labels))
    clock = time.monotonic()
    scores_of(network, preprocessings[0], images[:FEWEST])
    per_image = (time.monotonic() - clock) / len(images[:FEWEST])
    total = len(preprocessings) + 3 * len(bodies_tried)
    few = int(np.clip(seconds / max(per_image * total, 1e-9), FEWEST, len(images)))
    untried = 0

    def attempt(setups: Sequence[tuple[Preprocessing, Variant]], n: int) -> None:
        nonlocal untried, total
        todo = [s for s in setups if s not in table or table[s][0].n < n]
        total = len(table) + len(todo)
        for preprocessing, variant in todo:
            spent = time.monotonic() - started
            if spent > 1.5 * seconds and table:
                untried += (preprocessing, variant) not in table
                continue
            try:
                scores = scores_of(network, preprocessing, images[:n], variant)
            except RunError:
                continue  # the shapes do not fit: not a way in which it was trained
            row = row_of(preprocessing, variant, scores, labels[:n])
            table[preprocessing, variant] = row, scores.argmax(1).numpy()
            spent = time.monotonic() - started
            report(len(table), total, spent / len(table) * max(total - len(table), 0))

    def ranked() -> list[Row]:
        rows = [row for row, _ in table.values()]
        doubted = any(row.permuted > row.accuracy + PERMUTED for row in rows)
        return sorted(rows, key=lambda r: (-r.n, -(r.permuted if doubted else r.accuracy), r.nll))

    def lost() -> bool:
        best = ranked()[0]
        return near_chance(max(best.accuracy, best.permuted), n_classes, best.n)

    def leading(n: int) -> list[Preprocessing]:
        return list(dict.fromkeys(row.preprocessing for row in ranked()))[:n]

    plain = bodies_tried[0]
    geometry = preprocessings[0].size, preprocessings[0].crop
    attempt([(p, plain) for p in preprocessings if (p.size, p.crop) == geometry], few)
    if not table:
        raise RunError("The network runs on these images in none of the usual sizes.")
    names = {p.name for p in (preprocessings if lost() else leading(3))}
    attempt([(p, plain) for p in preprocessings if p.name in names], few)
    guided = preprocessings if lost() else leading(3)
    attempt([(p, body) for p in guided for body in bodies_tried], few)
    if few < len(images):
        final = [(row.preprocessing, row.variant) for row in ranked()[:3]]
        seconds *= 2
        attempt([*final, (preprocessings[0], plain)], len(images))
    rows = _known_first(ranked(), preprocessings[0], plain)
    _, predictions = table[rows[0].preprocessing, rows[0].variant]
    return Check(
        tuple(rows), sentences(predictions, labels[: len(predictions)], n_classes), untried, n_classes
    )


def row_of(preprocessing: Preprocessing, variant: Variant, scores: Tensor, labels: NDArray[np.int64]) -> Row:
    """The row of one set-up whose scores [n, K] are known."""
    accuracy, nll = measure(scores, labels)
    permuted = permuted_accuracy(scores.argmax(1).numpy(), labels, scores.shape[1])
    return Row(preprocessing, variant, accuracy, nll, len(labels), permuted)


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
        raise RunError(_too_few(scores.shape[1], labels))
    return row_of(preprocessing, variant, scores, labels)


def _too_few(n_classes: int, labels: NDArray[np.int64]) -> str:
    return f"The network has {n_classes} outputs, and the data have labels up to {labels.max()}."


def _known_first(rows: list[Row], known: Preprocessing, plain: Variant) -> list[Row]:
    """Rows with the known recipe on top where the images cannot tell it from the best."""
    for row in rows:
        same = row.preprocessing == known and row.variant == plain and row.n == rows[0].n
        if same and known.name.startswith("recipe") and _close(row, rows[0]):
            return [row, *(r for r in rows if r is not row)]
    return rows
