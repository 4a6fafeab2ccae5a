"""What a figure of two classes says in one sentence: the rules of `finding.py` on an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penviz.metrics.intervals.bootstrap import Change
from penviz.metrics.intervals.seed_spread import seed_spread
from penviz.metrics.intervals.verdict import judge
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import (
    CAUSES,
    EXAMPLES_ONLY,
    NO_SEEDS,
    SEEDS_OUT,
    cause_words,
    change_words,
    percent,
    series,
    targets_words,
    than_words,
    three,
)
from penviz.projection.two_classes import TwoClasses
from penviz.study.conclusion import ADJECTIVE, NO_CONCLUSION, NO_INTERVAL, TOO_FEW, UNCLEAR, WORDS, Finding
from penviz.study.finding import DRAWN, NOTHING, TARGETS


def describe_two(
    runs: Sequence[Mapping[str, TwoClasses]],
    *,
    names: Sequence[str],
    targets: Sequence[Targets],
    differences: Sequence[str] = (),
    adopted: Sequence[bool] = (),
    recipe: tuple[str, str] | None = None,
) -> Finding:
    """The sentence for some runs with two classes, at least one; each with its splits.

    The bias switch does not touch it: the axis is a linear image of the logit difference, biases included,
    and a ratio along it is free of its length.

    Args:
        runs: as drawn; names, targets: of each; differences: config fields in which they differ, those of
            `finding.TARGETS` ignored; adopted: whether penviz did not train a run, none by default; recipe:
            as in `build_finding`.
    """
    split = next((s for s in runs[0] if all(s in run for run in runs)), "")
    if not split:
        return Finding("none", "The chosen runs have no split in common")
    if len(runs) == 1:
        said = [f"{three(two.rho_d)} on {name}" for name, two in runs[0].items()]
        return Finding("one", f"{names[0]}: ρ/d {series(said)}", _spans(runs[0]))
    values = [run[split].rho_d for run in runs]
    given = [f"{three(v)} ({name})" for v, name in zip(values, names, strict=True)]
    plain = f"ρ/d on {split}: {series(given)}."
    unknown = [n for n, t in zip(names, targets, strict=True) if t.label_smoothing is None]
    if unknown:
        return Finding("unknown", f"The targets of {series(unknown)} follow from no alpha: {DRAWN}", plain)
    fields = [f.replace("_", " ") for f in differences if f not in TARGETS]
    if any(adopted):
        fields.append("what penviz does not know")
    if fields:
        return Finding("differs", f"These runs differ in {series(fields)} too; {NOTHING}", plain)
    order = sorted(range(len(runs)), key=lambda i: targets[i].label_smoothing or 0.0)
    low, high = (targets[order[i]].label_smoothing or 0.0 for i in (0, -1))
    if len(runs) == 2 and low != high and runs[0][split].same_as(runs[1][split]):
        called = series([targets_words(targets[i]) for i in order])
        head = f"{series([names[i] for i in order])} are one and the same network, called {called}"
        return Finding("same", f"{head}: there is nothing to compare", plain)
    if len(runs) > 2 or low == high:
        head = f"ρ/d on {split} is {series([three(values[i]) for i in order])}"
        return Finding("series", head, f"{plain} {NO_SEEDS}")
    before, after = (runs[i][split] for i in order)
    found = before.change_to(after)
    if found is None:
        why = before.why_no_interval() or after.why_no_interval()
        return Finding("unclear", f"{NO_CONCLUSION}: {why}" if why else TOO_FEW, plain)
    change, spread = Change(*found), seed_spread(*(recipe or ("", "")), split)
    numbers = f"ρ/d {change_words(before.rho_d, after.rho_d, change)}. {EXAMPLES_ONLY} {spread.sentence()}"
    verdict = judge(change, spread.least)
    if verdict not in WORDS:
        return Finding("unclear", TOO_FEW if verdict == "none" else UNCLEAR, numbers)
    cause = cause_words(CAUSES[targets[order[1]].kind], [low, high])
    moved = (
        f"{ADJECTIVE[split]} clusters are {percent(change.value)} {WORDS[verdict]}{than_words([low, high])}"
    )
    return Finding(WORDS[verdict], f"{cause}: {moved}, in this pair of networks", numbers)


def _spans(splits: Mapping[str, TwoClasses]) -> str:
    spans = [(name, two.interval()) for name, two in splits.items()]
    said = [f"{three(span[0])} to {three(span[1])} on {name}" for name, span in spans if span]
    if said:
        return f"95 % CI of ρ/d {series(said)}, over examples; {SEEDS_OUT}."
    why = next((two.why_no_interval() for two in splits.values() if two.why_no_interval()), "")
    return f"{NO_INTERVAL}: {why}." if why else f"{TOO_FEW}."
