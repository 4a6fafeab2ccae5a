"""What a network still tells of the wrong classes: the numbers of metrics/information.py from a network.

Mutual information needs the same training examples under several random augmentations, which stored
activations do not have; the other numbers come from the plain images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from penviz.did_you_mean import did_you_mean
from penviz.metrics.calibration.temperature import softmax
from penviz.metrics.information import SAMPLES, mutual_information, stability
from penviz.metrics.logits import LogitNumbers
from penviz.store.class_lookup import rows_named
from penviz.store.run_config import RunConfig, RunError
from penviz.training import evaluate, images
from penviz.training.data_set import DataSet, Split
from penviz.training.extract import first_of_each_class
from penviz.training.network import Network

PER_CLASS = 300
"""Training examples of each of two classes: the paper's."""

SEED = 0
"""Of the augmentation: the same draws for every network, so that only the network differs."""


@torch.no_grad()
def augmented_differences(
    network: Network,
    train: Split,
    config: RunConfig,
    classes: tuple[int, int],
    *,
    per_class: int = PER_CLASS,
    samples: int = SAMPLES,
    seed: int = SEED,
) -> NDArray[np.float64]:
    """z_a - z_b of examples of the classes a and b under the run's own augmentation: [1 + L, N] in nats.

    Evaluation mode, float32. The first `per_class` examples of each class in the order of the split (their
    hashes), N in all; row 0 is the fresh sample, the others are the L that its mean is taken of.

    Raises:
        RunError: classes that are not two different ones of this network.
    """
    a, b = classes
    n_classes = network.head.out_features
    if a == b or not (0 <= a < n_classes and 0 <= b < n_classes):
        raise RunError("Erasure needs two different classes.")
    firsts = [np.flatnonzero(train.labels == k)[:per_class] for k in (a, b)]
    rows = np.sort(np.concatenate(firsts))
    device = network.head.weight.device
    pixels = images.pad(torch.from_numpy(train.images[rows]), config.pad).to(device)
    size = (config.crop, config.crop) if config.crop else (pixels.shape[1], pixels.shape[2])
    slack = (pixels.shape[1] - size[0], pixels.shape[2] - size[1])
    was_training = network.training
    network.eval()
    out = np.empty((1 + samples, len(rows)))
    for draw in range(1 + samples):
        plan = images.plan_epoch(len(rows), slack, config.flip, seed, draw).to(device)
        for start in range(0, len(rows), evaluate.BATCH):
            part = torch.arange(start, min(start + evaluate.BATCH, len(rows)), device=device)
            batch = network.scaling(images.crop_batch(pixels, part, plan, size))
            logits = network(batch).double().cpu().numpy()
            out[draw, start : start + len(part)] = logits[:, a] - logits[:, b]
    network.train(was_training)
    return out


def erasure(
    network: Network,
    dataset: DataSet,
    config: RunConfig,
    classes: tuple[int, int],
    *,
    per_class: int = PER_CLASS,
    samples: int = SAMPLES,
    seed: int = SEED,
) -> dict[str, Any]:
    """The erasure of a network, ready for JSON.

    Returns:
        {"mutual_information": nats, at most ln N; "<split>_wrong_logit_spread": mean standard deviation of
        the non-target logits, nats, and "<split>_instability": 1 - S of Shen et al. 2021, in [0, 1), for
        train (the first 1,000 a class or fewer) and the split that the network is judged on}.
    """
    differences = augmented_differences(
        network, dataset.splits["train"], config, classes, per_class=per_class, samples=samples, seed=seed
    )
    found: dict[str, Any] = {"mutual_information": mutual_information(differences[0], differences[1:])}
    for name in dataset.shown:
        whole = dataset.splits[name]
        rows = first_of_each_class(whole.labels, 1000 * (name == "train"))
        part = Split(whole.images[rows], whole.labels[rows], whole.indices[rows], whole.hashes[rows], "")
        features, _ = evaluate.features_and_predictions(network, part, config.crop)
        logits = logits_of(network, features)
        found[f"{name}_wrong_logit_spread"] = float(LogitNumbers.of(logits, part.labels).spread.mean())
        found[f"{name}_instability"] = 1 - stability(softmax(logits), part.labels)
    return found


def logits_of(network: Network, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logits [n, K] in float64 of features [n, d] as they are stored."""
    weight = network.head.weight.detach().cpu().double().numpy()
    logits: NDArray[np.float64] = np.asarray(features, np.float64) @ weight.T
    if network.head.bias is not None:
        logits += network.head.bias.detach().cpu().double().numpy()
    return logits


def class_pair(names: tuple[str, ...], chosen: tuple[str, str] | None) -> tuple[int, int]:
    """Rows of two classes; airplane and dog where there are both, as in the paper, else the first two.

    Args:
        names: of all classes; chosen: two names or rows (`named_rows.rows_named`).

    Raises:
        RunError: a word that is none of the classes or several, or the same class twice.
    """
    paper = ("airplane", "dog")
    found = []
    for word in chosen or (paper if set(paper) <= set(names) else (0, 1)):
        rows = rows_named(word, names)
        if len(rows) > 1:
            raise RunError(f"Several classes are called {word}: choose it by its index.")
        if not rows:
            known = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            raise RunError(f"There is no class {word}{did_you_mean(word, names)}: these are {known}.")
        found += rows
    a, b = found
    if a == b:
        raise RunError("Erasure needs two different classes.")
    return a, b
