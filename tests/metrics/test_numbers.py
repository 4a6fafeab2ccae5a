"""Every number of the table against an independent reference, and for each an error that the test sees."""

from __future__ import annotations

import importlib

import pytest
from references import reference
from synthetic import make

from penviz.metrics.numbers import MEASURE, NUMBERS, TABLES, Number
from penviz.projection.split_statistics import SplitStatistics
from penviz.study import table as TABLE

RUN = {split: make(0, split=split, n=260, noise=1.1) for split in ("train", "validation")}
TRIPLE = (5, 0, 2)
ALPHA = 0.1


def check(key: str, bias: bool = True) -> None:
    summaries = {split: SplitStatistics.of(a) for split, a in RUN.items()}
    shown = TABLE.compare([summaries], TRIPLE, bias=bias, label_smoothings=[ALPHA])
    split, expected = reference(key, RUN, TRIPLE, bias, ALPHA)
    assert shown.row(key).values[0][split] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("key", [n.key for n in TABLES[MEASURE]])
def test_number_is_that_of_its_definition(key: str, bias: bool) -> None:
    check(key, bias)


@pytest.mark.parametrize("key", [n.key for n in TABLES[MEASURE]])
def test_reference_sees_an_error(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a millionth part, whatever it comes from."""
    derive = TABLE._run_values

    def off(splits: dict[str, dict[str, float | None]]) -> None:
        derive(splits)
        for own in splits.values():
            if own.get(key) is not None:
                own[key] += 1e-6 * max(abs(own[key]), 1.0)

    monkeypatch.setattr(TABLE, "_run_values", off)
    with pytest.raises(AssertionError):
        check(key)


def test_every_number_says_what_it_means() -> None:
    assert len({n.key for n in NUMBERS}) == len({n.label for n in NUMBERS}) == len(NUMBERS)
    assert all(n.meaning and "\n" not in n.meaning for n in NUMBERS)
    assert TABLES[MEASURE][0].key == "rho_d"
    assert {n for own in TABLES.values() for n in own} == set(NUMBERS)
    for module in {n.where for n in NUMBERS}:
        importlib.import_module(module)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: n.key)
def test_the_least_relevant_change_is_in_the_unit_of_the_change(number: Number) -> None:
    assert number.least == {"ece": 0.02}.get(
        number.key, 0.02 if number.relative else 0.005 if number.unit == "share" else 0.01
    )
