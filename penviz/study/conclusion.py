"""The one rule by which every finding is made, whatever number it is about.

First comparability: runs that differ in more than their targets allow no conclusion. Then the verdict: a
direction is named where the interval excludes no change, the change is as large as one that matters, and the
plane without the bias in the templates says the same. Then the sentence.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from penviz.metrics.intervals.bootstrap import Change, seed_change
from penviz.metrics.intervals.verdict import Verdict, judge
from penviz.metrics.numbers import LEAST_RELATIVE
from penviz.metrics.wording import (
    CAUSES,
    EXAMPLES_ONLY,
    NO_SEEDS,
    change_words,
    interval_words,
    percent,
    series,
    signed_percent,
    targets_words,
    three,
)
from penviz.study.finding import (
    BIAS,
    DEPENDS,
    NO_CONCLUSION,
    NONE_DRAWN,
    STATED,
    TOO_FEW,
    TOO_FEW_SEEDS,
    UNCLEAR,
    Compared,
    Finding,
    other_fields,
)

NEGLIGIBLE = 1e-6
"""A value below it is rounding: no relative change of it means anything."""


@dataclass(frozen=True)
class Judged:
    """One run against another in one number.

    Attributes:
        verdict: what the change allows to say; change: of the number, with its interval.
        values: before and after; numbers: a sentence with them and all that belongs to them.
        remarks, last: sentences before and after the one on what the interval is worth.
        depends: the bias switch turns the verdict; but: ends the headline of a "mixed" finding.
    """

    verdict: Verdict
    change: Change | None
    values: tuple[float | None, float | None]
    numbers: str
    remarks: Sequence[str] = ()
    last: Sequence[str] = ()
    depends: bool = False
    but: str = ""


@dataclass(frozen=True, kw_only=True)
class Evidence(ABC):
    """A number of some runs that a finding can be about; each kind of number is a class of its own.

    Attributes:
        short: "ρ/d"; where: "ρ/d on train"; noun: "training clusters are".
        words: how a lower and a higher value are called.
        values: of each run; others: the same of other splits, by what they are called.
        turned: the values on the plane with the bias switch turned, None where there is no other plane.
        bias: whether the templates of the values hold the bias.
        vanishing: said where a value is as good as 0.
        alike: pairs of positions of runs that are one and the same network.
        tail: a sentence that stands after the numbers.
        worth: what an interval over examples is worth.
    """

    short: str
    where: str
    noun: str
    words: Mapping[str, str]
    values: Sequence[float | None]
    others: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    turned: Sequence[float | None] | None = None
    bias: bool = True
    vanishing: str = ""
    alike: Sequence[tuple[int, int]] = ()
    tail: str = ""
    worth: str = EXAMPLES_ONLY

    @abstractmethod
    def alone(self, runs: Compared) -> Finding:
        """What is said of a single run."""

    def objection(self, runs: Compared) -> Finding | None:
        """Why these values cannot be compared although their runs can."""
        return None

    @abstractmethod
    def pair(self, runs: Compared, first: int, second: int) -> Judged | None:
        """Two runs over their examples; None where there is nothing over examples."""

    def over_seeds(self, runs: Compared) -> list[str]:
        """Sentences beside a change over seeds."""
        return []

    def moved(self, verdict: Verdict, change: Change) -> str:
        """ "training clusters are 21 % tighter"."""
        much = f"{percent(change.value)} " if change.relative else ""
        return f"{self.noun} {much}{self.words[verdict]}"


def conclude(runs: Compared, number: Evidence) -> Finding:
    """The finding on one number of some runs, at least one."""
    if len(runs.names) == 1:
        return number.alone(runs)
    seeds = list(runs.seeds)
    for first, other in number.alike:
        seeds[other] = seeds[first]  # one network counts once
    runs = replace(runs, seeds=seeds)
    if found := _incomparable(runs, number):
        return found
    if len(runs.levels) > 2:
        return _series(runs, number)
    if len(runs.names) == 2:
        (first,), (second,) = runs.sides
        if judged := number.pair(runs, first, second):
            return _of_pair(runs, number, judged, (first, second))
    return _over_seeds(runs, number) if runs.enough_seeds() else _series(runs, number)


def _sentences(*said: str) -> str:
    return " ".join(filter(None, said))


def _plain(runs: Compared, number: Evidence) -> str:
    """The value of every run."""
    said = [f"{three(v)} ({n})" for v, n in zip(number.values, runs.names, strict=True)]
    return _sentences(f"{number.where}: {', '.join(said)}.", number.tail)


def _incomparable(runs: Compared, number: Evidence) -> Finding | None:
    """Why the targets of these runs cannot be compared, or None."""
    plain = _plain(runs, number)
    given = list(zip(runs.names, runs.targets, strict=True))
    if unknown := [name for name, targets in given if targets.kind == "unknown"]:
        return Finding("unknown", f"The targets of {series(unknown)} are not known: {NONE_DRAWN}", plain)
    if taught := [name for name, targets in given if targets.kind == "distilled"]:
        return Finding("unknown", f"{series(taught)} learned from a teacher: {NONE_DRAWN}", plain)
    if any(runs.adopted) and not runs.stated:
        who = series([n for n, adopted in zip(runs.names, runs.adopted, strict=True) if adopted])
        head = f"penviz did not train {who} and does not know what else differs: {NONE_DRAWN}"
        return Finding("adopted", head, plain)
    if found := number.objection(runs):
        return replace(found, detail=plain)
    if copies := [pair for pair in number.alike if len({runs.targets[i] for i in pair}) > 1]:
        both = series([runs.names[i] for i in copies[0]])
        said = series([targets_words(runs.targets[i]) for i in copies[0]])
        head = f"{both} are one and the same network, called {said}: there is nothing to compare"
        return Finding("same", head, plain)
    kinds = dict.fromkeys(t.kind for t in runs.targets if t.smoothed)
    if len(kinds) > 1:
        what = f"the kind of their targets ({series([CAUSES[kind] for kind in kinds])})"
        return Finding("differs", f"These runs differ in {what}: {NONE_DRAWN}", plain)
    fields = other_fields(runs.differences)
    if len(runs.levels) == 1:
        return _equal(runs, number, fields, plain)
    if fields:
        return Finding("differs", f"These runs also differ in {series(fields)}: {NONE_DRAWN}", plain)
    return None


def _equal(runs: Compared, number: Evidence, fields: Sequence[str], plain: str) -> Finding:
    two = len(runs.names) == 2
    who = "Both runs" if two else f"All {len(runs.names)} runs"
    targets = targets_words(runs.targets[0]) + (", as stated" if runs.stated else "")
    head = f"{who} have the same targets ({targets}): there is no difference between targets to see"
    others = [*fields, *(["seed"] if len(set(runs.seeds)) > 1 else [])]
    more = [f"They differ in {series(others)}."] if others else []
    if two and number.alike:
        more.append("They are one and the same network.")
    elif two and (judged := number.pair(runs, 0, 1)) and judged.change and judged.change.low is not None:
        change = judged.change
        value = signed_percent(change.value) if change.relative else three(change.value)
        more.append(f"Between the two: {value}, {interval_words(change)} over examples.")
    return Finding("equal", head, _sentences(plain, *more, STATED if runs.stated else ""))


def _of_pair(runs: Compared, number: Evidence, found: Judged, order: tuple[int, int]) -> Finding:
    """One network a side, over its examples."""
    stated = STATED if runs.stated else ""
    if found.verdict == "none" or found.change is None:
        why = found.change.why if found.change else ""
        head = f"{NO_CONCLUSION}, as no interval over examples would be valid: {why}" if why else TOO_FEW
        return Finding("unclear", head, _sentences(found.numbers, stated, number.tail))
    seeds = [runs.seeds[i] for i in order]
    apart = f"The two have different seeds ({seeds[0]} and {seeds[1]})."
    apart = apart if None not in seeds and seeds[0] != seeds[1] else ""
    detail = _sentences(found.numbers, stated, *found.remarks, apart, number.tail, number.worth, *found.last)
    if found.depends:
        return Finding("depends", f"{_none_on(number)}: {DEPENDS}", detail)
    if found.verdict == "unclear":
        return Finding("unclear", UNCLEAR, detail)
    before, after = map(three, found.values)
    both = "" if found.change.relative else f" ({before} → {after})"
    head = runs.headline(number.moved(found.verdict, found.change), "in this pair of networks", both)
    kind = "mixed" if found.but else number.words[found.verdict]
    return Finding(kind, head + found.but, detail)


def _none_on(number: Evidence) -> str:
    """No conclusion, and on what."""
    return f"{NO_CONCLUSION} on the {number.noun.rsplit(' ', 1)[0]}"


def _series(runs: Compared, number: Evidence) -> Finding:
    """Means of every level, without a conclusion; each beside the first where there are seeds enough."""
    stated, levels, sides = runs.stated, runs.levels, runs.sides

    def means(values: Sequence[float | None]) -> str:
        held = [runs.by_seed(values, side) for side in sides]
        return series([three(float(np.mean(side)) if side else None) for side in held])

    at = series([f"{level:g}" for level in levels])
    head = f"{number.where} is {means(number.values)} at {runs.soft} {at}{', as stated' if stated else ''}"
    rest = [f"{name.capitalize()}: {means(values)}." for name, values in number.others.items()]
    several = len(runs.names) > len(levels)
    detail = ["One run for each α.", NO_SEEDS]
    if several:
        detail = ["Means over the runs of one α.", TOO_FEW_SEEDS]
    if len(levels) == 2:
        unknown = stated or None in runs.seeds
        head += "; training seeds are not known" if unknown else "; too few seeds for a conclusion"
    elif several and runs.enough_seeds():
        detail = [_against_first(runs, number)]
    return Finding("series", head, _sentences(*detail, *rest, number.tail, STATED if stated else ""))


def _seed_verdict(
    runs: Compared, values: Sequence[float | None], sides: Sequence[Sequence[int]]
) -> tuple[Verdict, Change | None, str]:
    """What the values of two sides allow to say, the change, and both in words; no change of rounding."""
    measured = [runs.by_seed(values, side) for side in sides]
    if not all(measured) or min(map(min, measured)) < NEGLIGIBLE:
        return "none", None, ""
    change = seed_change(measured)
    before, after = (math.exp(float(np.mean(np.log(side)))) for side in measured)
    return judge(change, LEAST_RELATIVE), change, change_words(before, after, change)


def _verdicts(
    runs: Compared, number: Evidence, sides: Sequence[Sequence[int]]
) -> list[tuple[Verdict, Change | None, str]]:
    """`_seed_verdict` of a number, and of it with the bias switch turned where that is another."""
    planes = [number.values, *([] if number.turned is None else [number.turned])]
    return [_seed_verdict(runs, values, sides) for values in planes]


def _settings(runs: Compared) -> str:
    counts = sorted({runs.n_seeds(side) for side in runs.sides})
    return f"{series([str(c) for c in counts], 'or')} training seeds per setting"


def _against_first(runs: Compared, number: Evidence) -> str:
    """Each level beside the least one: the change with its interval over seeds."""
    said = []
    for level, side in zip(runs.levels[1:], runs.sides[1:], strict=True):
        found = _verdicts(runs, number, [runs.sides[0], side])
        verdict, change, words = found[0]
        if change is None:
            return f"{number.vanishing}."
        tail = ", no clear difference" if verdict in ("unclear", "none") else ""
        tail = f", no conclusion: {DEPENDS}" if any(v != verdict for v, *_ in found[1:]) else tail
        said.append(f"α = {level:g}: {number.short} {words}{tail}")
    first = "hard targets" if runs.levels[0] == 0 else f"α = {runs.levels[0]:g}"
    return f"Compared with {first}, {'; '.join(said)}. 95 % CI over {_settings(runs)}."


def _over_seeds(runs: Compared, number: Evidence) -> Finding:
    """Welch's interval of the difference of the mean logarithms of two sides of seeds."""
    found = _verdicts(runs, number, runs.sides)
    verdict, change, words = found[0]
    if change is None:
        return Finding("unclear", number.vanishing, _plain(runs, number))
    over = _settings(runs)
    detail = [f"{number.where} {words}.", *number.over_seeds(runs), f"95 % CI over {over}.", number.tail]
    if len(found) > 1 and found[1][0] != verdict and found[1][1] is not None:
        turned = "without" if number.bias else "with"
        detail += [f"It is {found[1][2]} {turned} the bias in the templates.", BIAS]
        return Finding("depends", f"{_none_on(number)}: {DEPENDS}", _sentences(*detail))
    if verdict not in ("lower", "higher"):
        return Finding("unclear", UNCLEAR, _sentences(*detail))
    head = runs.headline(number.moved(verdict, change), f"over {over}")
    return Finding(number.words[verdict], head, _sentences(*detail))
