"""How many examples of how many, in words: of all panels alike, or of each."""

from __future__ import annotations

from small_runs import CLASSES, small_activations

from penviz.plot.words import counts_words
from penviz.projection.build_panel import build_panel
from penviz.projection.panel import Panel
from penviz.projection.panel_options import PanelOptions


def panel(run: str, per_class: int, classes: tuple[int, int, int] = (0, 1, 2)) -> Panel:
    return build_panel(small_activations(run, per_class=per_class), classes, PanelOptions(20))


def test_panels_that_differ_say_whose_the_numbers_are() -> None:
    many, few = panel("many", 50), panel("few", 12)
    every = many.n_total[0]
    assert counts_words([many, many]) == f"train 20 drawn of 50 stored of {every} a class"
    said = counts_words([many, few])
    assert said.startswith(f"train (many) 20 drawn of 50 stored of {every} a class, (few) 12 drawn of 12")
    said = counts_words([many, panel("many", 12, (3, 1, 2))])
    assert f"({CLASSES[3]}, {CLASSES[1]} and {CLASSES[2]}) 12 drawn" in said


def test_classes_of_unequal_size_are_said_one_by_one() -> None:
    a = small_activations()
    a = a.take((a.labels != 1) | (a.indices < 100))
    own = [int((a.labels == k).sum()) for k in range(3)]
    assert own[1] < own[0]
    said = counts_words([build_panel(a, (0, 1, 2), PanelOptions(1000))])
    assert f"{own[0]} + {own[1]} + {own[2]} drawn" in said
