"""What all triples of two runs say, in one sentence by rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penviz.metrics.intervals.bootstrap import Change
from penviz.metrics.intervals.verdict import Verdict, relevant
from penviz.metrics.numbers import BY_KEY
from penviz.metrics.tightness.finder import MISSING
from penviz.metrics.wording import NO_SEEDS, change_words, series, signed_percent
from penviz.study.finding import (
    BIAS,
    DEPENDS,
    NO_CONCLUSION,
    NONE_DRAWN,
    UNCLEAR,
    Compared,
    Finding,
    other_fields,
)
from penviz.study.tightness_finding import TIGHTNESS
from penviz.study.triple_chart import TriplePair


def triples_finding(
    runs: Compared,
    pair: TriplePair,
    turned: TriplePair,
    class_names: Sequence[str],
    chosen: Sequence[int],
    split: str,
) -> Finding:
    """How many triples the second run draws tighter or looser, and where the chosen one stands.

    A direction is named where the median change of all triples matters, and is the same with the bias switch
    turned.

    Args:
        runs: the two; pair, turned: rho/d of every triple, and with the bias switch turned; class_names: K;
            chosen: three of them; split: of the values.
    """
    said, without = (_direction(p) for p in (pair, turned))
    numbers = f"{split.capitalize()}, ρ/d in the plane of each triple: {_counts(pair)}."
    detail = " ".join(filter(None, [numbers, _chosen(pair, chosen, class_names), _seen(pair), NO_SEEDS]))
    if fields := other_fields(runs.differences):
        return Finding("differs", f"These runs also differ in {series(fields)}: {NONE_DRAWN}", detail)
    if not pair.change.any():
        return Finding("same", f"{runs.names[0]} and {runs.names[1]} are equal in every triple", detail)
    if said != without:
        head = f"{NO_CONCLUSION} on all triples: {DEPENDS}"
        return Finding("depends", head, f"{detail} With the bias switch turned: {_counts(turned)}. {BIAS}")
    if said == "unclear":
        return Finding("unclear", UNCLEAR, detail)
    n, word = len(pair.triples), TIGHTNESS[said]
    moved = int((pair.change < 0).sum() if said == "lower" else (pair.change > 0).sum())
    of = f"{moved:,} of {n:,} triples" + (" of a sample" if pair.sampled else "")
    return Finding(word, f"{of} are {word} in {runs.names[1]} than in {runs.names[0]}", detail)


def _median(pair: TriplePair) -> Change:
    return Change(float(np.median(pair.change)))


def _direction(pair: TriplePair) -> Verdict:
    """Lower or higher where the median change matters; an interval over triples there is none."""
    median = _median(pair)
    if not relevant(median, BY_KEY["rho_d"].least):
        return "unclear"
    return "lower" if median.value < 0 else "higher"


def _counts(pair: TriplePair) -> str:
    tighter, n = int((pair.change < 0).sum()), len(pair.triples)
    return f"{tighter:,} of {n:,} triples are tighter, median change {signed_percent(_median(pair).value)}"


def _chosen(pair: TriplePair, chosen: Sequence[int], class_names: Sequence[str]) -> str:
    """The triple of the grid among them."""
    words = ", ".join(class_names[k] for k in chosen)
    place, rank = pair.at(chosen), pair.rank(chosen)
    if place is None or rank is None:
        return f"The current triple ({words}) is not among them."
    moved = change_words(
        float(pair.before[place]), float(pair.after[place]), Change(float(pair.change[place]))
    )
    at = f"ranks {rank:,} of {len(pair.triples):,}, counted from the one that tightens most"
    return f"The current triple ({words}): ρ/d {moved}; it {at}."


def _seen(pair: TriplePair) -> str:
    """Which triples are missing."""
    n = len(pair.triples)
    if n >= pair.n_all:
        return ""
    why = "drawn with seed 0, stand for all" if pair.sampled else f"are compared, {MISSING}"
    return f"{n:,} of {pair.n_all:,} triples{',' if pair.sampled else ''} {why}."
