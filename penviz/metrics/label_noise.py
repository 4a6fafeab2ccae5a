"""Wrong labels on purpose: which training examples were given another class, and which one.

Nothing of it is stored. What an example was given follows from its pixels, hashed with the seed, and
its true label, so that a run's activations keep the true labels and a page still knows what it was told.

Axis letters: n examples, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.tightness.tightness import ratio
from penviz.projection.plane import DegeneratePlane, Plane
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError

Int = NDArray[np.int64]
UInt = NDArray[np.uint64]

_STEP = 0x9E3779B97F4A7C15


def mixed(hashes: UInt, stream: int) -> UInt:
    """Hashes [n] turned into other uniform ones [n]; each stream gives independent ones.

    The hashes of a training split are not uniform by themselves: validation examples are the smallest.

    Source: Steele, Lea & Flood 2014 (the finaliser of SplitMix64).
    """
    with np.errstate(over="ignore"):
        z = np.asarray(hashes, np.uint64) + np.uint64(_STEP * (stream + 1) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def given_labels(labels: Int, hashes: UInt, n_classes: int, noise: float) -> Int:
    """What each example was said to be: another class with a probability, all others alike.

    Args:
        labels: y [n], the true classes.
        hashes: [n] of the pixels and the seed (training/data.py).
        n_classes: K.
        noise: probability of another class, in [0, 1).

    Returns:
        [n]; equal to the true label where the draw left it alone.

    Source: symmetric noise that leaves out the true class (Zhang et al. 2017, partially corrupted labels,
    draws over all K; here a replaced label is always wrong).
    """
    y = np.asarray(labels, np.int64)
    if noise == 0:
        return y
    draw = mixed(hashes, 0).astype(np.float64) / 2.0**64
    shift = 1 + (mixed(hashes, 1) % np.uint64(n_classes - 1)).astype(np.int64)
    return np.where(draw < noise, (y + shift) % n_classes, y)


@dataclass(frozen=True)
class Misled:
    """Where examples with a wrong label lie, over all planes that hold both their classes.

    Attributes:
        given, true, third: share whose nearest class mean, in the plane, is that of the class it was said to
            be, of its true class, or of the third; they sum to 1, or are NaN
            where no such plane is left.
        n: examples with a wrong label; each is counted in K - 2 planes.
    """

    given: float
    true: float
    third: float
    n: int


def misled(activations: Activations, noise: float, bias: bool = True) -> Misled:
    """Where the examples with a wrong label lie in the template planes.

    For each triple of classes, of the examples whose true and given class are both in it: the nearest of the
    three means of examples with right labels. Left out are planes of a class that has no such example,
    and templates on one line.

    Args:
        activations: of the training split, with a head and the hashes of the pixels.
        noise: of the run; bias: the template holds the bias.

    Raises:
        ActivationsError: no head, no hashes, or no example with a wrong label.
    """
    a, n_classes = activations, len(activations.class_names)
    if a.head is None or a.hashes is None:
        raise ActivationsError(f"{a.run} does not hold what tells its wrong labels: extract it again.")
    given = given_labels(a.labels, a.hashes, n_classes, noise)
    wrong = given != a.labels
    if not wrong.any():
        raise ActivationsError(f"None of the examples stored of {a.run} has a wrong label.")
    templates = a.head.templates(bias)
    x = a.features.astype(np.float64)
    if bias:
        x = np.column_stack([x, np.ones(len(x))])
    right = [rows[~wrong[rows]] for rows in class_rows(a.labels, n_classes, a.indices)]
    held = [k for k, rows in enumerate(right) if len(rows)]  # a class without a mean is near to nothing
    right_means = np.array([x[rows].mean(axis=0) if len(rows) else 0 * x[0] for rows in right])
    at = np.flatnonzero(wrong)
    of_pair = class_rows(a.labels[at] * n_classes + given[at], n_classes**2)
    sums = np.zeros(3)
    for triple in combinations(held, 3):
        own = at[np.concatenate([of_pair[y * n_classes + k] for y, k in permutations(triple, 2)])]
        if not len(own):
            continue
        try:
            plane = Plane.through(templates[list(triple)])
        except DegeneratePlane:
            continue
        means = plane.project(right_means[list(triple)])
        distance = np.linalg.norm(plane.project(x[own])[:, None] - means[None], axis=2)
        nearest = np.array(triple)[distance.argmin(axis=1)]
        at_given, at_true = nearest == given[own], nearest == a.labels[own]
        sums += at_given.sum(), at_true.sum(), (~at_given & ~at_true).sum()
    shares = ratio(sums, sums.sum())
    return Misled(float(shares[0]), float(shares[1]), float(shares[2]), int(wrong.sum()))
