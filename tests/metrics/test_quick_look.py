"""Activations of some classes only: what can be said, and what needs the full pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import make

from penviz.metrics.numbers import ALL, MEASURE, TABLES
from penviz.projection.split_statistics import SplitStatistics
from penviz.study.table import compare, value_text


def test_a_quick_look_says_nothing_over_all_classes() -> None:
    """Every number that a full pass changes is pending, and every number of the triple is not."""
    full = {s: make(0, split=s, n=900) for s in ("train", "validation")}
    some = {s: replace(a.take(np.isin(a.labels, (0, 2, 4))), partial=True) for s, a in full.items()}
    tables = [
        compare([{s: SplitStatistics.of(a) for s, a in run.items()}], (0, 4, 2), label_smoothings=[0.1])
        for run in (full, some)
    ]
    pending = set()
    for whole, part in zip(*(t.rows for t in tables), strict=True):
        assert whole.pending == (False,)
        if part.pending == (True,):
            pending.add(part.number.key)
            assert set(part.values[0].values()) == {None}
            assert any(value is not None for value in whole.values[0].values())
            assert value_text(part, 0, "validation") == "needs the full pass"
        else:
            for split, value in whole.values[0].items():
                assert part.values[0][split] == (None if value is None else pytest.approx(value)), part.number
    assert pending == {n.key for n in TABLES[MEASURE] if n.scope == ALL}
    assert value_text(tables[1].row("accuracy_gap"), 0, "train") == "–"
    assert tables[1].row("nc1").note == ""
