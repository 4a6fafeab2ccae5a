"""Networks without a linear head: class means as templates, against plain loops over all means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import make

from penviz.metrics.class_means import class_means, with_class_means
from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_grid, build_panel
from penviz.projection.panel_options import PanelOptions
from penviz.projection.plane import boundary_sides
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError
from penviz.study.table import compare

CLASSES = ("class 0", "class 4", "class 2")


def splits(n: int = 900, shift: float = 0.0, which: tuple[str, ...] = ("train", "validation")):
    made = {s: make(0, split=s, n=n) for s in which}
    return {s: replace(a, head=None, features=a.features + np.float32(shift)) for s, a in made.items()}


def means_by_loop(a: Activations) -> np.ndarray:
    return np.array(
        [np.mean([x.astype(float) for x, y in zip(a.features, a.labels, strict=True) if y == k], axis=0)
         for k in range(len(a.class_names))]
    )  # fmt: skip


@pytest.mark.parametrize("shift", [0.0, 300.0])
def test_the_stand_in_is_the_nearest_class_mean(shift: float) -> None:
    runs = splits(shift=shift)
    head = class_means(runs["train"]).head
    mean = means_by_loop(runs["train"])
    for a in runs.values():
        nearest = [int(np.argmin([np.linalg.norm(x - m) for m in mean])) for x in a.features]
        margin = np.sort(head.logits(a.features), axis=1)
        clear = margin[:, -1] - margin[:, -2] > 2e-3
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(head.logits(a.features).argmax(axis=1)[clear], np.array(nearest)[clear])


def test_boundaries_part_the_nearest_of_three_means() -> None:
    runs = with_class_means(splits())
    mean = means_by_loop(runs["train"])[[0, 4, 2]]
    for row in build_grid([runs], CLASSES, PanelOptions(10_000)):
        for p in row:
            x = runs[p.split].features[p.rows].astype(float)
            far = np.array([[np.linalg.norm(v - m) for m in mean] for v in x])
            sides = boundary_sides(p.boundaries, p.xy)
            for number, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
                nearer = np.where(far[:, i] < far[:, j], i, j)
                clear = np.abs(far[:, i] - far[:, j]) > 1e-3
                np.testing.assert_array_equal(sides[clear, number], nearer[clear])


def test_a_panel_says_what_it_stands_on_and_shows_nothing_that_needs_logits() -> None:
    runs = with_class_means(splits())
    train, validation = build_grid([runs], CLASSES, targets=[Targets.of(0.1)])[0]
    for p in (train, validation):
        assert (p.class_means, p.bias, p.shading, p.ideal_xy) == ("train", False, None, None)
        assert np.isnan(p.confidences).all()
        np.testing.assert_allclose(p.templates_xy, train.means_xy, atol=1e-5)
    assert not np.allclose(validation.means_xy, validation.templates_xy, atol=1e-3)
    np.testing.assert_array_equal(train.xy, build_grid([runs], CLASSES, PanelOptions(bias=False))[0][0].xy)


def test_one_split_alone_gives_its_own_means() -> None:
    runs = with_class_means(splits(which=("validation",)))
    (p,) = build_grid([runs], CLASSES)[0]
    assert (p.class_means, p.unit_split) == ("validation", "validation")
    np.testing.assert_allclose(p.templates_xy, p.means_xy, atol=1e-5)


def test_numbers_of_logits_are_absent_and_the_others_are_there() -> None:
    runs = {s: SplitStatistics.of(a) for s, a in with_class_means(splits()).items()}
    table = compare([runs], CLASSES, label_smoothings=[0.1])
    gone = {"ece", "gap", "gap_ratio", "spread", "confidence", "nll", "top5"} | {
        f"towards_centre_{k}" for k in range(3)
    }
    for row in table.rows:
        values = [row.values[0].get(s) for s in ("train", "validation")]
        if row.number.key in gone:
            assert values == [None, None], row.number.key
            assert row.pending == (False,)
        elif row.number.key not in ("radius_ratio", "accuracy_gap"):
            assert None not in values, row.number.key
    assert table.class_means == (True,)


def test_tightness_of_all_triples_equals_the_projections() -> None:
    a = with_class_means(splits())["validation"]
    s = SplitStatistics.of(a)
    for triple, value in zip(s.triples.triples, s.rho_d[True], strict=True):
        assert value == pytest.approx(
            float(Projection.of(a, [int(k) for k in triple]).clusters.rho_d()), rel=1e-6
        )


def test_a_class_without_a_mean_is_refused() -> None:
    runs = splits()
    runs["train"] = runs["train"].take(runs["train"].labels != 4)
    made = with_class_means(runs)
    with pytest.raises(ActivationsError, match=r"No train examples of class 4 .* no class mean"):
        build_panel(made["validation"], CLASSES)
    assert not (SplitStatistics.of(made["validation"]).triples.triples == 4).any()
    assert build_panel(made["validation"], ("class 0", "class 1", "class 2")).class_means == "train"


def test_a_head_is_left_alone_and_none_is_stored() -> None:
    own = make(0)
    assert with_class_means({"train": own})["train"] is own
    with pytest.raises(ActivationsError, match="no linear head"):
        with_class_means(splits())["train"].logits()
