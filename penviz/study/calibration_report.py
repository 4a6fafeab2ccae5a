"""What `penviz calibrate` shows: a line a number as text, or the same for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penviz.metrics.calibration.calibrated import PLAIN, SCALED, Calibrated
from penviz.metrics.calibration.temperature import GRID, at_edge
from penviz.metrics.class_sample import sample_words
from penviz.metrics.intervals.bootstrap import Change
from penviz.metrics.numbers import BY_KEY, CALIBRATION, TABLES
from penviz.metrics.wording import series, three, three_signed
from penviz.study.calibration_comparison import CalibrationComparison
from penviz.text_table import text_table


def _with_bounds(value: str, low: float | None, high: float | None) -> str:
    return value if low is None or high is None else f"{value} [{three(low)}, {three(high)}]"


def least_temperature(c: Calibrated) -> str:
    """T of minimum ECE, and that it ends at the edge of its search where it does."""
    tail = f" (edge of the search, {GRID[0]:g} to {GRID[-1]:g})" if at_edge(c.ece_temperature) else ""
    return three(c.ece_temperature) + tail


def number_lines(found: Sequence[Calibrated]) -> list[tuple[str, str, str]]:
    """Label, key and place of every number that a run has."""
    lines = []
    for number in TABLES[CALIBRATION]:
        held = [at for at in (PLAIN, SCALED) if any((number.key, at) in c.numbers for c in found)]
        ends = {PLAIN: " at T = 1", SCALED: " at fitted T"} if len(held) == 2 else dict.fromkeys(held, "")
        unit = f" ({number.unit})" if number.unit not in ("", "share") else ""
        label = number.label + unit
        lines += [(label + ends[at] + over_classes(found, number.key), number.key, at) for at in held]
    return lines


def over_classes(found: Sequence[Calibrated], key: str) -> str:
    """Over which classes a classwise error is, where not all are compared; "" otherwise."""
    words = sample_words(max(c.n_classes for c in found)) if key.startswith("classwise") else ""
    return f", {words}" if words else ""


def change_of(found: Sequence[Calibrated], key: str, at: str) -> Change | None:
    """From the first of two runs to the second."""
    estimate = found[0].difference_to(found[1], key, at) if len(found) == 2 else None
    return None if estimate is None else estimate.change(relative=False)


def withheld(found: Sequence[Calibrated]) -> list[str]:
    """A sentence for every reason why some numbers, or their difference, have no interval."""
    reasons: dict[str, list[str]] = {c.temperature.why: ["fitted T"] for c in found if c.temperature.why}
    for label, key, at in number_lines(found):
        change = change_of(found, key, at)
        for why in dict.fromkeys([*(c.why(key, at) for c in found), change.why if change else ""]):
            if why:
                reasons.setdefault(why, []).append(label)
    return [f"No interval is given for {series(labels)}: {why}." for why, labels in reasons.items()]


def text(calibration: CalibrationComparison) -> str:
    """The finding and notes, then a line a number: a column a run, and the difference between two."""
    found, names, finding = calibration.calibrated, calibration.names, calibration.finding
    lines = [["", *names, *(["second minus first [95 %]"] if len(found) == 2 else [])]]
    fitted = [c.temperature for c in found]
    rows = [
        ["fitted T", *(_with_bounds(three(t.value), t.low, t.high) for t in fitted)],
        ["T of minimum ECE", *(least_temperature(c) for c in found)],
        ["p of the norm", *(str(c.norm) for c in found)],
    ]
    lines += [row + [""] * (len(lines[0]) - len(row)) for row in rows]
    for label, key, at in number_lines(found):
        row = [label]
        for c in found:
            row.append(_with_bounds(three(c.value(key, at)), *(c.bounds(key, at) or (None, None))))
        if len(found) == 2:
            change = change_of(found, key, at)
            if change is None:
                row.append("–")
            else:
                row.append(_with_bounds(three_signed(change.value), change.low, change.high))
        lines.append(row)
    without = withheld(found)
    above = [f"{finding.headline}.", finding.detail, *calibration.notes, ""]
    return "\n".join([*above, *text_table(lines), *(["", *without] if without else [])])


def record(calibration: CalibrationComparison) -> dict[str, Any]:
    """The same as a dictionary for JSON; a number that does not exist is null."""
    found, names = calibration.calibrated, calibration.names
    numbers: dict[str, Any] = {}
    for _, key, at in number_lines(found):
        number = BY_KEY[key]
        meaning = number.meaning + over_classes(found, key)
        entry = numbers.setdefault(key, {"label": number.label, "meaning": meaning, "unit": number.unit})
        change = change_of(found, key, at)
        entry[at] = {
            "values": {n: c.value(key, at) for n, c in zip(names, found, strict=True)},
            "intervals": {n: c.bounds(key, at) for n, c in zip(names, found, strict=True)},
            "why_no_interval": {n: c.why(key, at) for n, c in zip(names, found, strict=True)},
            "difference": None if change is None else vars(change),
        }
    fits = {}
    for name, c in zip(names, found, strict=True):
        t = c.temperature
        fits[name] = {
            "temperature": t.value if t.finite else None,
            "temperature_interval": None if t.low is None else [t.low, t.high],
            "temperature_of_least_ece": c.ece_temperature,
            "temperature_of_least_ece_at_edge": at_edge(c.ece_temperature),
            "norm": c.norm,
            "n_fit": c.n_fit,
            "n": c.n,
        }
    return {
        "finding": vars(calibration.finding),
        "notes": list(calibration.notes),
        "split": calibration.split,
        "seed": calibration.seed,
        "fits": fits,
        "numbers": numbers,
    }
