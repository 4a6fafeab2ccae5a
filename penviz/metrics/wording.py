"""Numbers in words: three significant digits, changes with their intervals, percents, ordinals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from penviz.metrics.intervals.bootstrap import Change
from penviz.metrics.intervals.verdict import readable
from penviz.metrics.target_vectors import Targets

FULL_PASS = "needs the full pass"
"""What stands for a number over all classes where examples of some classes only were taken."""


def three(value: float | None) -> str:
    """Three significant digits, zeros kept; an en dash for a number that does not exist."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:#.3g}".rstrip(".") if abs(value) < 999.5 else f"{value:.0f}"


def change_text(change: Change | None) -> str:
    """A change with its interval: "-24 % [-28, -20]"; a difference: "+0.003 [-0.001, 0.007]".

    An interval too wide to read is left out (`verdict.readable`).
    """
    if change is None or not math.isfinite(change.value):
        return "–"
    if not readable(change):
        change = Change(change.value, relative=change.relative)
    if change.relative:
        ends = [f"{round(100 * v) + 0:d}" for v in (change.low, change.high) if v is not None]
        text = f"{round(100 * change.value):+d} %" if round(100 * change.value) else "0 %"
    else:
        ends = [signed(v).removeprefix("+") for v in (change.low, change.high) if v is not None]
        text = signed(change.value)
    return f"{text} [{', '.join(ends)}]" if ends else text


def signed(value: float) -> str:
    """A difference with its sign, three decimals."""
    return f"{value:+.3f}" if round(value, 3) else "0"


def three_signed(value: float) -> str:
    """A difference with its sign, three significant digits."""
    return f"{'+' if value > 0 else ''}{three(value)}"


def percent(value: float) -> str:
    """A share without its sign, in whole percent."""
    whole = round(abs(value) * 100)
    return f"{whole} %" if whole else "less than 1 %"


def series(values: Sequence[str], last: str = "and") -> str:
    """Words in a row: a, b and c."""
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} {last} {values[-1]}"


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, ..."""
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{suffix}"


def direction(change: Change) -> str:
    """Which way a change of tightness goes."""
    return "tighter" if change.value < 0 else "looser"


def signed_percent(value: float, unit: str = " %") -> str:
    """A relative change in whole percent with its sign: "−21 %", "+3 %", "0 %"."""
    whole = round(100 * value)
    return f"{whole:+d}{unit}".replace("-", "−") if whole else f"0{unit}"


def interval_words(change: Change) -> str:
    """Its interval: "95 % CI −23 to −19", in percent for a relative change; without one the reason."""
    if change.low is None or change.high is None:
        return f"no interval: {change.why}" if change.why else ""
    if not readable(change):
        return "95 % CI too wide to be of use"
    if change.relative:
        return f"95 % CI {signed_percent(change.low, '')} to {signed_percent(change.high, '')}"
    return f"95 % CI {three_signed(change.low)} to {three_signed(change.high)}".replace("-", "−")


def change_words(before: float | None, after: float | None, change: Change | None) -> str:
    """Two values and the change between them: "0.271 → 0.215 (−21 %, 95 % CI −23 to −19)"."""
    said = f"{three(before)} → {three(after)}"
    if change is None or not math.isfinite(change.value):
        return said
    value = signed_percent(change.value) if change.relative else three_signed(change.value).replace("-", "−")
    return f"{said} ({', '.join(filter(None, (value, interval_words(change))))})"


SEEDS_OUT = "variation across training seeds is not included"
NO_SEEDS = "Variation across training seeds is not included."
EXAMPLES_ONLY: str = f"95 % CI over examples; {SEEDS_OUT}."
"""What every interval of one network a side is worth."""


KIND_WORDS = {
    "hard": "hard targets",
    "uniform": "label smoothing {}",
    "others": "label smoothing {} over the others",
    "prior": "label smoothing {} to a prior",
    "binary": "label smoothing {} of K sigmoids",
    "clip": "targets clipped by {}",
    "sampled": "sampled label smoothing {}",
    "distilled": "distilled targets",
    "unknown": "targets unknown",
}
"""How the kinds of targets are called; {} is alpha. Plain "label smoothing" is uniform over all classes."""

CAUSES = {
    "uniform": "label smoothing",
    "others": "label smoothing over the others",
    "prior": "label smoothing to a prior",
    "binary": "label smoothing of K sigmoids",
    "clip": "clipping of the targets",
    "sampled": "sampled label smoothing",
}
"""How soft targets are called where alpha stands behind them."""


def soft_words(targets: Sequence[Targets]) -> str:
    """How the soft targets among those of some runs are called; they are of one kind."""
    return CAUSES[next((t.kind for t in targets if t.smoothed), "uniform")]


def targets_words(targets: Targets) -> str:
    """How the targets of a run are called in a sentence."""
    alpha = targets.label_smoothing
    return KIND_WORDS[targets.kind].format("" if alpha is None else f"{alpha:g}")


def cause_words(noun: str, levels: Sequence[float], stated: bool = False) -> str:
    """What differs between two sides: "Label smoothing (α = 0.1)", "More label smoothing (α = 0.2, not 0.1)".

    Args:
        noun: one of CAUSES; levels: alpha of the two, rising; stated: it is as a user stated it.
    """
    said = f"α = {levels[-1]:g}" + (f", not {levels[0]:g}" if levels[0] else "")
    subject = f"more {noun}" if levels[0] else noun
    return f"{subject[0].upper()}{subject[1:]} ({said}{', as stated' if stated else ''})"


def than_words(levels: Sequence[float]) -> str:
    """What the first side is, after a comparative; "" where `cause_words` says it."""
    return "" if levels[0] else " than with hard targets"
