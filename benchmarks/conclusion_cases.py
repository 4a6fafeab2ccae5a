"""Pairs of runs that differ in one thing, and the kind of finding that each should get.

The runs are the two AlexNets of checkpoints/, changed in one thing each, and a few networks on digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from null_pairs import networks

from penviz.store.activations import Activations
from penviz.store.captured_run import CapturedRun, load
from penviz.store.head import Head
from penviz.study.comparison import ComparisonOptions
from penviz.study.finding import Finding
from penviz.study.study import Study
from penviz.study.study_run import StudyRun

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
ALEXNETS = ("cifar10-alexnet-hard", "cifar10-alexnet-soft")
SOFT = {"targets": "uniform", "label_smoothing": 0.1}
HARD = {"targets": "hard", "label_smoothing": 0.0}


@dataclass(frozen=True)
class Case:
    """Some runs, the kind of finding that they should get, and the one that they get."""

    differs: str
    kind: str
    ask: Callable[[], Finding]


def variant(
    base: CapturedRun,
    name: str,
    change: Callable[[Activations], Activations] | None = None,
    *,
    record: dict[str, Any] | None = None,
    **config: Any,
) -> CapturedRun:
    """A run under another name, with other activations, entries of its record, or config."""
    splits = base.splits
    if change is not None:
        digest = hashlib.sha256(name.encode()).hexdigest()
        splits = {s: replace(change(a), checkpoint_sha256=digest) for s, a in splits.items()}
    own = replace(
        base.run,
        name=name,
        config=replace(base.run.config, **config),
        record=base.run.record | (record or {}),
    )
    return CapturedRun(own, splits)


def scaled(factor: float) -> Callable[[Activations], Activations]:
    """Features times a factor, weights over it: the same function of the images."""

    def change(a: Activations) -> Activations:
        assert a.head is not None
        head = Head(a.head.weight / np.float32(factor), a.head.bias)
        return replace(a, features=a.features * np.float32(factor), head=head)

    return change


def tightened(factor: float, classes: tuple[int, ...] = ()) -> Callable[[Activations], Activations]:
    """Every class, or some of them, shrunk about its mean."""

    def change(a: Activations) -> Activations:
        means = np.array([a.features[a.labels == k].mean(axis=0) for k in range(len(a.class_names))])
        own = means[a.labels]
        times = np.where(np.isin(a.labels, classes) | (not classes), factor, 1.0)[:, None]
        return replace(a, features=(own + times * (a.features - own)).astype(np.float32))

    return change


def few(n: int) -> Callable[[Activations], Activations]:
    """The first n examples of each class."""

    def change(a: Activations) -> Activations:
        rows = np.concatenate([np.flatnonzero(a.labels == k)[:n] for k in range(len(a.class_names))])
        return a.take(np.sort(rows))

    return change


@lru_cache
def study_run(run: CapturedRun) -> StudyRun:
    """With what does not depend on the triple, computed once."""
    return StudyRun.of(run.run, run.splits)


def study(*runs: CapturedRun) -> Study:
    """Of some runs."""
    return Study(tuple(study_run(run) for run in runs))


def clusters(*runs: CapturedRun, classes: tuple[int, int, int] = (0, 1, 2), bias: bool = True) -> Finding:
    """Of three classes."""
    return study(*runs).compare(classes, ComparisonOptions(bias=bias)).finding


def calibration(*runs: CapturedRun) -> Finding:
    """Of the validation examples."""
    return study(*runs).calibration("validation").finding


def all_triples(*runs: CapturedRun) -> Finding:
    """Of all triples on train."""
    return study(*runs).triples("train").finding((0, 1, 2))


def against_the_median(hard: CapturedRun, soft: CapturedRun) -> tuple[int, int, int]:
    """The triple that loosens most, with the bias in the templates and without, where the median tightens."""
    before, after = (study_run(run).statistics["train"] for run in (hard, soft))
    assert before.triples is not None
    least = np.min([after.rho_d[bias] / before.rho_d[bias] for bias in (True, False)], axis=0)
    a, b, c = (int(k) for k in before.triples.triples[int(np.nanargmax(least))])
    return a, b, c


def adopted(base: CapturedRun, name: str, **config: Any) -> CapturedRun:
    """The same network, brought from elsewhere."""
    return variant(base, name, record={"adopted": {"file": f"{name}.pth"}}, **config)


def cases(root: Path) -> list[Case]:
    """All of them; the networks on digits are trained where they are missing."""
    full = [load(CHECKPOINTS / name) for name in ALEXNETS]
    h, s = (replace(run, splits={k: few(300)(a) for k, a in run.splits.items()}) for run in full)
    h100, s100 = (load(CHECKPOINTS / f"cifar100-compact-75-{end}") for end in ("hard", "soft"))
    h100, s100 = (replace(run, splits={"train": run.splits["train"]}) for run in (h100, s100))
    digits = [load(place) for place in networks(root, 6)]
    smooth = [load(place) for place in networks(root, 3, 0.1)]
    other_data = {
        split: {**part, "dataset_id": f"cifar10:{split}"} for split, part in h.run.record["splits"].items()
    }
    noise = np.random.default_rng(0)

    def shaken(a: Activations) -> Activations:
        return replace(a, features=a.features + noise.normal(0, 1e-4, a.features.shape).astype(np.float32))

    def headless(a: Activations) -> Activations:
        return replace(a, head=None)

    def hotter(a: Activations) -> Activations:
        assert a.head is not None
        assert a.head.bias is not None
        return replace(a, head=Head(a.head.weight * np.float32(1.001), a.head.bias * np.float32(1.001)))

    outlier = variant(digits[2], "outlier", tightened(2.0))
    odd = against_the_median(h100, s100)
    names = ", ".join(h100.class_names[k] for k in odd)
    named_hard = variant(s, "soft-named-hard", **HARD)
    large = variant(s, "x100", scaled(100))
    one = variant(h, "hard-named-soft", **SOFT)
    resaved = replace(h, splits={k: replace(a, checkpoint_sha256="0" * 64) for k, a in h.splits.items()})
    soft_digits = [variant(run, f"as-soft-{i}", **SOFT) for i, run in enumerate(digits)]
    return [
        Case("label smoothing: hard, soft", "tighter", lambda: clusters(h, s)),
        Case("the order in which they are named: soft, hard", "tighter", lambda: clusters(s, h)),
        Case(
            "the alphas are swapped",
            "looser",
            lambda: clusters(variant(h, "h", **SOFT), variant(s, "s", **HARD)),
        ),
        Case(
            "label smoothing 0.1 and 0.2",
            "tighter",
            lambda: clusters(
                variant(h, "h", **SOFT), variant(s, "s", targets="uniform", label_smoothing=0.2)
            ),
        ),
        Case(
            "scale: soft called hard, and soft with features × 4, weights / 4",
            "unclear",
            lambda: clusters(named_hard, variant(s, "x4", scaled(4))),
        ),
        Case("scale: the same × 100", "depends", lambda: clusters(named_hard, large)),
        Case(
            "scale: the same × 100, the bias left out of the templates",
            "depends",
            lambda: clusters(named_hard, large, bias=False),
        ),
        Case("hard, and soft × 4", "tighter", lambda: clusters(h, variant(s, "x4", scaled(4)))),
        Case(
            "hard, and soft without the bias in the templates", "tighter", lambda: clusters(h, s, bias=False)
        ),
        Case("copy: one network called hard and soft", "same", lambda: clusters(h, one)),
        Case("copy: the same, saved again under another digest", "same", lambda: clusters(resaved, one)),
        Case("copy: one network, both called hard", "equal", lambda: clusters(h, variant(h, "copy"))),
        Case(
            "data: other images of the same classes",
            "differs",
            lambda: clusters(h, variant(s, "other", record={"splits": other_data})),
        ),
        Case(
            "data: the same images in another directory",
            "tighter",
            lambda: clusters(h, variant(s, "moved", dataset="/data/mine")),
        ),
        Case("epochs", "differs", lambda: clusters(h, variant(s, "s", epochs=7))),
        Case(
            "learning rate and batch size",
            "differs",
            lambda: clusters(h, variant(s, "s", lr=0.3, batch_size=64)),
        ),
        Case("network", "differs", lambda: clusters(h, variant(s, "s", model="resnet20"))),
        Case("half of the training data", "differs", lambda: clusters(h, variant(s, "s", data_share=0.5))),
        Case("seed of the training too", "tighter", lambda: clusters(digits[0], smooth[1])),
        Case("seed alone, both hard", "equal", lambda: clusters(digits[0], digits[1])),
        Case(
            "null pair: two hard seeds, the second called soft (fc800 on digits)",
            "unclear",
            lambda: clusters(digits[0], soft_digits[1]),
        ),
        Case("null pair: two others", "unclear", lambda: clusters(digits[2], soft_digits[3])),
        Case("three seeds a side (fc800 on digits)", "tighter", lambda: clusters(*digits[:3], *smooth)),
        Case(
            "three seeds a side, all of them hard",
            "unclear",
            lambda: clusters(*digits[:3], *soft_digits[3:6]),
        ),
        Case(
            "three seeds a side, one of them an outlier twice as wide",
            "unclear",
            lambda: clusters(*digits[:2], outlier, *smooth),
        ),
        Case("two seeds a side", "series", lambda: clusters(*digits[:2], *smooth[:2])),
        Case(
            "trifle: noise of 0.0001 on the features",
            "unclear",
            lambda: clusters(h, variant(h, "noise", shaken, **SOFT)),
        ),
        Case(
            "trifle: clusters 1 % tighter",
            "unclear",
            lambda: clusters(h, variant(h, "close", tightened(0.99), **SOFT)),
        ),
        Case(
            "clusters 5 % tighter, a recipe whose seeds differ by 1 %",
            "tighter",
            lambda: clusters(h, variant(h, "close", tightened(0.95), **SOFT)),
        ),
        Case(
            "clusters 5 % tighter, a recipe whose seeds were not measured",
            "unclear",
            lambda: clusters(
                variant(h, "h", model="vgg"), variant(h, "close", tightened(0.95), model="vgg", **SOFT)
            ),
        ),
        Case(
            "few examples: three a class",
            "unclear",
            lambda: clusters(variant(h, "h", few(3)), variant(s, "s", few(3))),
        ),
        Case(
            "few examples: one a class",
            "unclear",
            lambda: clusters(variant(h, "h", few(1)), variant(s, "s", few(1))),
        ),
        Case(
            f"a triple against the median of all (compact_resnet on CIFAR-100; soft with {names} × 1.5)",
            "mixed",
            lambda: clusters(h100, variant(s100, "wider", tightened(1.5, odd)), classes=odd),
        ),
        Case(
            "another triple of the same pair: beaver, dolphin, otter",
            "unclear",
            lambda: clusters(h100, s100, classes=(4, 30, 55)),
        ),
        Case(
            "targets of one are not known",
            "unknown",
            lambda: clusters(h, variant(s, "theirs", targets="unknown", label_smoothing=None)),
        ),
        Case("penviz trained one and not the other", "adopted", lambda: clusters(h, adopted(s, "theirs"))),
        Case(
            "penviz trained neither; targets as stated",
            "tighter",
            lambda: clusters(adopted(h, "a"), adopted(s, "b")),
        ),
        Case("one has no head", "planes", lambda: clusters(h, variant(s, "headless", headless))),
        Case(
            "kind of soft targets",
            "differs",
            lambda: clusters(variant(h, "h", targets="others", label_smoothing=0.1), s),
        ),
        Case(
            "three alphas",
            "series",
            lambda: clusters(
                h, s, variant(s, "more", tightened(0.9), targets="uniform", label_smoothing=0.2)
            ),
        ),
        Case("calibration: hard, soft, 4,000 examples", "higher", lambda: calibration(*full)),
        Case("calibration: hard, soft, 3,000 examples", "higher", lambda: calibration(h, s)),
        Case("calibration: one network called hard and soft", "same", lambda: calibration(h, one)),
        Case(
            "calibration, trifle: logits × 1.001",
            "unclear",
            lambda: calibration(h, variant(h, "hot", hotter, **SOFT)),
        ),
        Case(
            "calibration, null pair (fc800 on digits)",
            "unclear",
            lambda: calibration(digits[0], soft_digits[1]),
        ),
        Case("all triples: hard, soft", "tighter", lambda: all_triples(h, s)),
        Case(
            "all triples: soft called hard, and soft × 100", "depends", lambda: all_triples(named_hard, large)
        ),
        Case(
            "all triples: other data",
            "differs",
            lambda: all_triples(h, variant(s, "other", record={"splits": other_data})),
        ),
    ]
