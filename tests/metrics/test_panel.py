from __future__ import annotations

import numpy as np
import pytest
from synthetic import make

from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_grid, build_panel
from penviz.projection.density import depth
from penviz.projection.frame import SCALES, Frame
from penviz.projection.panel import CORRECT, INSIDE, OUTSIDE
from penviz.projection.panel_options import PanelOptions
from penviz.projection.plane import DegeneratePlane, Plane
from penviz.projection.projection import Projection, class_indices
from penviz.projection.sample import draw, sample_keys
from penviz.projection.split_statistics import KEPT, SplitStatistics
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError, Head

CLASSES = ("class 0", "class 4", "class 2")


def two_runs(n: int = 1500) -> list[dict[str, Activations]]:
    return [
        {s: make(0, split=s, n=n, noise=noise, run=name) for s in ("validation", "train")}
        for name, noise in (("hard", 1.0), ("soft", 0.5))
    ]


def grid(scale: str = "distance", **more):
    options = PanelOptions(scale=scale, **more)
    return build_grid(two_runs(), CLASSES, options, targets=[Targets.of(0), Targets.of(0.1)])


def test_points_are_the_projection_of_the_rows_they_name() -> None:
    a = make(0, n=900)
    p = build_panel(a, CLASSES, PanelOptions(50), targets=Targets.of(0.1))
    plane = Plane.of_head(a.head, (0, 4, 2))
    np.testing.assert_allclose(p.xy * p.unit, plane.project(a.features[p.rows]), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(a.labels[p.rows], np.array(p.class_indices)[p.labels])
    np.testing.assert_array_equal(a.indices[p.rows], p.indices)
    np.testing.assert_array_equal(a.predictions[p.rows], p.predictions)
    for guess, label, kind in zip(p.predictions, a.labels[p.rows], p.kinds, strict=True):
        assert kind == (CORRECT if guess == label else INSIDE if guess in (0, 4, 2) else OUTSIDE)
    probs = np.exp(a.logits()[p.rows])
    np.testing.assert_allclose(p.confidences, (probs / probs.sum(1, keepdims=True)).max(1), rtol=1e-5)
    assert p.classes == CLASSES
    assert p.n_shown == (50, 50, 50)
    assert p.n_stored == tuple(int((a.labels == k).sum()) for k in (0, 4, 2))
    np.testing.assert_allclose(
        p.means_xy[1] * p.unit, plane.project(a.features[a.labels == 4]).mean(axis=0), rtol=1e-9
    )
    assert p.templates_xy[0, 0] < p.templates_xy[1, 0]
    assert p.metrics["rho_d"] == pytest.approx(float(Projection.of(a, CLASSES).clusters.rho_d()))


def test_numbers_do_not_depend_on_how_many_are_drawn() -> None:
    a = make(0, n=900)
    few, many = (build_panel(a, CLASSES, PanelOptions(k, seed=k)) for k in (5, 100))
    assert few.metrics == many.metrics
    assert few.limits == many.limits


def test_shading_is_the_restricted_softmax_at_cell_centres() -> None:
    a = make(0)
    p = build_panel(a, CLASSES)
    x0, x1, y0, y1 = p.limits
    side = p.shading.shape[0]
    assert p.shading.dtype == np.float32
    plane = Plane.of_head(a.head, (0, 4, 2))
    for row, column in ((0, 0), (3, 80), (95, 40)):
        x = x0 + (column + 0.5) * (x1 - x0) / side
        y = y0 + (row + 0.5) * (y1 - y0) / side
        expected = plane.restricted_probs(np.array([x, y]) * p.unit)
        np.testing.assert_allclose(p.shading[row, column], expected, rtol=1e-5)


def test_errors_can_be_left_out() -> None:
    a = make(0, n=900)
    right = a.take(a.labels == a.predictions)
    got, expected = Projection.of(a, CLASSES, errors=False), Projection.of(right, CLASSES)
    assert got.clusters.rho_d() == expected.clusters.rho_d()
    assert got.share == expected.share
    assert got.clusters.rho_d() != Projection.of(a, CLASSES).clusters.rho_d()


def test_ideal_points_only_for_smoothing() -> None:
    a = make(0)
    assert build_panel(a, CLASSES).ideal_xy is None
    assert build_panel(a, CLASSES, targets=Targets.of(0)).ideal_xy is None
    p = build_panel(a, CLASSES, targets=Targets.of(0.1))
    z = Plane.of_head(a.head, (0, 4, 2)).logit_differences(p.ideal_xy * p.unit)
    gap = np.log((0.9 + 0.1 / 7) / (0.1 / 7))
    np.testing.assert_allclose(z, [[-gap, -gap], [gap, 0], [0, gap]], atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_limits_are_square_and_hold_nearly_all(scale: str) -> None:
    for row in grid(scale, per_class=10_000):
        assert row[0].limits == row[1].limits
        x0, x1, y0, y1 = row[0].limits
        assert x1 - x0 == pytest.approx(y1 - y0)
        for p in row:
            outside = sum(not (x0 <= x <= x1 and y0 <= y <= y1) for x, y in p.xy)
            assert p.n_outside == outside <= 0.005 * len(p.xy)
            for x, y in [*p.means_xy, *([] if p.ideal_xy is None else p.ideal_xy)]:
                assert x0 <= x <= x1
                assert y0 <= y <= y1


def test_a_far_example_does_not_shrink_the_rest() -> None:
    a = make(0, n=3000)
    features = a.features.copy()
    far = np.flatnonzero(a.labels == 0)[0]
    features[far] = 1000 * (a.head.weight[0] - a.head.weight[4])
    moved = Activations(features, a.labels, a.predictions, a.indices, a.class_names, "r", "train", a.head)
    p = build_panel(moved, CLASSES, PanelOptions(10_000, scale="own"))
    assert p.n_outside >= 1
    assert p.limits[1] - p.limits[0] < 100 < np.abs(p.xy).max()


def test_scale_switch() -> None:
    hard, soft = (row[0] for row in grid("distance"))
    length = [p.limits[1] - p.limits[0] for p in (hard, soft)]
    assert length[0] == pytest.approx(length[1])
    for p in (hard, soft):
        sides = [np.linalg.norm(p.means_xy[i] - p.means_xy[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert p.unit == p.metrics["distance"]
        assert np.mean(sides) == pytest.approx(1) or p.split != "train"
    hard, soft = (row[0] for row in grid("own"))
    assert hard.unit == soft.unit == 1
    assert hard.limits != soft.limits
    panels = [p for row in grid("same") for p in row]
    assert len({p.limits for p in panels}) == 1
    with pytest.raises(ValueError, match="scale"):
        grid("big")


def test_grid_has_a_row_a_run_and_its_splits_in_order() -> None:
    rows = grid()
    assert [[(p.run, p.split) for p in row] for row in rows] == [
        [("hard", "train"), ("hard", "validation")],
        [("soft", "train"), ("soft", "validation")],
    ]
    assert rows[0][0].title == "hard targets, train"
    assert rows[1][1].title == "label smoothing 0.1, validation"
    runs = two_runs()
    del runs[0]["train"]
    rows = build_grid(runs, CLASSES)
    assert [len(r) for r in rows] == [1, 2]
    assert rows[0][0].unit == rows[0][0].metrics["distance"]
    assert len(build_grid(runs[1:] * 3, CLASSES)) == 3


def test_summaries_change_nothing() -> None:
    runs = two_runs()
    digests = [{s: SplitStatistics.of(a) for s, a in run.items()} for run in runs]
    for plain, quick in zip(
        build_grid(runs, CLASSES), build_grid(runs, CLASSES, summaries=digests), strict=True
    ):
        for p, q in zip(plain, quick, strict=True):
            np.testing.assert_array_equal(p.xy, q.xy)
            assert p.metrics == pytest.approx(q.metrics)


def test_runs_draw_the_same_examples_whatever_their_row_order() -> None:
    a, b = make(0, n=900), make(0, n=900, noise=0.5)
    b = b.take(np.random.default_rng(0).permutation(900))
    p, q = (build_panel(x, CLASSES, PanelOptions(30, seed=7)) for x in (a, b))
    np.testing.assert_array_equal(p.indices, q.indices)
    assert p.limits != q.limits
    other = build_panel(a, CLASSES, PanelOptions(30, seed=8))
    assert set(other.indices) != set(p.indices)
    swapped = build_panel(a, ("class 5", "class 0", "class 6"), PanelOptions(30, seed=7))
    assert set(swapped.indices[swapped.labels == 1]) == set(p.indices[p.labels == 0])


def test_more_examples_hold_the_fewer() -> None:
    indices = np.random.default_rng(0).permutation(10_000)[:900]
    few, many = draw(indices, 40, 3), draw(indices, 200, 3)
    np.testing.assert_array_equal(many[:40], few)
    assert len(draw(indices, 10_000, 3)) == 900
    assert len(draw(indices, 0, 3)) == 0


def test_keys_are_spread_evenly() -> None:
    keys = sample_keys(np.arange(64_000), 5)
    assert len(np.unique(keys)) == 64_000
    counts = np.bincount((keys >> np.uint64(58)).astype(int), minlength=64)
    assert abs(counts - 1000).max() < 150
    chosen = draw(np.arange(10_000), 1000, 0)
    assert abs(chosen.mean() - 5000) < 300
    assert len(set(chosen) & set(draw(np.arange(10_000), 1000, 1))) < 160


def test_classes_are_named_or_numbered() -> None:
    a = make(0)
    assert build_panel(a, (0, 4, 2)).classes == CLASSES
    assert class_indices(("b", np.int64(0), "c"), ("a", "b", "c")) == (1, 0, 2)
    for classes, words in (
        (("class 0", "class 4", "cat"), "no class cat"),
        ((0, 4, 9), "no class 9"),
        ((0, -1, 2), "no class -1"),
        ((0, 4, 0), "twice"),
        ((0, 4), "three"),
        ("abc", "three"),
    ):
        with pytest.raises(ActivationsError, match=words):
            build_panel(a, classes)
    with pytest.raises(ActivationsError, match="Several"):
        class_indices(("crane", 0, 1), ("a", "b", "crane", "crane"))


def test_what_cannot_be_drawn_is_refused_in_one_sentence() -> None:
    a = make(0)
    parts = (a.features, a.labels, a.predictions, a.indices, a.class_names, "run", "train")
    with pytest.raises(ActivationsError, match="no linear head"):
        build_panel(Activations(*parts), CLASSES)
    with pytest.raises(DegeneratePlane):
        build_panel(Activations(*parts, Head(np.zeros((7, 5)))), CLASSES)
    with pytest.raises(ActivationsError, match="No train examples of class 4"):
        build_panel(a.take(a.labels != 4), CLASSES)
    other = make(0, n_classes=8)
    with pytest.raises(ActivationsError, match="different lists"):
        build_grid([{"train": a}, {"train": other}], CLASSES)
    with pytest.raises(ActivationsError, match="no activations"):
        build_grid([{}], CLASSES)
    with pytest.raises(ActivationsError, match="as many"):
        build_grid([{"train": a}], CLASSES, targets=[Targets.of(0), Targets.of(0.1)])
    assert build_grid([], CLASSES) == []


def test_features_all_alike_are_drawn_without_a_warning() -> None:
    a = make(0)
    same = Activations(
        np.ones_like(a.features), a.labels, a.predictions, a.indices, a.class_names, "r", "train", a.head
    )
    p = build_panel(same, CLASSES)
    assert p.limits[1] > p.limits[0]
    assert np.isnan(p.metrics["rho_d"])


def test_a_given_frame_is_kept() -> None:
    p = build_panel(make(0), CLASSES, frame=Frame(2.0, (-1.0, 1.0, -1.0, 1.0)))
    assert (p.unit, p.limits) == (2.0, (-1.0, 1.0, -1.0, 1.0))
    assert p.n_outside == sum(max(abs(x), abs(y)) > 1 for x, y in p.xy) > 0


def test_projections_of_a_summary_are_those_of_their_classes_and_bias() -> None:
    a = make(0, n=600)
    s = SplitStatistics.of(a)
    for classes, bias in (((0, 4, 2), True), ((0, 4, 2), False), ((4, 0, 2), True), ((0, 4, 2), True)):
        kept, anew = s.project(classes, bias), Projection.of(a, classes, bias)
        np.testing.assert_array_equal(np.concatenate(kept.points), np.concatenate(anew.points))
        assert (kept.share, kept.off_plane) == pytest.approx((anew.share, anew.off_plane), rel=1e-9)
        assert s.project([a.class_names[k] for k in classes], bias) is kept
        assert len(s.projections) <= KEPT
    with pytest.raises(ActivationsError, match="twice"):
        s.project((0, 0, 2))


def test_a_field_of_all_examples_stands_in_for_those_that_are_not_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a = make(0, n=3_000)
    assert build_panel(a, CLASSES, PanelOptions(50)).density is None, "few enough to be seen"
    monkeypatch.setattr("penviz.projection.build_panel.ABOVE", 500)
    p = build_panel(a, CLASSES, PanelOptions(50))
    assert p.density is not None
    points = Projection.of(a, CLASSES).points
    for k in range(3):
        np.testing.assert_array_equal(p.density[..., k], depth(points[k] / p.unit, p.limits))
    fewer = build_panel(a, CLASSES, PanelOptions(5))
    np.testing.assert_array_equal(fewer.density, p.density)
    assert build_panel(a, CLASSES, PanelOptions(3_000)).density is None, "all are drawn"


def test_the_first_of_many_are_those_of_the_whole_order() -> None:
    indices = np.random.default_rng(0).permutation(5_000)
    for n in (0, 1, 17, 4_999, 5_000, 9_000):
        whole = np.argsort(sample_keys(indices, 3), kind="stable")[:n]
        np.testing.assert_array_equal(draw(indices, n, 3), whole)
