"""Runs made of random numbers, on which the app is measured at sizes that are not shipped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.store.run_config import RunConfig
from penviz.store.runs import RUN_FILE, activations_path, write_json
from penviz.store.snapshots import Snapshots, snapshots_path

SPLITS = ("train", "validation")


def make_run(
    root: Path, name: str, alpha: float, n_classes: int, per_class: int, width: int, seed: int = 0
) -> Path:
    """One run of clusters about its templates, tighter for smoothed targets; one in ten wrong or so.

    Args:
        root: of the runs; n_classes: K; per_class: examples a class and split; width: d.
    """
    directory = root / name
    directory.mkdir(parents=True)
    class_names = tuple(f"class {k}" for k in range(n_classes))
    sha = hashlib.sha256(f"{alpha} {n_classes} {width} {seed}".encode()).hexdigest()
    head = _head(n_classes, width)
    for split in SPLITS:
        rng = np.random.default_rng([seed, split != "train", round(1000 * alpha)])
        labels = np.tile(np.arange(n_classes), per_class)
        features = _features(rng, head, labels, alpha)
        predictions = head.logits(features).argmax(axis=1)
        rows = np.arange(len(labels))
        a = Activations(
            features, labels, predictions, rows, class_names, name, split, head, f"made-{n_classes}", sha
        )
        a.save(activations_path(directory, split))
    kind = "uniform" if alpha else "hard"
    config = RunConfig(
        dataset=f"made-{n_classes}", model="fc800", targets=kind, label_smoothing=alpha, seed=seed
    )
    record = {
        "config": config.to_json(),
        "metrics": {"validation": {"accuracy": 0.9}},
        "class_names": list(class_names),
        "model_sha256": sha,
    }
    write_json(directory / RUN_FILE, record)
    return directory


def make_filmed(root: Path, name: str, alpha: float, epochs: int = 15, per_class: int = 100) -> Path:
    """A run of ten classes with snapshots, and what is followed over training in its history."""
    n_classes, width = 10, 64
    directory = make_run(root, name, alpha, n_classes, per_class, width)
    head = _head(n_classes, width)
    assert head.bias is not None
    labels = np.tile(np.arange(n_classes), per_class)
    for split in SPLITS:
        rng = np.random.default_rng([1, split != "train", round(1000 * alpha)])
        last, first = _features(rng, head, labels, alpha), rng.normal(size=(len(labels), width))
        done = np.linspace(0.1, 1, epochs)
        features = np.array([t * last + (1 - t) * first for t in done], np.float16)
        weight = np.array([t * head.weight for t in done], np.float32)
        bias = np.array([t * head.bias for t in done], np.float32)
        logits = features.astype(np.float32) @ weight.swapaxes(1, 2) + bias[:, None]
        Snapshots(
            np.arange(1, epochs + 1),
            features,
            labels,
            np.arange(len(labels)),
            logits.argmax(axis=2),
            weight,
            bias,
            tuple(f"class {k}" for k in range(n_classes)),
            np.full(n_classes, per_class),
            name,
            split,
            "made-10",
            tuple(range(1, epochs + 1)),
        ).save(snapshots_path(directory, split))
    record = json.loads((directory / RUN_FILE).read_text())
    record["history"] = [
        {"epoch": e, "lr": 0.1, "train_loss": 2 / e}
        | {"mutual_information": 4 - 3 * (alpha > 0) * e / epochs}
        | {f"{split}_wrong_logit_spread": 1 + e / epochs for split in SPLITS}
        | {f"{split}_instability": 0.1 + 1 / (9 + e) for split in SPLITS}
        for e in range(1, epochs + 1)
    ]
    write_json(directory / RUN_FILE, record)
    return directory


def _head(n_classes: int, width: int) -> Head:
    rng = np.random.default_rng(7)
    weight = rng.normal(size=(n_classes, width)) / np.sqrt(width) * 3
    return Head(weight, rng.normal(size=n_classes) / 10)


def _features(
    rng: np.random.Generator, head: Head, labels: NDArray[np.int64], alpha: float
) -> NDArray[np.float32]:
    reach, noise = (0.9, 0.9) if alpha == 0 else (0.5, 0.35)
    features = reach * head.weight[labels]
    features += noise * rng.standard_normal(features.shape, dtype=np.float32)
    return features.astype(np.float32)
