"""Findings on made runs, and what no finding may say."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import numpy as np
from synthetic import make

from penviz.metrics.class_means import with_class_means
from penviz.metrics.target_vectors import Targets
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.head import Head
from penviz.study.finding import Compared, Finding
from penviz.study.table import compare
from penviz.study.tightness_finding import plane_finding

CLASSES = ("class 0", "class 4", "class 2")
FORBIDDEN = re.compile(r"better|worse|separat|improve", re.IGNORECASE)


def run(noise: float, seed: int = 0, splits: tuple[str, ...] = ("train", "validation"), n: int = 1200):
    return {s: SplitStatistics.of(make(seed, split=s, n=n, noise=noise)) for s in splits}


def headless(noise: float) -> dict[str, SplitStatistics]:
    splits = {s: replace(v.activations, head=None) for s, v in run(noise).items()}
    return {s: SplitStatistics.of(a) for s, a in with_class_means(splits).items()}


def scaled(summaries: dict[str, SplitStatistics], factor: float) -> dict[str, SplitStatistics]:
    """The same function of the images: features times a factor, weights over it, in another file."""
    made = {}
    for split, summary in summaries.items():
        a = summary.activations
        head = Head(a.head.weight / factor, a.head.bias)
        digest = hashlib.sha256(a.checkpoint_sha256.encode() + str(factor).encode()).hexdigest()
        features = a.features * np.float32(factor)
        made[split] = SplitStatistics.of(replace(a, features=features, head=head, checkpoint_sha256=digest))
    return made


def say(
    runs, alphas, seeds=None, differences=(), classes=CLASSES, adopted=(), recipe=None, bias=True
) -> Finding:
    table = compare(runs, classes, label_smoothings=alphas, bias=bias)
    names = [f"run {i}" for i in range(len(runs))]
    seeds = [0] * len(runs) if seeds is None else seeds
    compared = Compared(names, [Targets.of(a) for a in alphas], seeds, adopted, differences, recipe)
    finding = plane_finding(compared, table, runs)
    assert not FORBIDDEN.search(finding.headline + finding.detail)
    assert not finding.headline.endswith(".")
    assert "nan" not in finding.headline + finding.detail
    return finding
