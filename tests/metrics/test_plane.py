from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from synthetic import make, random_rotation

from penviz.metrics.target_vectors import Targets, target_vectors
from penviz.projection.build_panel import build_panel
from penviz.projection.panel_options import PanelOptions
from penviz.projection.plane import PAIRS, DegeneratePlane, Plane, boundary_sides
from penviz.store.head import Head

TRIPLES = ((0, 1, 2), (6, 2, 4), (5, 3, 0))


def winners(logits: np.ndarray) -> np.ndarray:
    """[n, 3] of 0, 1, 2: the larger logit of each pair, in a loop."""
    return np.array([[i if row[i] > row[j] else j for i, j in PAIRS] for row in logits])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("triple", TRIPLES)
def test_logit_differences_are_linear_in_the_picture(bias: bool, triple: tuple[int, int, int]) -> None:
    a = make(1, d=30, n=400)
    far = a.features.astype(np.float64) * 50
    plane = Plane.of_head(a.head, triple, bias)
    z = a.head.logits(far)[:, triple]
    assert np.abs(plane.logit_differences(plane.project(far)) - (z[:, 1:] - z[:, :1])).max() < 1e-10


def test_identity_fails_when_the_bias_is_forgotten() -> None:
    a = make(1)
    plane = Plane.through(a.head.templates(False)[:3])
    z = a.logits()[:, :3]
    assert np.abs(plane.logit_differences(plane.project(a.features)) - (z[:, 1:] - z[:, :1])).max() > 0.1


@pytest.mark.parametrize("bias", [True, False])
def test_basis_is_orthonormal_and_its_projector_idempotent(bias: bool) -> None:
    plane = Plane.of_head(make(0).head, (0, 1, 2), bias)
    projector = plane.basis.T @ plane.basis
    np.testing.assert_allclose(plane.basis @ plane.basis.T, np.eye(2), atol=1e-14)
    np.testing.assert_allclose(projector @ projector, projector, atol=1e-14)
    xy = np.random.default_rng(0).normal(size=(9, 2))
    np.testing.assert_allclose(plane.project(plane.lift(xy)), xy, atol=1e-13)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("triple", list(itertools.permutations((1, 4, 5))))
def test_first_two_lie_level_left_and_right_third_above(bias: bool, triple: tuple[int, int, int]) -> None:
    head = make(0).head
    left, right, top = Plane.of_head(head, triple, bias).project(head.templates(bias)[list(triple)])
    assert left[0] < right[0]
    assert left[1] == pytest.approx(right[1], abs=1e-12)
    assert top[1] > left[1]


@pytest.mark.parametrize("bias", [True, False])
def test_picture_ignores_rotation_of_feature_space(bias: bool) -> None:
    a = make(3, d=12)
    q = random_rotation(12)
    turned = Head(a.head.weight @ q, a.head.bias)
    before = Plane.of_head(a.head, (0, 1, 2), bias).project(a.features)
    after = Plane.of_head(turned, (0, 1, 2), bias).project(a.features @ q)
    np.testing.assert_allclose(before, after, atol=1e-5)  # the rotated weights are stored in float32


def test_distances_ignore_the_order_of_classes_and_the_choice_of_differences() -> None:
    a = make(3)
    first = Plane.of_head(a.head, (0, 1, 2)).project(a.features)
    for order in itertools.permutations((0, 1, 2)):
        other = Plane.of_head(a.head, order).project(a.features)
        np.testing.assert_allclose(
            np.linalg.norm(first - first[0], axis=1), np.linalg.norm(other - other[0], axis=1), atol=1e-12
        )
    t = a.head.templates()[:3]
    basis = np.linalg.svd(t - t.mean(axis=0))[2][:2]
    projector = Plane.through(t).basis
    np.testing.assert_allclose(basis.T @ basis, projector.T @ projector, atol=1e-12)


def test_linear_span_with_pca_is_another_picture() -> None:
    """Three templates span a 3-D space; its two directions of most variance need not hold the differences."""
    rng = np.random.default_rng(0)
    weight = np.eye(3, 8)
    labels = np.repeat([0, 1, 2], 60)
    common = rng.normal(size=(180, 1)) * 5 * np.array([1, 1, 1, 0, 0, 0, 0, 0])
    x = weight[labels] + 0.1 * rng.normal(size=(180, 8)) + common
    span = x @ np.linalg.qr(weight.T)[0]
    centred = span - span.mean(axis=0)
    pca = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    z = x @ weight.T
    gaps = z[:, 1:] - z[:, :1]

    def unexplained(xy: np.ndarray) -> float:
        design = np.column_stack([xy, np.ones(len(xy))])
        return float(np.abs(gaps - design @ np.linalg.lstsq(design, gaps, rcond=None)[0]).max())

    assert unexplained(Plane.through(weight).project(x)) < 1e-10
    assert unexplained(pca) > 0.5


@pytest.mark.parametrize("bias", [True, False])
def test_distance_off_the_plane_is_that_of_least_squares(bias: bool) -> None:
    a = make(2)
    plane = Plane.of_head(a.head, (2, 0, 5), bias)
    t = a.head.templates(bias)[[2, 0, 5]]
    x = np.column_stack([a.features, np.ones(len(a))]) if bias else a.features.astype(np.float64)
    span = (t[1:] - t[0]).T
    for row, distance in zip(x, plane.off_plane(a.features), strict=True):
        best = np.linalg.lstsq(span, row - t[0], rcond=None)[0]
        assert distance == pytest.approx(np.linalg.norm(row - t[0] - span @ best), rel=1e-9)


@pytest.mark.parametrize("bias", [True, False])
def test_restricted_probs_are_the_softmax_of_three_logits(bias: bool) -> None:
    a = make(5)
    plane = Plane.of_head(a.head, (6, 1, 3), bias)
    for row, probs in zip(
        a.logits()[:, [6, 1, 3]], plane.restricted_probs(plane.project(a.features)), strict=True
    ):
        e = [math.exp(v) for v in row]
        np.testing.assert_allclose(probs, [v / sum(e) for v in e], rtol=1e-10)


def sides_agree(boundaries: np.ndarray, a, triple: tuple[int, int, int], bias: bool, unit: float) -> None:
    xy = Plane.of_head(a.head, triple, bias).project(a.features) / unit
    np.testing.assert_array_equal(boundary_sides(boundaries, xy), winners(a.logits()[:, list(triple)]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("triple", TRIPLES)
def test_sides_of_the_lines_are_those_of_the_logits(bias: bool, triple: tuple[int, int, int]) -> None:
    a = make(6, n=10_000)
    panel = build_panel(a, triple, PanelOptions(bias=bias))
    sides_agree(panel.boundaries, a, triple, bias, panel.unit)
    for pair in range(3):
        moved = panel.boundaries.copy()
        start, end = moved[pair]
        across = np.array([start[1] - end[1], end[0] - start[0]]) / np.linalg.norm(end - start)
        moved[pair] += 0.01 * across  # one hundredth of the distance between class means
        with pytest.raises(AssertionError):
            sides_agree(moved, a, triple, bias, panel.unit)


def test_drawn_half_of_a_line_borders_two_regions() -> None:
    plane = Plane.of_head(make(0).head, (0, 1, 2))
    for (i, j), (start, end) in zip(PAIRS, plane.boundaries(10.0), strict=True):
        assert np.linalg.norm(end - start) == pytest.approx(10)
        np.testing.assert_allclose(plane.restricted_probs(start), 1 / 3, atol=1e-12)
        probs = plane.restricted_probs(start + 0.3 * (end - start))
        k = 3 - i - j
        assert probs[i] == pytest.approx(probs[j], rel=1e-9)
        assert probs[k] < probs[i]


@pytest.mark.parametrize("bias", [True, False])
def test_ideal_points_have_the_gap_of_the_optimum(bias: bool) -> None:
    a = make(0, n_classes=10, d=20)
    plane = Plane.of_head(a.head, (0, 1, 2), bias)
    stars = plane.ideal_points(target_vectors(Targets.of(0.1), 10, [0, 1, 2]), [0, 1, 2])
    z = np.column_stack([np.zeros(3), plane.logit_differences(stars)])
    for i, j in itertools.permutations(range(3), 2):
        assert z[i, i] - z[i, j] == pytest.approx(math.log(0.91 / 0.01), abs=1e-10)
        assert z[i, i] - z[i, j] == pytest.approx(4.511, abs=5e-4)


def test_ideal_points_of_any_soft_targets() -> None:
    plane = Plane.of_head(make(0).head, (0, 1, 2))
    q = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.05, 0.15, 0.8]])
    np.testing.assert_allclose(plane.restricted_probs(plane.ideal_points(q)), q, atol=1e-12)
    with pytest.raises(ValueError, match="infinity"):
        plane.ideal_points(np.eye(3))
    with pytest.raises(ValueError, match="shape"):
        plane.ideal_points(np.ones((3, 7)) / 7)


def test_temperature_moves_ideal_points_about_the_equal_point() -> None:
    head = make(0).head
    plane = Plane.of_head(head, (0, 1, 2))
    q = target_vectors(Targets.of(0.1), 7, [0, 1, 2])[:, :3]
    warm = Plane(plane.origin, plane.basis, plane.R / 2, plane.offset / 2)
    centre = plane.equal_point()
    np.testing.assert_allclose(warm.equal_point(), centre, atol=1e-12)
    np.testing.assert_allclose(
        warm.ideal_points(q) - centre, 2 * (plane.ideal_points(q) - centre), atol=1e-10
    )


@pytest.mark.parametrize(
    "templates",
    [
        np.zeros((3, 4)),
        np.array([[1.0, 0], [2, 0], [3, 0]]),
        np.array([[1.0, 2, 3], [1, 2, 3], [0, 1, 0]]),
        np.array([[1.0, 0, 0], [0, 1, 0], [0.5, 0.5, 1e-8]]),
        np.array([[1.0], [2], [3]]),
    ],
)
def test_templates_on_a_line_are_refused(templates: np.ndarray) -> None:
    with pytest.raises(DegeneratePlane, match="line"):
        Plane.through(templates)


def test_bad_input_is_refused_in_words() -> None:
    head = make(0).head
    with pytest.raises(DegeneratePlane, match="twice"):
        Plane.of_head(head, (0, 1, 0))
    with pytest.raises(ValueError, match="NaN"):
        Plane.through(np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match=r"\[3, D\]"):
        Plane.through(np.ones((2, 4)))
    with pytest.raises(ValueError, match="width"):
        Plane.of_head(head, (0, 1, 2)).project(np.ones((4, 9)))


def test_head_without_bias_gives_one_picture_in_both_modes() -> None:
    a = make(0)
    head = Head(a.head.weight)
    with_bias, without = (Plane.of_head(head, (0, 1, 2), b).project(a.features) for b in (True, False))
    np.testing.assert_allclose(with_bias, without, atol=1e-12)


def test_features_far_from_0_are_refused_with_the_switch_that_works() -> None:
    """A head that takes an offset of a million away from its features has biases of a million."""
    weight = np.random.default_rng(0).normal(size=(3, 8))
    head = Head(weight, -(weight @ np.full(8, 1e7)).astype(np.float32))
    with pytest.raises(DegeneratePlane, match="--no-bias"):
        Plane.of_head(head, (0, 1, 2))
    assert Plane.of_head(head, (0, 1, 2), bias=False).basis.shape == (2, 8)
    line = Head(np.outer([0.0, 1.0, 2.0], weight[0]), np.zeros(3))
    with pytest.raises(DegeneratePlane) as error:
        Plane.of_head(line, (0, 1, 2))
    assert "--no-bias" not in str(error.value)
