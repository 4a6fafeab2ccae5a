"""What the calibration of some runs says, in one sentence by rule.

Higher, lower or no clear difference; over- or under-confident; nothing is called good or bad. A direction is
named where the interval excludes no change and the change is larger than that of two seeds of one recipe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from penviz.metrics.calibration.calibrated import PLAIN, SCALED, Calibrated
from penviz.metrics.intervals.bootstrap import Change, seed_change
from penviz.metrics.intervals.verdict import judge
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import (
    NO_SEEDS,
    SEEDS_OUT,
    cause_words,
    change_words,
    percent,
    series,
    soft_words,
    targets_words,
    than_words,
    three,
)
from penviz.study.conclusion import NO_INTERVAL, SEEDS_NEEDED, STATED, TOO_FEW_SEEDS, UNCLEAR, Finding
from penviz.study.finding import TARGETS

BEFORE, AFTER = "before temperature scaling", "after it"
NEAR_FLOOR = 2.0
LEAST: Mapping[str, float] = {"ece": 0.02, "aurc_softmax": 0.005}
"""Least relevant difference of one network a side. `python benchmarks/null_pairs.py`: of 780 pairs of seeds
of one recipe on 180 examples, 95 % differ by less than 0.016 in ECE and 0.005 in AURC."""
LEAST_OVER_SEEDS = 0.02
"""Least relevant relative change of means over seeds."""
NOTHING = "penviz lists their numbers and concludes nothing"


def describe(
    found: Sequence[Calibrated],
    *,
    names: Sequence[str],
    label_smoothings: Sequence[float | None],
    seeds: Sequence[int | None],
    differences: Sequence[str] = (),
    adopted: Sequence[bool] = (),
    targets: Sequence[Targets] = (),
) -> Finding:
    """The sentence for some runs of one split.

    Args:
        found: the calibration of each run, at least one.
        names: of the runs.
        label_smoothings: alpha of each, 0 for hard targets, None when unknown.
        seeds: training seed of each, None when unknown.
        differences: config fields in which the runs differ, those of `TARGETS` ignored.
        adopted: whether penviz did not train a run; none of them by default. Their targets are as stated, and
            more than one of them a side is no series of seeds.
        targets: of each; without them those of `label_smoothings`, uniform over all classes.
    """
    foreign = list(adopted) or [False] * len(found)
    if len(found) == 1:
        return _one(found[0], names[0])
    plain = f"ECE {BEFORE}: {_values(found, names)}. {_halves(found)}"
    unknown = [n for n, a in zip(names, label_smoothings, strict=True) if a is None]
    taught = [n for n, t in zip(names, targets, strict=False) if t.kind == "distilled"]
    if unknown and set(unknown) <= set(taught):
        return Finding("unknown", f"{series(taught)} learned from a teacher; {NOTHING}", plain)
    if unknown:
        return Finding("unknown", f"The targets of {series(unknown)} are unknown; {NOTHING}", plain)
    if any(foreign) and not all(foreign):
        who = series([n for n, f in zip(names, foreign, strict=True) if f])
        head = f"penviz did not train {who} and does not know what else differs: it concludes nothing"
        return Finding("adopted", head, plain)
    if all(foreign):
        plain += f" {STATED}"
    asked = list(targets) or [Targets.of(a) for a in label_smoothings]
    soft = soft_words(asked)
    alphas = [float(a) for a in label_smoothings if a is not None]
    levels = sorted(set(alphas))
    fields = [f.replace("_", " ") for f in differences if f not in TARGETS]
    if len(levels) == 1 and "kind of targets" not in fields:
        who = "Both runs" if len(found) == 2 else f"All {len(found)} runs"
        same = targets_words(asked[0])
        head = f"{who} have the same targets ({same}): there is no difference between targets to see"
        others = [*fields, *(["seed"] if len(set(seeds)) > 1 else [])]
        return Finding("equal", head, plain + (f" They differ in {series(others)}." if others else ""))
    if fields:
        head = f"These runs differ in {series(fields)} too; {NOTHING}"
        return Finding("differs", head, plain)
    if copies := [
        (i, j)
        for i, j in combinations(range(len(found)), 2)
        if asked[i] != asked[j] and _one_network(found[i], found[j])
    ]:
        both = series([names[i] for i in copies[0]])
        said = series([targets_words(asked[i]) for i in copies[0]])
        head = f"{both} are one and the same network, called {said}: there is nothing to compare"
        return Finding("same", head, plain)
    sides = [[i for i, a in enumerate(alphas) if a == level] for level in levels]
    if len(levels) > 2:
        means = [three(float(np.mean([found[i].value("ece") for i in side]))) for side in sides]
        at = series([f"{level:g}" for level in levels])
        tail = "" if len(found) == len(levels) else " Means over the runs of one α."
        tail += f" {NO_SEEDS}"
        head = f"ECE {BEFORE} is {series(means)} at {soft} {at}"
        return Finding("series", head, _halves(found) + tail + (f" {STATED}" if all(foreign) else ""))
    if len(found) == 2:
        first, second = (side[0] for side in sides)
        cause = cause_words(soft, levels, all(foreign))
        finding = _pair(found[first], found[second], cause, levels, [seeds[first], seeds[second]])
        return replace(finding, detail=f"{finding.detail} {STATED}") if all(foreign) else finding
    if all(foreign):
        head = f"ECE of {len(found)} runs whose training seeds are not known: no conclusion"
        return Finding("series", head, plain)
    counts = [len({seeds[i] for i in side if seeds[i] is not None}) for side in sides]
    if min(counts) < SEEDS_NEEDED or any(len(s) != n for s, n in zip(sides, counts, strict=True)):
        head = f"ECE of {len(found)} runs; too few seeds for a conclusion"
        return Finding("series", head, f"{plain} {TOO_FEW_SEEDS}")
    return _over_seeds([[found[i] for i in side] for side in sides], cause_words(soft, levels), levels)


def _one_network(first: Calibrated, other: Calibrated) -> bool:
    """Whether two runs are one network: the same loss on each of the same examples."""
    a, b = first.numbers["nll", PLAIN].terms, other.numbers["nll", PLAIN].terms
    return a is not None and b is not None and first.same_examples(other) and np.array_equal(a, b)


def _values(found: Sequence[Calibrated], names: Sequence[str]) -> str:
    return ", ".join(f"{three(c.value('ece'))} ({n})" for c, n in zip(found, names, strict=True))


def _halves(found: Sequence[Calibrated]) -> str:
    """What the numbers were fitted and measured on."""
    sizes = sorted({(c.n_fit, c.n) for c in found})
    if len(sizes) == 1:
        return f"Fitted on {sizes[0][0]:,} {found[0].split} examples, measured on {sizes[0][1]:,} others."
    return f"Fitted on one half of the {found[0].split} examples of each run, measured on the other."


def _span(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f" [{three(bounds[0])}, {three(bounds[1])}]"


def _temperature(c: Calibrated) -> str:
    t = c.temperature
    if not t.finite:
        return "no finite temperature fits best"
    span = None if t.low is None or t.high is None else (t.low, t.high)
    return f"T = {three(t.value)}{_span(span)}"


def _side(c: Calibrated) -> str:
    """ "over-confident by 0.0186", "neither over- nor under-confident", at temperature 1."""
    gap, bounds = c.value("confidence_gap"), c.bounds("confidence_gap")
    if gap is None or bounds is None or bounds[0] <= 0 <= bounds[1]:
        return "neither clearly over- nor under-confident"
    return f"{'over' if gap > 0 else 'under'}-confident by {three(abs(gap))}"


def _one(c: Calibrated, name: str) -> Finding:
    head = f"{name}: ECE {three(c.value('ece'))} {BEFORE}"
    if c.temperature.finite:
        head += f" and {three(c.value('ece', SCALED))} {AFTER}"
    detail = f"{_temperature(c)}; before it {_side(c)}. {_halves([c])}"
    detail += f" Perfect calibration would show {three(c.value('ece_floor'))} by chance."
    detail += f" Brackets: 95 % CI over examples; {SEEDS_OUT}, and neither is the fit of T."
    return Finding("one", head, f"{detail[0].upper()}{detail[1:]}")


def _by_chance(c: Calibrated, at: str = PLAIN) -> bool:
    """Whether an ECE is no more than `NEAR_FLOOR` times what perfect calibration shows by chance.

    The terms of such an ECE take their signs from chance too: its interval is too short.
    """
    value, floor = c.value("ece", at), c.value("ece_floor", at)
    return value is not None and floor is not None and value <= NEAR_FLOOR * floor


def _moved(before: Calibrated, after: Calibrated, key: str, at: str = PLAIN) -> tuple[str, str]:
    """ "higher", "lower", "unclear" or "none" without an interval, and both values with the difference."""
    estimate = before.difference_to(after, key, at)
    change = None if estimate is None else estimate.change(relative=False)
    said = change_words(before.value(key, at), after.value(key, at), change)
    by_chance = key == "ece" and _by_chance(before, at) and _by_chance(after, at)
    return "unclear" if by_chance else judge(change, LEAST[key]), said


def _pair(
    before: Calibrated,
    after: Calibrated,
    cause: str,
    levels: Sequence[float],
    seeds: Sequence[int | None],
) -> Finding:
    word, said = _moved(before, after, "ece")
    head = NO_INTERVAL if word == "none" else UNCLEAR
    if word not in ("unclear", "none"):
        both = f"{three(before.value('ece'))} → {three(after.value('ece'))}"
        head = f"{cause}: ECE {BEFORE} is {word}{than_words(levels)} ({both}), in this pair of networks"
    chance = " and ".join(three(c.value("ece_floor")) for c in (before, after))
    parts = [f"ECE {BEFORE} {said}; the first is {_side(before)}, the second {_side(after)}."]
    parts.append(f"Perfect calibration would show {chance} by chance.")
    if before.temperature.finite and after.temperature.finite:
        later, scaled = _moved(before, after, "ece", SCALED)
        unclear = ", no clear difference" if later == "unclear" else ""
        chance = " and ".join(three(c.value("ece_floor", SCALED)) for c in (before, after))
        scaled_by = f"Scaled by {_temperature(before)} and {_temperature(after)}"
        parts.append(f"{scaled_by}: {scaled}{unclear}; by chance {chance}.")
    kind, risk = _moved(before, after, "aurc_softmax")
    unclear = ", no clear difference" if kind == "unclear" else ""
    parts.append(f"AURC of max-softmax {risk}{unclear}.")
    parts.append(_halves([before, after]))
    if None not in seeds and seeds[0] != seeds[1]:
        parts.append(f"The two have different seeds ({seeds[0]} and {seeds[1]}).")
    parts.append(f"95 % CI over examples; {SEEDS_OUT}, and neither is the fit of T.")
    parts.append(
        f"Two seeds of one recipe may differ by {LEAST['ece']:g} in ECE: less is not called a difference."
    )
    return Finding("unclear" if word == "none" else word, head, " ".join(parts))


def _over_seeds(sides: Sequence[Sequence[Calibrated]], cause: str, levels: Sequence[float]) -> Finding:
    """Welch's interval of the difference of the mean log ECE, and of the mean log temperature, over seeds."""
    counts = sorted({len(side) for side in sides})
    settings = f"{series([str(c) for c in counts])} training seeds per setting"
    tail = f"95 % CI over {settings}. {_halves(sides[0])}"
    values = [[c.value("ece", PLAIN) or 0.0 for c in side] for side in sides]
    if min(map(min, values)) <= 0:
        return Finding("unclear", f"ECE {BEFORE} is 0 in one of these networks; {NOTHING}", tail)
    change = seed_change(values)
    parts = [f"ECE {BEFORE} {_means(values, change)}."]
    temperatures = [[c.temperature.value for c in side if c.temperature.finite] for side in sides]
    if all(len(t) == len(side) for t, side in zip(temperatures, sides, strict=True)):
        parts.append(f"Fitted T {_means(temperatures, seed_change(temperatures))}.")
    word = judge(change, LEAST_OVER_SEEDS)
    if word in ("unclear", "none"):
        return Finding("unclear", UNCLEAR, " ".join([*parts, tail]))
    head = f"{cause}: ECE {BEFORE} is {percent(change.value)} {word}{than_words(levels)}, over {settings}"
    return Finding(word, head, " ".join([*parts, tail]))


def _means(values: Sequence[Sequence[float]], change: Change) -> str:
    """Geometric means of two sides and the change between them."""
    before, after = (math.exp(float(np.mean(np.log(side)))) for side in values)
    return change_words(before, after, change)
