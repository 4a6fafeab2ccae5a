"""The caption of a figure says what is drawn, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from small_triples import triple_of

from penviz.figures.caption import caption
from penviz.figures.triple import Triple
from penviz.plot.screen import Marks


@pytest.fixture(scope="module")
def pair() -> Triple:
    return triple_of(per_class=20, seed=4)


FACTS = {
    "classes": "airplane (circles), automobile (squares) and bird (triangles)",
    "the plane": "the plane through the three classes' templates",
    "its source": "Müller, Kornblith & Hinton 2019",
    "bias": "the bias included",
    "hard run, targets and seed": "run_hard (hard targets, training seed 3)",
    "soft run, targets and seed": "run_soft (label smoothing 0.1, training seed 3)",
    "n of N": "train 20 drawn of 110 stored of 110 a class; validation 20 drawn of 110 stored of 110 a class",
    "seed of the sample": "drawn with seed 4",
    "evaluation mode": "networks in evaluation mode",
    "scale": "each run is divided by the mean distance between its three class means on train",
    "share of variance": "of the variance of the three classes in feature space",
    "shading": "hading: softmax restricted to the three classes",
    "lines": "dashed lines: where two of the three logits are equal",
    "means": "plus: class mean over all stored examples",
    "stars": "star: where label smoothing wants the class",
    "crosses": "cross: predicted as a fourth class",
    "rho/d": "ρ/d is the root mean square distance of examples to the mean of their class over",
    "its intervals": "in brackets the 95 % CI over the examples of each network; variation across training",
    "all triples": "Of all 120 triples ",
}


@pytest.mark.parametrize("fact", FACTS)
def test_the_caption_states(fact: str, pair: Triple) -> None:
    assert FACTS[fact] in caption([pair], Marks())


@pytest.mark.parametrize("fact", ["share of variance", "rho/d"])
def test_the_caption_has_the_numbers_of_every_panel(fact: str, pair: Triple) -> None:
    words = caption([pair], Marks())
    for panel, name in zip(
        pair.panels, ("hard, train", "hard, validation", "soft, train", "soft, validation"), strict=True
    ):
        number = f"{100 * panel.metrics['plane_share']:.0f} % ({name})"
        if fact == "rho/d":
            low, high = pair.table.row("rho_d").intervals["soft" in name][panel.split]  # type: ignore[misc]
            number = f"{panel.metrics['rho_d']:#.3g} [{low:#.3g}, {high:#.3g}] ({name})"
        assert number in words


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "bias": ("the bias left out", {"bias": False}),
    "scale own": ("each run on axes of its own", {"scale": "own"}),
    "scale same": ("all runs on the same axes", {"scale": "same"}),
    "n": ("train 7 drawn of 110", {"per_class": 7}),
    "classes": ("cat (circles), dog (squares) and ship (triangles)", {"classes": ("cat", "dog", "ship")}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_caption_follows_the_figure(change: str, pair: Triple) -> None:
    words, choices = CHANGES[change]
    assert words in caption([triple_of(**choices)], Marks())
    assert words not in caption([pair], Marks())


@pytest.mark.parametrize(
    ("mark", "word"),
    [
        ("shading", "hading: softmax"),
        ("boundaries", "dashed"),
        ("means", "lus: class mean"),
        ("optimum", "star:"),
        ("errors", "cross:"),
    ],
)
def test_the_caption_explains_only_what_is_drawn(mark: str, word: str, pair: Triple) -> None:
    assert word in caption([pair], Marks())
    assert word not in caption([pair], replace(Marks(), **{mark: False}))
    assert "diamond: template" in caption([pair], Marks(templates=True))


@pytest.mark.parametrize(("key", "words"), [("ece", "ECE is over all"), ("accuracy", "Accuracy is over all")])
def test_the_caption_says_what_a_number_in_the_corner_is_over(key: str, words: str, pair: Triple) -> None:
    assert words in caption([pair], Marks(), (key,))
    assert words not in caption([pair], Marks(), ("rho_d",))
