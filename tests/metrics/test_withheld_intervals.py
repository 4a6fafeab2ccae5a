"""Which intervals of a table are withheld is said once for every reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from synthetic import make

from penviz.metrics.target_vectors import Targets
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.study.finding import Compared
from penviz.study.table import compare
from penviz.study.tightness_finding import plane_finding
from penviz.study.withheld_intervals import withheld_intervals

CLASSES = (0, 4, 2)


def far(a: Activations, rows: int) -> Activations:
    """The same network with some examples far away."""
    features = a.features.copy()
    features[:rows] *= 60
    return replace(a, features=features)


def test_a_number_that_few_examples_carry_has_a_sentence_and_no_interval() -> None:
    plain, other = make(n=1200), make(n=1200, noise=0.7)
    some = np.flatnonzero(np.isin(other.labels, CLASSES))[:4]
    order = np.r_[some, np.setdiff1d(np.arange(1200), some)]
    runs = [
        {"train": SplitStatistics.of(plain.take(order))},
        {"train": SplitStatistics.of(far(other.take(order), 4))},
    ]
    table = compare(runs, CLASSES, label_smoothings=[0, 0.1])
    change = table.row("rho_d").changes["train"]
    assert change.low is None
    assert change.why.startswith("the farthest 1 % of the examples make up 9")
    assert table.row("distance").changes["train"].low is not None
    (sentence,) = [s for s in withheld_intervals(table) if "farthest" in s]
    assert sentence.startswith("No interval for the change of radius / distance, ")
    assert sentence.endswith("% of the scatter.")
    compared = Compared(["a", "b"], [Targets.of(0.0), Targets.of(0.1)], [0, 0])
    found = plane_finding(compared, table, runs)
    assert found.headline == f"No conclusion, as no interval over examples would be valid: {change.why}"


def test_few_examples_are_said_for_one_run() -> None:
    table = compare([{"train": SplitStatistics.of(make(n=140))}], CLASSES)
    (sentence,) = withheld_intervals(table)
    assert sentence == "No interval for radius / distance: it takes at least 300 examples."
    assert table.row("rho_d").intervals[0]["train"] is None
    enough = compare([{"train": SplitStatistics.of(make(n=1200))}], CLASSES)
    assert withheld_intervals(enough) == []
    assert enough.row("rho_d").intervals[0]["train"] is not None
