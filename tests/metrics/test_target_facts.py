"""The page's numbers by hand, and the bars of the chart."""

from __future__ import annotations

import numpy as np
import pytest

from penviz.metrics.target_vectors import Targets, target_vectors
from penviz.store.run_config import TARGETS
from penviz.study.target_facts import SHOWN, WHERE, TargetFacts, comparison, number, target_chart


def test_ten_classes_at_a_tenth_in_numbers() -> None:
    """The confusion that the page is for."""
    facts = {f.targets.kind: f for f in comparison(0.1, 10)}
    assert list(facts) == ["uniform", "others", "binary", "clip", "sampled", "pair"]
    said = {kind: (number(f.true), f.others, number(f.total), number(f.gap)) for kind, f in facts.items()}
    assert said["uniform"] == ("0.91", "0.01", "1", "4.511")
    assert said["others"] == ("0.9", "0.0111", "1", "4.394")
    assert said["binary"] == ("0.95", "0.05", "1.4", "5.889")
    assert said["clip"] == said["others"]
    assert said["sampled"] == said["uniform"]
    assert said["pair"] == ("0.9", "0.1", "1.8", "2.197")
    assert facts["others"].same_as == "uniform over all classes with alpha 0.1111"
    assert facts["uniform"].least == pytest.approx(0.5003, abs=5e-5)
    assert facts["pair"].command == ""
    assert "sum to 1.8 and not to 1" in facts["pair"].detail
    assert "--targets others --label-smoothing 0.1" in facts["others"].command
    assert "--targets" not in facts["uniform"].command


def test_a_share_for_the_others_is_not_torchs_alpha() -> None:
    """The true class 0.2, the rest shares 0.8: torch's 0.8 gives 0.28, and 0.889 is what was meant."""
    meant = TargetFacts.of(Targets("others", 0.8), 10)
    assert number(meant.true) == "0.2"
    assert meant.equal["uniform"] == pytest.approx(0.8889, abs=5e-5)
    assert number(TargetFacts.of(Targets("uniform", 0.8), 10).true) == "0.28"
    assert meant.refusal == ""


def test_headlines() -> None:
    def said(kind: str, k: int = 10, prior: tuple[float, ...] = ()) -> str:
        return TargetFacts.of(Targets(kind, 0.0 if kind == "hard" else 0.1, prior), k).headline

    assert said("uniform") == (
        "Label smoothing 0.1 of 10 classes: the true class has 0.91, every other class has 0.01"
    )
    assert said("uniform", 2).endswith("the true class has 0.95, the other class has 0.05")
    assert said("binary").startswith("Label smoothing 0.1 of 10 sigmoids: the true class has 0.95")
    assert said("pair").startswith("The pair (0.1, 0.9) of 10 classes: ")
    assert said("prior", 3, (0.5, 0.3, 0.2)).endswith("the true class has 0.95, the others have 0.02 to 0.03")
    assert said("hard") == "Hard targets of 10 classes: the true class has 1, every other class has 0"
    assert number(TargetFacts.of(Targets("hard", 0.0), 10).gap) == "infinite"


@pytest.mark.parametrize("kind", SHOWN)
def test_bars_are_the_vector(kind: str) -> None:
    prior = (0.4, 0.3, 0.2, 0.1) if kind == "prior" else ()
    targets = Targets(kind, 0.0 if kind == "hard" else 0.2, prior)
    chart = target_chart(targets, 4, 2)
    assert np.array_equal(chart.series[0].y, [0, 0, 1, 0])
    assert np.array_equal(chart.series[-1].y, target_vectors(targets, 4)[2])
    assert len(chart.series) == (1 if kind == "hard" else 2)
    assert chart.x_limits is not None
    assert chart.x_limits[0] < 0 < 3 < chart.x_limits[1]
    assert kind in WHERE


def test_a_thousand_bars_have_few_ticks() -> None:
    chart = target_chart(Targets("uniform", 0.1), 1000)
    assert len(chart.series[1].x) == 1000
    assert len(chart.x_ticks) <= 12


def test_every_kind_that_is_trained_on_is_shown() -> None:
    assert set(TARGETS) - {"distilled", "unknown"} == set(SHOWN) - {"pair"}
