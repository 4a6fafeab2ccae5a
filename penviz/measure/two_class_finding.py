"""What a figure of two classes says in one sentence: the rules of `finding.py` on an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penviz.measure.finding import ADJECTIVE, DRAWN, NOTHING, TARGETS, Finding
from penviz.measure.intervals import Change
from penviz.measure.target_vectors import Targets
from penviz.measure.two_classes import TwoClasses
from penviz.measure.wording import CAUSES, direction, percent, percent_range, series, three

TAIL = "95 % over examples of these two networks; training seeds are not in it."


def describe_two(
    runs: Sequence[Mapping[str, TwoClasses]],
    *,
    names: Sequence[str],
    targets: Sequence[Targets],
    differences: Sequence[str] = (),
    adopted: Sequence[bool] = (),
) -> Finding:
    """The sentence for some runs with two classes, at least one; each with its splits.

    Args:
        runs: as drawn; names, targets: of each; differences: config fields in which they differ, those of
            `finding.TARGETS` ignored; adopted: whether penviz did not train a run, none by default.
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
    if len(runs) > 2 or low == high:
        head = f"ρ/d on {split} is {series([three(values[i]) for i in order])}"
        return Finding("series", head, f"{plain} Training seeds are not in it.")
    before, after = (runs[i][split] for i in order)
    found = before.change_to(after)
    if found is None:
        return Finding("unclear", "Too few examples for an interval", plain)
    change = Change(*found)
    word = direction(change)
    clusters = f"{ADJECTIVE[split]} clusters"
    numbers = f"ρ/d {three(before.rho_d)} to {three(after.rho_d)} {percent_range(change, word)}. {TAIL}"
    if not change.clear:
        head = f"No clear difference in the tightness of the {clusters} of this pair of networks"
        return Finding("unclear", head, numbers)
    value = f"alpha = {high:g}" + (f", not {low:g}" if low else "")
    cause = f"{'more ' if low else ''}{CAUSES[targets[order[1]].kind]} ({value})"
    head = f"In this pair of networks, {cause} goes with {percent(change.value)} {word} {clusters}"
    return Finding(word, head, numbers)


def _spans(splits: Mapping[str, TwoClasses]) -> str:
    spans = [(name, two.interval()) for name, two in splits.items()]
    said = [f"{name} [{three(span[0])}, {three(span[1])}]" for name, span in spans if span]
    if not said:
        return "Too few examples for an interval."
    whole = ", ".join(said)
    tail = "95 % over examples of this network; training seeds are not in it."
    return f"{whole[0].upper()}{whole[1:]}. {tail}"
