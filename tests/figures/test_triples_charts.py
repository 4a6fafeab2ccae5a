"""The figure of all triples of two runs: its numbers, its files and its refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_runs import make_run

from penviz import InputError
from penviz.figures import charts
from penviz.store.activations import Activations
from penviz.store.run_activations import load
from penviz.store.runs import Run, read_run

NAMES = ("airplane", "automobile", "bird", "cat", "deer")


@pytest.fixture
def pair(tmp_path: Path) -> list[Run]:
    made = [make_run(tmp_path, name, alpha, names=NAMES) for name, alpha in (("hard", 0.0), ("soft", 0.1))]
    return [read_run(directory) for directory in made]


def radius_over_distance(a: Activations, classes: tuple[int, int, int]) -> float:
    """The definition, on the plane through three templates with the bias as their last coordinate."""
    assert a.head is not None
    assert a.head.bias is not None
    templates = np.column_stack([a.head.weight, a.head.bias])[list(classes)].astype(float)
    plane, _ = np.linalg.qr((templates[1:] - templates[0]).T)
    points = np.column_stack([a.features, np.ones(len(a))]).astype(float) @ plane
    clouds = [points[a.labels == k] for k in classes]
    means = [cloud.mean(axis=0) for cloud in clouds]
    squares = [((cloud - mean) ** 2).sum(axis=1).mean() for cloud, mean in zip(clouds, means, strict=True)]
    distances = [np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    return float(np.sqrt(np.mean(squares)) / np.mean(distances))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_chosen_triple_has_the_numbers_of_its_panels(pair: list[Run], split: str) -> None:
    (chart,) = charts.build("triples", pair, {"split": split, "classes": ["bird", "cat", 0]})
    own = next(series for series in chart.series if series.name == "airplane, bird, cat")
    expected = [radius_over_distance(load(run, (split,))[split], (2, 3, 0)) for run in pair]
    assert np.allclose([own.x[0], own.y[0]], expected)
    assert own.labels == ("airplane, bird, cat",)
    assert len(next(series for series in chart.series if series.name == "all 10 triples").x) == 10
    assert (chart.x_label, chart.y_label) == ("ρ/d, hard", "ρ/d, soft")
    assert charts.files("triples", pair[0], {"split": split}) == (f"activations-{split}.npz",)


def test_which_triples_are_marked_is_an_option(pair: list[Run]) -> None:
    for how, words in (("most-alike", "most alike"), ("least-changed", "least changed")):
        (chart,) = charts.build("triples", pair, {"find": how})
        assert words in [series.name for series in chart.series]


def test_refusals_are_one_sentence(pair: list[Run], tmp_path: Path) -> None:
    two = [
        read_run(make_run(tmp_path, name, alpha, names=("cat", "dog")))
        for name, alpha in (("hard-2", 0.0), ("soft-2", 0.1))
    ]
    for runs, options, words in (
        (pair[:1], {}, "in two runs, not in 1"),
        (two, {}, "has 2 classes"),
        (pair, {"split": "test"}, "has no test activations"),
        (pair, {"split": "nowhere"}, "no split nowhere"),
        (pair, {"find": "nicest"}, "not nicest"),
        (pair, {"classes": [0, 1, 9]}, "no class 9"),
        ([pair[0], two[1]], {}, "has 2 classes"),
    ):
        with pytest.raises(InputError, match=words):
            charts.build("triples", runs, options)
