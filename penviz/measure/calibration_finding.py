"""What the calibration of some runs says, in one sentence by rule.

Higher, lower or no clear difference; over- or under-confident; nothing is called good or bad.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from penviz.measure.calibrated import PLAIN, SCALED, Calibrated
from penviz.measure.finding import SEEDS_NEEDED, STATED, TARGETS, Finding
from penviz.measure.intervals import Change, Estimate, seed_change
from penviz.measure.target_vectors import Targets
from penviz.measure.wording import series, soft_words, targets_words, three, three_signed

BEFORE, AFTER = "before temperature scaling", "after it"
NEAR_FLOOR = 2.0
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
    sides = [[i for i, a in enumerate(alphas) if a == level] for level in levels]
    if len(levels) > 2:
        means = [three(float(np.mean([found[i].value("ece") for i in side]))) for side in sides]
        at = series([f"{level:g}" for level in levels])
        tail = "" if len(found) == len(levels) else " Means over the runs of one alpha."
        tail += " Training seeds are not in it."
        head = f"ECE {BEFORE} is {series(means)} at {soft} {at}"
        return Finding("series", head, _halves(found) + tail + (f" {STATED}" if all(foreign) else ""))
    if len(found) == 2:
        first, second = (side[0] for side in sides)
        stated = STATED if all(foreign) else ""
        smoothing = _cause(soft, levels)
        return _pair(found[first], found[second], smoothing, [seeds[first], seeds[second]], stated)
    if all(foreign):
        head = f"ECE of {len(found)} runs whose training seeds are not known: no conclusion"
        return Finding("series", head, plain)
    counts = [len({seeds[i] for i in side if seeds[i] is not None}) for side in sides]
    if min(counts) < SEEDS_NEEDED or any(len(s) != n for s, n in zip(sides, counts, strict=True)):
        tail = " An interval over seeds needs three different ones a side."
        return Finding("series", f"ECE of {len(found)} runs; too few seeds for a conclusion", plain + tail)
    return _over_seeds([[found[i] for i in side] for side in sides], _cause(soft, levels))


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
    detail += " 95 % over examples of this network; training seeds and the fit of T are not in it."
    return Finding("one", head, f"{detail[0].upper()}{detail[1:]}")


def _cause(soft: str, levels: Sequence[float]) -> str:
    if levels[0]:
        return f"more {soft} (alpha = {levels[1]:g}, not {levels[0]:g})"
    return f"{soft} (alpha = {levels[1]:g})"


def _by_chance(c: Calibrated, at: str = PLAIN) -> bool:
    """Whether an ECE is no more than `NEAR_FLOOR` times what perfect calibration shows by chance.

    The terms of such an ECE take their signs from chance too: its interval is too short.
    """
    value, floor = c.value("ece", at), c.value("ece_floor", at)
    return value is not None and floor is not None and value <= NEAR_FLOOR * floor


def _difference(estimate: Estimate | None) -> tuple[str, str]:
    """ "higher", "lower" or "unclear", and the difference with its interval."""
    change = None if estimate is None else estimate.change(relative=False)
    if change is None:
        return "unclear", "–"
    bounds = None if change.low is None or change.high is None else (change.low, change.high)
    word = ("higher" if change.value > 0 else "lower") if change.clear else "unclear"
    return word, f"{three_signed(change.value)}{_span(bounds)}"


def _pair(
    before: Calibrated,
    after: Calibrated,
    smoothing: str,
    seeds: Sequence[int | None],
    stated: str,
) -> Finding:
    word, difference = _difference(before.difference_to(after, "ece"))
    if _by_chance(before) and _by_chance(after):
        word = "unclear"
    both = f"{three(before.value('ece'))} to {three(after.value('ece'))}"
    if word == "unclear":
        head = f"No clear difference in ECE {BEFORE} between these two networks"
    else:
        head = f"In this pair of networks, {smoothing} goes with {word} ECE {BEFORE}, {both}"
        if stated:
            head = head.replace(")", ", as stated)", 1)
    chance = " and ".join(three(c.value("ece_floor")) for c in (before, after))
    parts = [f"ECE {both}, {difference}; the first is {_side(before)}, the second {_side(after)}."]
    parts.append(f"Perfect calibration would show {chance} by chance.")
    if before.temperature.finite and after.temperature.finite:
        later, scaled = _difference(before.difference_to(after, "ece", SCALED))
        said = f"{three(before.value('ece', SCALED))} to {three(after.value('ece', SCALED))}, {scaled}"
        near = _by_chance(before, SCALED) and _by_chance(after, SCALED)
        unclear = ", no clear difference" if near or later == "unclear" else ""
        chance = " and ".join(three(c.value("ece_floor", SCALED)) for c in (before, after))
        scaled_by = f"Scaled by {_temperature(before)} and {_temperature(after)}"
        parts.append(f"{scaled_by}: {said}{unclear}; by chance {chance}.")
    kind, risk = _difference(before.difference_to(after, "aurc_softmax"))
    unclear = ", no clear difference" if kind == "unclear" else ""
    parts.append(f"AURC of max-softmax {risk}{unclear}.")
    parts.append(_halves([before, after]))
    if None not in seeds and seeds[0] != seeds[1]:
        parts.append(f"The two have different seeds ({seeds[0]} and {seeds[1]}).")
    parts.append("95 % over examples of these two networks; training seeds and the fit of T are not in it.")
    return Finding(word, head, " ".join([*parts, *([stated] if stated else [])]))


def _relative(change: Change) -> str:
    """ "45 % lower [-60, -20 %]"."""
    word = "lower" if change.value < 0 else "higher"
    assert change.low is not None
    assert change.high is not None
    return (
        f"{round(abs(change.value) * 100)} % {word} [{round(100 * change.low)}, {round(100 * change.high)} %]"
    )


def _over_seeds(sides: Sequence[Sequence[Calibrated]], smoothing: str) -> Finding:
    """Welch's interval of the difference of the mean log ECE, and of the mean log temperature, over seeds."""
    counts = sorted({len(side) for side in sides})
    tail = f"95 % over {series([str(c) for c in counts])} training seeds a side. {_halves(sides[0])}"
    values = [[c.value("ece", PLAIN) or 0.0 for c in side] for side in sides]
    if min(map(min, values)) <= 0:
        return Finding("unclear", f"ECE {BEFORE} is 0 in one of these networks; {NOTHING}", tail)
    change = seed_change(values)
    means = " to ".join(three(math.exp(float(np.mean(np.log(v))))) for v in values)
    parts = [f"ECE {means}, {_relative(change)}."]
    temperatures = [[c.temperature.value for c in side if c.temperature.finite] for side in sides]
    if all(len(t) == len(side) for t, side in zip(temperatures, sides, strict=True)):
        said = " to ".join(three(math.exp(float(np.mean(np.log(t))))) for t in temperatures)
        parts.append(f"Fitted T {said}, {_relative(seed_change(temperatures))}.")
    if not change.clear:
        return Finding("unclear", f"No clear difference in ECE {BEFORE}", " ".join([*parts, tail]))
    word = "lower" if change.value < 0 else "higher"
    head = (
        f"{smoothing[0].upper()}{smoothing[1:]} makes ECE {BEFORE} {round(abs(change.value) * 100)} % {word}"
    )
    return Finding(word, head, " ".join([*parts, tail]))
