"""Numbers of a run that no other test of the reproduction comes to."""

from __future__ import annotations

import pytest
from small_runs import small_activations

from penviz.metrics.tightness.arc import Arc
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics
from reproduction.measurement import arc_of


def test_the_distant_class_is_the_last_that_is_named() -> None:
    a = small_activations("hard", "train", 0.0)
    names = [a.class_names[k] for k in (4, 1, 2)]
    first, second, last = Projection.of(a, names).points
    found, expected = arc_of(SplitStatistics.of(a), names), Arc.of([second, first], last)
    assert found["arc_classes"] == ", ".join(names)
    assert found["arc_isotropy"] == pytest.approx(expected.isotropy)
    assert found["arc_continuum"] == pytest.approx(expected.continuum)
    assert expected.isotropy != pytest.approx(Arc.of([first, last], second).isotropy)
    assert arc_of(SplitStatistics.of(a), None) == {}
