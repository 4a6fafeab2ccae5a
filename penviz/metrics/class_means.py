"""Class means in place of templates, for networks without a single linear head.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from penviz.metrics.collapse.moments import class_rows
from penviz.store.activations import Activations
from penviz.store.head import ClassMeans, Head

SPLITS = ("train", "validation", "test")
"""The first of them that is there gives the means."""


def class_means(activations: Activations) -> ClassMeans:
    """The rule of the nearest class mean as a linear head over the stored examples, errors included.

    |x - mu_k|^2 = |x|^2 - 2 z_k with z_k = x . mu_k - |mu_k|^2 / 2, so the nearest mean has the largest z_k
    (Hastie, Tibshirani & Friedman 2009, section 4.3, with equal priors and the identity as covariance). The
    biases are taken from the means as stored and shifted by a constant, so that float32 costs nothing
    where the means lie far from the origin. A class without examples has a row of zeros and is not `present`.
    """
    rows = class_rows(activations.labels, len(activations.class_names))
    present = np.array([len(r) > 0 for r in rows])
    mean = np.zeros((len(rows), activations.features.shape[1]), np.float32)
    for k in np.flatnonzero(present):
        mean[k] = activations.features[rows[k]].mean(axis=0, dtype=np.float64)
    exact = mean.astype(np.float64)
    centre = exact[present].mean(axis=0) if present.any() else np.zeros(exact.shape[1])
    from_centre = exact - centre
    bias = -(from_centre * (exact + centre)).sum(axis=1) / 2
    return ClassMeans(Head(mean, np.where(present, bias, 0.0)), activations.split, present)


def with_class_means(splits: Mapping[str, Activations]) -> dict[str, Activations]:
    """The splits of one run, those without a head standing on the class means of its first split."""
    first = next((splits[s] for s in SPLITS if s in splits), None)
    if first is None or first.head is not None:
        return dict(splits)
    means = class_means(first)
    return {s: a if a.head is not None else replace(a, class_means=means) for s, a in splits.items()}
