"""The numbers of the page "Calibration" as light HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from penviz.app.style import SCROLLER
from penviz.metrics.calibration.calibrated import SCALED, Calibrated
from penviz.metrics.numbers import BY_KEY, CALIBRATION, TABLES
from penviz.metrics.wording import SEEDS_OUT, three, three_signed
from penviz.study.calibration_report import change_of, least_temperature, number_lines, withheld

MEANINGS = {
    "temperature": "divides the logits; T of lowest NLL on the fitting half; above 1: over-confident",
    "ece_temperature": "T of lowest ECE on the fitting half",
    "norm": "p of lowest AURC on the fitting half",
}

MAIN = ("ece", "ece_floor", "nll", "brier", "accuracy", "aurc_softmax")
"""Numbers that stand under the diagrams, with the fitted T above them; all of them unfold below."""
ALL = tuple(number.key for number in TABLES[CALIBRATION])


def calibration_table(found: Sequence[Calibrated], titles: Sequence[str], keys: Sequence[str] = MAIN) -> str:
    """A number a row, a run a column, and the difference where there are two; what each means in one line.

    Args:
        found: the calibration of each run; titles: what each is called; keys: which numbers.
    """
    columns = [*titles, *(["difference [95 %]"] if len(found) == 2 else [])]
    fitted = [_cell(three(t.value), (t.low, t.high)) for t in (c.temperature for c in found)]
    body = [_row("fitted T", MEANINGS["temperature"], fitted, found)]
    if "ece_lowest" in keys:
        least = [least_temperature(c) for c in found]
        body.append(_row("T of minimum ECE", MEANINGS["ece_temperature"], least, found))
    if "aurc_norm" in keys:
        body.append(_row("p of the norm", MEANINGS["norm"], [str(c.norm) for c in found], found))
    said: set[str] = set()
    for label, key, at in number_lines(found):
        if key not in keys:
            continue
        cells = [_cell(three(c.value(key, at)), c.bounds(key, at) or (None, None)) for c in found]
        if len(found) == 2:
            change = change_of(found, key, at)
            if change is None:
                cells.append("–")
            else:
                cells.append(_cell(three_signed(change.value), (change.low, change.high)))
        meaning = "after division by fitted T" if key in said and at == SCALED else BY_KEY[key].meaning
        said.add(key)
        body.append(_row(label, meaning, cells, found))
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    table = f"<thead><tr><th>metric</th>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    note = f"Brackets: 95 % CI over the reported examples; {SEEDS_OUT}."
    if keys == ALL:
        note = " ".join([note, *withheld(found)])
    scrolled = f'{SCROLLER}<table class="pz-table">{table}</table></div>'
    return f'{scrolled}<p class="pz-note">{escape(note)}</p>'


def _cell(value: str, bounds: tuple[float | None, float | None]) -> str:
    """A number with its interval, minus signs for hyphens."""
    low, high = bounds
    span = "" if low is None or high is None else f"<small>[{three(low)}, {three(high)}]</small>"
    return f"{value}{span}".replace("-", "−")


def _row(label: str, meaning: str, cells: Sequence[str], found: Sequence[Calibrated]) -> str:
    empty = ["<td></td>"] * (len(found) == 2 and len(cells) == 2)
    own = "".join([*(f"<td>{cell}</td>" for cell in cells), *empty])
    return f"<tr><td>{escape(label)}<small>{escape(meaning)}</small></td>{own}</tr>"
