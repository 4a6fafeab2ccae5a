"""Triples of a study of small runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from penviz.figures.triple import Triple
from penviz.store.run_config import RunConfig
from penviz.store.runs import Run
from penviz.study.comparison import ComparisonOptions
from penviz.study.study import Study
from penviz.study.study_run import StudyRun
from tests.small_runs import small_activations

TRIPLE = ("airplane", "automobile", "bird")

NAMES = ("run_hard", "run_soft")

CONFIG = RunConfig(dataset="cifar10", model="tutorial_alexnet", targets="hard", label_smoothing=0.0, seed=3)


def triple_of(
    alphas: Sequence[float] = (0.0, 0.1), classes: Sequence[str] = TRIPLE, **choices: Any
) -> Triple:
    names = [f"{name}{i if i > 1 else ''}" for i, name in enumerate((*NAMES, *NAMES)[: len(alphas)])]
    runs = [
        StudyRun(
            Run(Path(), name, replace(CONFIG, targets="uniform" if alpha else "hard", label_smoothing=alpha)),
            {s: small_activations(name, s, alpha, per_class=110, seed=i) for s in ("train", "validation")},
        )
        for i, (name, alpha) in enumerate(zip(names, alphas, strict=True))
    ]
    comparison = Study(tuple(runs)).compare(classes, ComparisonOptions(**choices))
    return Triple(comparison, comparison.rows)
