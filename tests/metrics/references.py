"""Every number of the table once more, from its definition: plain loops over examples, or scikit-learn."""

from __future__ import annotations

import itertools
import math

import numpy as np
from sklearn.metrics import log_loss, top_k_accuracy_score

from penviz.store.activations import Activations

Vector = np.ndarray


def in_plane(a: Activations, triple: tuple[int, int, int], bias: bool) -> list[list[Vector]]:
    """Coordinates of the examples of three classes, by Gram and Schmidt."""
    w = a.head.weight.astype(np.float64)
    b = a.head.bias.astype(np.float64)
    t = [np.append(w[k], b[k]) if bias else w[k] for k in triple]
    x_axis = (t[1] - t[0]) / math.sqrt(sum((t[1] - t[0]) ** 2))
    rest = (t[2] - t[0]) - x_axis * sum(x_axis * (t[2] - t[0]))
    y_axis = rest / math.sqrt(sum(rest**2))
    out: list[list[Vector]] = []
    for k in triple:
        out.append([])
        for x, label in zip(a.features.astype(np.float64), a.labels, strict=True):
            if label == k:
                x = np.append(x, 1.0) if bias else x
                out[-1].append(np.array([sum(x * x_axis), sum(x * y_axis)]))
    return out


def mean(points: list[Vector]) -> Vector:
    return sum(points) / len(points)


def square(v: Vector) -> float:
    return float(sum(v * v))


def spread(points: list[Vector]) -> float:
    """Mean squared distance to the mean."""
    m = mean(points)
    return sum(square(p - m) for p in points) / len(points)


def rho(groups: list[list[Vector]]) -> float:
    return math.sqrt(sum(spread(g) for g in groups) / len(groups))


def sides(groups: list[list[Vector]]) -> list[float]:
    means = [mean(g) for g in groups]
    return [math.sqrt(square(p - q)) for p, q in itertools.combinations(means, 2)]


def distance(groups: list[list[Vector]]) -> float:
    return sum(sides(groups)) / len(sides(groups))


def within_total(groups: list[list[Vector]]) -> float:
    means = [mean(g) for g in groups]
    within = rho(groups) ** 2
    return within / (within + sum(square(m - mean(means)) for m in means) / len(means))


def by_class(a: Activations) -> list[list[Vector]]:
    x = a.features.astype(np.float64)
    return [[x[i] for i in range(len(a)) if a.labels[i] == k] for k in range(len(a.class_names))]


def right_only(a: Activations) -> Activations:
    return a.take(np.array([i for i in range(len(a)) if a.labels[i] == a.predictions[i]]))


def off_plane(a: Activations, triple: tuple[int, int, int], bias: bool) -> float:
    t = a.head.templates(bias)[list(triple)]
    span = (t[1:] - t[0]).T
    squares = []
    for k in triple:
        for x in by_class(a)[k]:
            x = np.append(x, 1.0) if bias else x
            squares.append(square(x - t[0] - span @ np.linalg.lstsq(span, x - t[0], rcond=None)[0]))
    return math.sqrt(sum(squares) / len(squares))


def plane_share(a: Activations, triple: tuple[int, int, int], bias: bool) -> float:
    inside = [p for group in in_plane(a, triple, bias) for p in group]
    everything = [x for k in triple for x in by_class(a)[k]]
    return spread(inside) / spread(everything)


def towards_centre(a: Activations, triple: tuple[int, int, int], which: int) -> float:
    low = []
    for z, label in zip(a.logits(), a.labels, strict=True):
        if label == triple[which]:
            e = [math.exp(z[k]) for k in triple]
            low.append(e[which] / sum(e) < 0.9)
    return sum(low) / len(low)


def class_separation(a: Activations) -> float:
    """Kornblith et al. 2021, eq. 11, over all pairs of examples."""
    groups = [[x / math.sqrt(square(x)) for x in g] for g in by_class(a)]

    def apart(g: list[Vector], h: list[Vector]) -> float:
        return sum(1 - float(p @ q) for p in g for q in h) / (len(g) * len(h))

    within = sum(apart(g, g) for g in groups) / len(groups)
    total = sum(apart(g, h) for g in groups for h in groups) / len(groups) ** 2
    return 1 - within / total


def nc1(a: Activations) -> float:
    groups = by_class(a)
    means = [mean(g) for g in groups]
    within = sum(np.outer(x - m, x - m) for g, m in zip(groups, means, strict=True) for x in g) / len(a)
    between = sum(np.outer(m - mean(means), m - mean(means)) for m in means) / len(means)
    return float(np.trace(within @ np.linalg.pinv(between, rcond=1e-9)) / len(means))


def cdnv(a: Activations) -> float:
    groups = by_class(a)
    return float(
        np.mean(
            [
                (spread(g) + spread(h)) / (2 * square(mean(g) - mean(h)))
                for g, h in itertools.combinations(groups, 2)
            ]
        )
    )


def wrong_logits(a: Activations) -> list[tuple[float, list[float]]]:
    return [
        (float(z[y]), [float(v) for k, v in enumerate(z) if k != y])
        for z, y in zip(a.logits(), a.labels, strict=True)
    ]


def ece(confidences: list[float], correct: list[bool], n_bins: int = 15) -> float:
    """Guo et al. 2017, equation 3, bin by bin."""
    total = 0.0
    for b in range(n_bins):
        inside = [
            (c, right)
            for c, right in zip(confidences, correct, strict=True)
            if b / n_bins < c <= (b + 1) / n_bins or (b == 0 and c == 0)
        ]
        total += abs(sum(right for _, right in inside) - sum(c for c, _ in inside))
    return total / len(confidences)


def reference(key: str, runs: dict[str, Activations], triple: tuple[int, int, int], bias: bool, alpha: float):
    """(split, value) of one number."""
    a = runs["train"]
    groups = in_plane(a, triple, bias)
    n_classes = len(a.class_names)
    probs = np.exp(a.logits())
    probs /= probs.sum(axis=1, keepdims=True)
    if key == "radius_ratio":
        return "validation", rho(in_plane(runs["validation"], triple, bias)) / rho(groups)
    if key == "accuracy_gap":
        shares = [
            sum(p == y for p, y in zip(r.predictions, r.labels, strict=True)) / len(r)
            for r in (a, runs["validation"])
        ]
        return "validation", shares[0] - shares[1]
    correct = in_plane(right_only(a), triple, bias)
    gaps = [own - sum(wrong) / len(wrong) for own, wrong in wrong_logits(a)]
    values = {
        "rho_d": lambda: rho(groups) / distance(groups),
        "rho": lambda: rho(groups),
        "distance": lambda: distance(groups),
        "plane_share": lambda: plane_share(a, triple, bias),
        "off_plane": lambda: off_plane(a, triple, bias),
        "rho_d_correct": lambda: rho(correct) / distance(correct),
        "rho_0": lambda: math.sqrt(spread(groups[0])),
        "rho_1": lambda: math.sqrt(spread(groups[1])),
        "rho_2": lambda: math.sqrt(spread(groups[2])),
        "within_total": lambda: within_total(groups),
        "regularity": lambda: 1 - float(np.std(sides(groups))) / distance(groups),
        "towards_centre_0": lambda: towards_centre(a, triple, 0),
        "towards_centre_1": lambda: towards_centre(a, triple, 1),
        "towards_centre_2": lambda: towards_centre(a, triple, 2),
        "triple_ratio": lambda: (
            rho([by_class(a)[k] for k in triple]) / distance([by_class(a)[k] for k in triple])
        ),
        "space_radius": lambda: rho(by_class(a)),
        "space_distance": lambda: distance(by_class(a)),
        "space_ratio": lambda: rho(by_class(a)) / distance(by_class(a)),
        "space_within_total": lambda: within_total(by_class(a)),
        "class_separation": lambda: class_separation(a),
        "nc1": lambda: nc1(a),
        "cdnv": lambda: cdnv(a),
        "gap": lambda: sum(gaps) / len(gaps),
        "gap_ratio": lambda: (
            sum(gaps) / len(gaps) / (math.log(1 - alpha + alpha / n_classes) - math.log(alpha / n_classes))
        ),
        "spread": lambda: float(np.mean([np.std(wrong) for _, wrong in wrong_logits(a)])),
        "accuracy": lambda: sum(p == y for p, y in zip(a.predictions, a.labels, strict=True)) / len(a),
        "top5": lambda: top_k_accuracy_score(a.labels, probs, k=5),
        "confidence": lambda: sum(max(p) for p in probs) / len(a),
        "ece": lambda: ece([float(max(p)) for p in probs], list(a.predictions == a.labels)),
        "nll": lambda: log_loss(a.labels, probs, labels=range(n_classes)),
    }
    return "train", float(values[key]())
