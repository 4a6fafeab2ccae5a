"""Whether the classes of the data stand in the order of the network's outputs, and what is said if not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.tightness.finder import confusion

PERMUTED = 0.20
"""Gain of accuracy by permuting the labels from which the order of the classes is doubted."""


def permuted_accuracy(predictions: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int) -> float:
    """Accuracy under the one-to-one assignment of outputs to labels that makes it largest."""
    return float(permuted_right(predictions, labels, n_classes).mean())


def permuted_right(
    predictions: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int
) -> NDArray[np.bool_]:
    """Which predictions [n] are right under the one-to-one assignment of outputs to labels that fits best.

    The assignment maximises the trace of the permuted confusion matrix (scipy's linear_sum_assignment, Crouse
    2016) of every other image and is counted on the rest, both ways round: with few images a class any
    network could be assigned to its own errors.
    """
    from scipy.optimize import linear_sum_assignment

    order = np.argsort(labels, kind="stable")
    halves = order[::2], order[1::2]
    right = np.zeros(len(labels), bool)
    for found, counted in (halves, halves[::-1]):
        counts = confusion(labels[found], predictions[found], n_classes)
        diagonal = np.eye(n_classes) * 0.5  # of equal assignments the one that moves nothing
        _, outputs = linear_sum_assignment(counts + diagonal, maximize=True)
        right[counted] = outputs[labels[counted]] == predictions[counted]
    return right


def order_sentence(predictions: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int) -> str:
    """A sentence where permuting the labels raises the accuracy by more than PERMUTED; "" otherwise."""
    plain = float((predictions == labels).mean())
    if permuted_accuracy(predictions, labels, n_classes) <= plain + PERMUTED:
        return ""
    counts = confusion(labels, predictions, n_classes)
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    np.fill_diagonal(shares, 0)
    folder, output = np.unravel_index(shares.argmax(), shares.shape)
    return (
        "Your folder order looks different from the training order: "
        f"folder {folder} is predicted as {output} in {100 * shares[folder, output]:.0f} % of cases."
    )


def near_chance(accuracy: float, n_classes: int, n: int) -> bool:
    """Whether an accuracy lies within three standard errors of 1 / K, or a tenth of the way up from it."""
    chance = 1 / n_classes
    return bool(accuracy < chance + max(3 * (chance * (1 - chance) / n) ** 0.5, 0.1 * (1 - chance)))


def sentences(predictions: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int) -> tuple[str, ...]:
    """What is to be said of predictions [n] and labels [n]: their order, or accuracy near chance."""
    order = order_sentence(predictions, labels, n_classes)
    if not order and near_chance(float((predictions == labels).mean()), n_classes, len(labels)):
        return (
            f"The accuracy is near chance ({100 / n_classes:.3g} %): the preprocessing or the order of the "
            "classes is the likely cause.",
        )
    return (order,) if order else ()
