"""Runs small enough to be made anew by every test that draws some."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.store.run_config import RunConfig
from penviz.store.runs import MODEL_FILE, RUN_FILE, activations_path, thumbnails_path, write_json
from penviz.store.snapshots import Snapshots, snapshots_path

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHA = "0" * 64
"""Of a run on hard targets with seed 0."""


def sha_of(alpha: float, seed: int) -> str:
    """A digest of its own for each network."""
    return f"{round(1000 * alpha):x}{seed:x}".rjust(64, "0")


def small_activations(
    run: str = "hard",
    split: str = "train",
    alpha: float = 0.0,
    names: Sequence[str] = CLASSES,
    per_class: int = 30,
    seed: int = 0,
    sha: str = "",
) -> Activations:
    """Clusters about scattered templates: wide for hard targets, tight and close for soft ones."""
    n_classes, width = len(names), 16
    rng = np.random.default_rng(7)
    weight = rng.normal(size=(n_classes, width)) / 2
    bias = rng.normal(size=n_classes) / 10
    rng = np.random.default_rng([seed, split != "train", alpha > 0])
    labels = np.tile(np.arange(n_classes), per_class)
    reach, noise = (2.0, 1.0) if alpha == 0 else (1.0, 0.25)
    features = weight[labels] * reach + rng.normal(size=(len(labels), width)) * noise
    head = Head(weight, bias)
    return Activations(
        features,
        labels,
        head.logits(features).argmax(axis=1),
        np.arange(len(labels)) * 3,
        tuple(names),
        run,
        split,
        head,
        "small",
        sha or sha_of(alpha, seed),
    )


def make_run(
    root: Path,
    name: str,
    alpha: float = 0.0,
    names: Sequence[str] = CLASSES,
    splits: Sequence[str] = ("train", "validation"),
    per_class: int = 30,
    thumbnails: bool = False,
    stale: bool = False,
    seed: int = 0,
    dataset: str = "cifar10",
) -> Path:
    """Write one run as the command line would, and return its directory."""
    directory = root / name
    directory.mkdir(parents=True)
    described = {}
    sha = sha_of(alpha, seed)
    for split in splits:
        a = small_activations(name, split, alpha, names, per_class, seed, "1" * 64 if stale else sha)
        a.save(activations_path(directory, split))
        if thumbnails:
            from PIL import Image

            columns, side = 20, 8
            rows = -(-len(a) // columns)
            shades = (np.arange(rows * columns) % 200 + 40).astype(np.uint8).reshape(rows, columns)
            picture = np.repeat(np.repeat(shades, side, 0), side, 1)
            Image.fromarray(picture).convert("RGB").save(thumbnails_path(directory, split), lossless=True)
            described[split] = {"columns": columns, "side": side, "count": len(a)}
    config = RunConfig(
        dataset=dataset,
        model="tutorial_alexnet",
        targets="uniform" if alpha else "hard",
        label_smoothing=alpha,
        seed=seed,
    )
    record = {
        "config": config.to_json(),
        "metrics": {"validation": {"accuracy": 0.8}},
        "class_names": list(names),
        "model_sha256": sha,
        "thumbnails": described,
    }
    write_json(directory / "run.json", record)
    (directory / MODEL_FILE).write_bytes(b"")
    return directory


def small_snapshots(
    run: str = "hard", split: str = "train", alpha: float = 0.0, epochs: Sequence[int] = (1, 2, 5, 9)
) -> Snapshots:
    """Clusters that part and tighten from epoch to epoch, about templates that grow and turn."""
    last = small_activations(run, split, alpha, per_class=20)
    assert last.head is not None
    assert last.head.bias is not None
    rng = np.random.default_rng([3, split != "train", alpha > 0])
    noise = rng.normal(size=last.features.shape) / 2
    drift = np.random.default_rng(4).normal(size=last.head.weight.shape) / 4
    features, weight, predictions = [], [], []
    for epoch in epochs:
        done = epoch / epochs[-1]
        features.append((done * last.features + (1 - done) * noise).astype(np.float16))
        weight.append(done * last.head.weight + (1 - done) * drift)
        head = Head(weight[-1], done * last.head.bias)
        predictions.append(head.logits(features[-1]).argmax(axis=1))
    return Snapshots(
        np.array(epochs),
        np.array(features),
        last.labels,
        last.indices,
        np.array(predictions),
        np.array(weight, np.float32),
        np.array([epoch / epochs[-1] * last.head.bias for epoch in epochs], np.float32),
        last.class_names,
        np.full(len(last.class_names), 500),
        run,
        split,
        "small",
        tuple(epochs),
    )


def make_filmed(root: Path, name: str, alpha: float = 0.0, **settings: Any) -> Path:
    """A run with snapshots and a history; settings as for `make_run`."""
    directory = make_run(root, name, alpha, **settings)
    for split in ("train", "validation"):
        small_snapshots(name, split, alpha).save(snapshots_path(directory, split))
    record = json.loads((directory / RUN_FILE).read_text())
    record["history"] = [{"epoch": e, "lr": 0.1, "train_loss": 2 / e} for e in range(1, 10)]
    write_json(directory / RUN_FILE, record)
    return directory


def make_adopted(
    root: Path,
    name: str,
    alpha: float | None = None,
    head: bool = True,
    quick_look: Sequence[str | int] = (),
    accuracy: dict[str, Any] | None = None,
    predicted_by: str = "network",
    model: str = "torchvision:resnet18",
    **settings: Any,
) -> Path:
    """A run that penviz did not train, as an adoption writes it; settings as for `make_run`.

    Args:
        alpha: as stated, None for unknown targets; head: whether one was proved; quick_look: the only
            classes with examples; accuracy: as penviz measured it, with what was expected and a warning.
    """
    directory = make_run(root, name, alpha or 0.0, **settings)
    record = json.loads((directory / RUN_FILE).read_text())
    names = record["class_names"]
    record["config"] = {
        "dataset": record["config"]["dataset"],
        "model": model,
        "targets": "unknown" if alpha is None else "uniform" if alpha else "hard",
        "label_smoothing": alpha,
    }
    record["adopted"] = {"file": f"{name}.pth", "accuracy": accuracy or {"measured": 0.8, "n": 512}}
    if quick_look:
        record["adopted"]["quick_look"] = {"classes": list(quick_look), "per_class": 100}
    write_json(directory / RUN_FILE, record)
    held = [c if isinstance(c, int) else names.index(c) for c in quick_look]
    for split in ("train", "validation"):
        path = activations_path(directory, split)
        if not path.is_file():
            continue
        a = Activations.load(path)
        if quick_look:
            a = a.take(np.isin(a.labels, held))
        if not head:
            a = replace(a, head=None, predicted_by=predicted_by)
        a.save(path)
    return directory
