"""What a change with its interval allows to say: lower, higher, no clear difference, or nothing."""

from __future__ import annotations

import math
from typing import Literal

from penviz.metrics.intervals.bootstrap import Change

Verdict = Literal["lower", "higher", "unclear", "none"]
"""Lower, higher, no clear difference, or no interval to judge by."""

WIDEST = 4.0
"""Factor between the ends of a relative change's interval from which on it says nothing: half to double."""


def readable(change: Change | None) -> bool:
    """Whether a change has an interval that a reader can use."""
    if change is None or change.low is None or change.high is None:
        return False
    if not all(math.isfinite(v) for v in (change.value, change.low, change.high)):
        return False
    return not change.relative or (change.low > -1 and (1 + change.high) / (1 + change.low) < WIDEST)


def relevant(change: Change, least: float) -> bool:
    """Whether a change is as large as the least relevant one.

    Args:
        change: of a number; least: for a relative change the looser side over the tighter minus 1, so that a
            pair of runs counts alike in both orders; else the difference.
    """
    if not change.relative:
        return abs(change.value) >= least
    return change.value > -1 and abs(math.log1p(change.value)) >= math.log1p(least)


def judge(change: Change | None, least: float) -> Verdict:
    """Lower or higher where the interval excludes no change and the change is relevant (`relevant`)."""
    if change is None or not readable(change):
        return "none"
    if not (change.clear and relevant(change, least)):
        return "unclear"
    return "lower" if change.value < 0 else "higher"
