"""Networks made of random numbers, small enough for plain loops."""

from __future__ import annotations

import hashlib

import numpy as np

from penviz.store.activations import Activations
from penviz.store.head import Head


def make(
    seed: int = 0,
    *,
    split: str = "train",
    n: int = 140,
    d: int = 5,
    n_classes: int = 7,
    noise: float = 1.0,
    run: str = "run",
    head_seed: int = 99,
    dataset_id: str = "made",
) -> Activations:
    """Clusters about the templates, classes of unequal size, errors among them, a bias that matters."""
    rng = np.random.default_rng([seed, len(split)])
    head_rng = np.random.default_rng(head_seed)
    weight = head_rng.normal(size=(n_classes, d))
    head = Head(weight, head_rng.normal(size=n_classes) * 0.7)
    labels = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)])
    features = (1.2 * weight[labels] + noise * rng.normal(size=(n, d)) + 0.3).astype(np.float32)
    predictions = head.logits(features).argmax(axis=1)
    indices = np.arange(n) * 3 + (0 if split == "train" else 100_000)
    names = tuple(f"class {k}" for k in range(n_classes))
    digest = hashlib.sha256(f"{seed} {d} {n_classes} {noise} {head_seed}".encode()).hexdigest()
    return Activations(features, labels, predictions, indices, names, run, split, head, dataset_id, digest)


def random_rotation(d: int, seed: int = 0) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
