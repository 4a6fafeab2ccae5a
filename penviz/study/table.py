"""The table under the grid: every number of every run and split, and how two runs differ.

Axis letters: n examples, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from penviz.metrics.class_sample import sample_words
from penviz.metrics.intervals.bootstrap import Change, Estimate, Jackknifed
from penviz.metrics.numbers import BY_KEY, MEASURE, PLANE, TABLES, Number
from penviz.metrics.target_vectors import Targets, optimal_gaps
from penviz.metrics.tightness.tightness import Clusters, space_ratio, towards_centre
from penviz.metrics.wording import FULL_PASS, three
from penviz.projection.projection import distinct_names
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.head import ActivationsError
from penviz.study.compared_splits import CLUSTER, ComparedSplit, SplitPair, bias_counts, one_network

OF_PAIRS = ("space_distance", "space_ratio", "cdnv")
"""Numbers over all pairs of classes, or over those of a sample of many."""

HELD_OUT = ("validation", "test")
"""Splits that are compared with the training images of their run."""


@dataclass(frozen=True)
class NumberRow:
    """One number of all runs.

    Attributes:
        number: its words, with class names where the number is about one class.
        values: for each run, split -> value; None where it is undefined, absent where there is no such split.
        changes: split -> change from the reference run to the other; empty unless there are two runs.
        note: a remark on how it was computed, or "".
        intervals: for rho_d only, for each run split -> 95 % interval of the value over its examples.
        why: for rho_d only, for each run split -> why it has no interval, "" where it has one.
        pending: for each run whether the number needs the full pass, because not all classes are held.
    """

    number: Number
    values: tuple[Mapping[str, float | None], ...]
    changes: Mapping[str, Change | None] = field(default_factory=dict)
    note: str = ""
    intervals: tuple[Mapping[str, tuple[float, float] | None], ...] = ()
    why: tuple[Mapping[str, str], ...] = ()
    pending: tuple[bool, ...] = ()


@dataclass(frozen=True, repr=False)
class Table:
    """Rows in the order of the registry.

    Attributes:
        rows: one a number; by key with `row`.
        splits: the columns of each run, as far as a run has them.
        classes: rows of the three classes in the head; bias: whether the template holds the bias.
        reference: position of the run that changes start from.
        class_means: for each run whether it stands on class means, because it has no head.
        partial: whether some run holds some classes only.
        switched: rho_d on the other plane, with the bias left out of the templates where `bias` is set and
            the other way round; None where that is the same plane.
        unpaired: splits of a pair of runs that hold different examples, so that intervals take them as
            independent samples.
        alike: pairs of positions of runs that are one and the same network.
    """

    rows: tuple[NumberRow, ...]
    splits: tuple[str, ...]
    classes: tuple[int, int, int]
    bias: bool
    reference: int = 0
    class_means: tuple[bool, ...] = ()
    partial: bool = False
    switched: NumberRow | None = None
    unpaired: tuple[str, ...] = ()
    alike: tuple[tuple[int, int], ...] = ()

    def __repr__(self) -> str:
        return f"<table of {len(self.rows)} numbers on {', '.join(self.splits)}>"

    def row(self, key: str) -> NumberRow:
        """The row of a number; KeyError for an unknown key."""
        return next(r for r in self.rows if r.number.key == key)


def reference_run(label_smoothings: Sequence[float | None]) -> int:
    """Position of the run that changes start from: the least smoothed one if all are known."""
    known = [a for a in label_smoothings if a is not None]
    return int(np.argmin(known)) if known and len(known) == len(label_smoothings) else 0


def _best_gap(targets: Targets, summary: SplitStatistics) -> float | None:
    """Mean over the examples of the true logit's gap at the optimum of their targets, None without one."""
    n_classes = len(summary.activations.class_names)
    if not targets.smoothed or (targets.kind == "prior" and len(targets.prior) != n_classes):
        return None
    a = summary.activations
    count = summary.moments.count if a.over_all is None else a.class_totals()
    gaps = optimal_gaps(targets, n_classes)
    held = count > 0
    known = held.any() and np.isfinite(gaps[held]).all()
    return float(np.average(gaps[held], weights=count[held])) if known else None


def _split_values(split: ComparedSplit, targets: Targets) -> dict[str, float | None]:
    s, p = split.summary, split.projection
    values: dict[str, float | None] = {key: float(f(p.clusters)) for key, f in CLUSTER.items()}
    values |= {"plane_share": p.share, "off_plane": p.off_plane}
    right = [s.activations.predictions[r] == k for k, r in zip(p.classes, p.rows, strict=True)]
    if all(mask.any() for mask in right):
        kept = [xy[mask] for xy, mask in zip(p.points, right, strict=True)]
        values["rho_d_correct"] = float(Clusters.of(kept).rho_d())
    if s.activations.head is not None:
        values |= {f"towards_centre_{k}": float(v) for k, v in enumerate(towards_centre(split.probs))}
    values["triple_ratio"] = space_ratio(s.moments, p.classes)
    values |= s.numbers
    gap = values.get("gap")
    best = _best_gap(targets, s)
    if gap is not None and best is not None:
        values["gap_ratio"] = gap / best
    return {k: None if v is None else _finite(v) for k, v in values.items()}


def _run_values(splits: Mapping[str, dict[str, float | None]]) -> None:
    """Add the numbers that compare a split of a run with its training images, under that split."""
    train = splits.get("train")
    if train is None:
        return
    for other in (splits[name] for name in HELD_OUT if name in splits):
        if train["rho"] and other["rho"] is not None:
            other["radius_ratio"] = other["rho"] / train["rho"]
        if train.get("accuracy") is not None and other.get("accuracy") is not None:
            other["accuracy_gap"] = (train["accuracy"] or 0.0) - (other["accuracy"] or 0.0)


def _switched_row(
    parts: Sequence[Mapping[str, ComparedSplit]], pairs: Mapping[str, SplitPair], reference: int
) -> NumberRow | None:
    """rho_d with the bias switch turned; where a run has one plane only, that."""
    if not any(one.switched is not None for mine in parts for one in mine.values()):
        return None

    def turned(one: ComparedSplit) -> Jackknifed:
        return one.jackknifed if one.switched is None else one.switched

    values = tuple({name: _finite(turned(one).whole.rho_d()) for name, one in mine.items()} for mine in parts)
    changes: dict[str, Change | None] = {}
    for split, pair in pairs.items():
        before, after = turned(pair.before), turned(pair.after)
        estimate = before.change_to(after, Clusters.rho_d, paired=pair.paired)
        a, b = values[reference][split], values[1 - reference][split]
        changes[split] = None if a is None or b is None else _change("rho_d", a, b, estimate)
    return NumberRow(BY_KEY["rho_d"], values, changes)


def _finite(value: np.ndarray | float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _change(key: str, a: float | None, b: float | None, estimate: Estimate | None) -> Change | None:
    if estimate is not None:
        return estimate.change(BY_KEY[key].relative)
    if a is None or b is None or (BY_KEY[key].relative and a == 0):
        return None
    return Change(b / a - 1 if BY_KEY[key].relative else b - a, relative=BY_KEY[key].relative)


def _changes(
    pairs: Mapping[str, SplitPair],
    before: Mapping[str, dict[str, float | None]],
    after: Mapping[str, dict[str, float | None]],
    key: str,
) -> dict[str, Change | None]:
    out: dict[str, Change | None] = {}
    for split, pair in pairs.items():
        a, b = before[split].get(key), after[split].get(key)
        estimate = pair.estimate(key)
        if key in ("radius_ratio", "accuracy_gap") and split in HELD_OUT and "train" in pairs:
            base, sign = ("rho", 1.0) if key == "radius_ratio" else ("accuracy", -1.0)
            mine, train = pair.estimate(base), pairs["train"].estimate(base)
            if mine is not None and train is not None:
                less = mine.plus(train, -1.0)
                estimate = Estimate(sign * less.value, less.variance, less.why)
        missing = a is None or b is None
        out[split] = None if missing else _change(key, a, b, estimate)
    return out


def compare(
    runs: Sequence[Mapping[str, SplitStatistics]],
    classes: Sequence[str | int],
    *,
    bias: bool = True,
    label_smoothings: Sequence[float | None] | None = None,
    targets: Sequence[Targets] | None = None,
) -> Table:
    """All numbers of all runs for one triple of classes, over all stored examples, errors included.

    Args:
        runs: for each run its summaries by split; all with one list of classes.
        classes: three names or indices.
        bias: the template holds the bias.
        targets: of each run; without them those of `label_smoothings`, uniform over all classes, None for
            unknown ones.

    Raises:
        ActivationsError: runs of different class lists, neither head nor class means, unknown,
            repeated or empty classes.
        DegeneratePlane: templates on one line.
    """
    given = [None] * len(runs) if label_smoothings is None else list(label_smoothings)
    asked = [Targets.of(alpha) for alpha in given] if targets is None else list(targets)
    alphas = [one.label_smoothing for one in asked]
    if len({s.activations.class_names for run in runs for s in run.values()}) > 1:
        raise ActivationsError("Runs with different lists of classes cannot share a table: choose others.")
    parts = [{name: ComparedSplit(s, classes, bias) for name, s in run.items()} for run in runs]
    if not any(parts):
        raise ActivationsError("There is nothing to compare: no run has activations.")
    values = []
    for mine, own in zip(parts, asked, strict=True):
        values.append({name: _split_values(split, own) for name, split in mine.items()})
        _run_values(values[-1])
    splits = tuple(s for s in ("train", "validation", "test") if any(s in run for run in runs))
    first = reference_run(alphas) if len(runs) == 2 else 0
    pairs: dict[str, SplitPair] = {}
    if len(runs) == 2:
        before, after = parts[first], parts[1 - first]
        pairs = {s: SplitPair(before[s], after[s]) for s in splits if s in before and s in after}
    one = next(split for mine in parts for split in mine.values())
    every = distinct_names(one.summary.activations.class_names)
    names = [every[k] for k in one.projection.classes]
    on_means = tuple(any(s.activations.head is None for s in run.values()) for run in runs)
    holds_bias = bias and any(
        bias_counts(split.summary.activations, split.projection.classes)
        for mine in parts
        for split in mine.values()
    )
    rows = []
    for number in TABLES[MEASURE]:
        key = number.key
        number = number if holds_bias else number.without_bias()
        if key[-2:] in ("_0", "_1", "_2"):
            number = replace(number, label=f"{number.label.split(',')[0]}, {names[int(key[-1])]}")
        rows.append(
            NumberRow(
                number,
                tuple({split: v.get(key) for split, v in mine.items()} for mine in values),
                _changes(pairs, values[first], values[1 - first], key)
                if pairs and (number.scope != PLANE or len(set(on_means)) == 1)
                else {},
                _note(key, runs),
                tuple({k: s.interval() for k, s in mine.items()} for mine in parts) if key == "rho_d" else (),
                tuple({k: s.why for k, s in mine.items()} for mine in parts) if key == "rho_d" else (),
                tuple(_pending(key, run, alpha) for run, alpha in zip(runs, alphas, strict=True)),
            )
        )
    partial = any(s.activations.partial for run in runs for s in run.values())
    return Table(
        tuple(rows),
        splits,
        one.projection.classes,
        bias,
        first,
        on_means,
        partial,
        _switched_row(parts, pairs if len(set(on_means)) == 1 else {}, first),
        tuple(split for split, pair in pairs.items() if not pair.paired),
        _alike(runs),
    )


def _alike(runs: Sequence[Mapping[str, SplitStatistics]]) -> tuple[tuple[int, int], ...]:
    """Pairs of runs that are one network in every split that both have."""
    found = []
    for i, j in combinations(range(len(runs)), 2):
        shared = [s for s in runs[i] if s in runs[j]]
        if shared and all(one_network(runs[i][s].activations, runs[j][s].activations) for s in shared):
            found.append((i, j))
    return tuple(found)


def _pending(key: str, run: Mapping[str, SplitStatistics], alpha: float | None) -> bool:
    """Whether a number of a run needs the full pass."""
    if key == "accuracy_gap":
        return len(run) > 1 and _pending("accuracy", run, alpha)
    if key == "gap_ratio":
        return bool(alpha) and _pending("gap", run, alpha)
    return any(key in s.pending for s in run.values())


def _note(key: str, runs: Sequence[Mapping[str, SplitStatistics]]) -> str:
    if key in OF_PAIRS:
        return sample_words(max(s.n_present for run in runs for s in run.values()))
    ranks = sorted({s.nc1_rank for run in runs for s in run.values() if "nc1" not in s.pending})
    if key != "nc1" or not ranks:
        return ""
    return f"inverse truncated at rank {' and '.join(map(str, ranks))}"


def value_text(row: NumberRow, run: int, split: str) -> str:
    """A number of the table with three digits; where it is missing because not all classes are held, that."""
    value = row.values[run].get(split)
    pending = split in row.values[run] and value is None and run < len(row.pending) and row.pending[run]
    if row.number.key == "accuracy_gap" and split == "train":
        pending = False
    return FULL_PASS if pending else three(value)
