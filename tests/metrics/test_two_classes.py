"""The axis of two classes against plain loops, and the exactness of its logit difference."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from small_runs import CLASSES, small_activations
from synthetic import make, random_rotation

from penviz.metrics.class_means import with_class_means
from penviz.metrics.target_vectors import Targets
from penviz.projection.two_classes import TwoClasses, optimum, two_class_charts
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError, Head
from penviz.study.finding import Compared
from penviz.study.tightness_finding import axis_finding

HARD, SOFT = Targets("hard", 0.0), Targets("uniform", 0.1)


def pair(noise: float = 1.0, seed: int = 0, split: str = "train", n: int = 300) -> Activations:
    return make(seed, n_classes=2, noise=noise, n=n, split=split)


def test_the_coordinate_is_a_linear_image_of_the_logit_difference() -> None:
    """By projection on the axis in feature space, template by template, with and without the bias in them."""
    a = pair()
    z = a.logits()
    for bias in (True, False):
        two = TwoClasses.of(a, bias)
        t = a.head.templates(bias)
        slope = np.linalg.norm(t[1] - t[0])
        axis = (t[1] - t[0]) / slope
        x = np.c_[a.features.astype(np.float64), np.ones(len(a))] if bias else a.features.astype(np.float64)
        middle = (t[0] + t[1]) / 2
        for k in (0, 1):
            rows = np.flatnonzero(a.labels == k)
            along = np.array([float((x[i] - middle) @ axis) for i in rows])
            shift = middle @ (t[1] - t[0]) + (0 if bias else a.head.bias[1] - a.head.bias[0])
            assert np.allclose(two.differences[k], along * slope + shift, atol=1e-10)
            assert np.allclose(two.differences[k], z[rows, 1] - z[rows, 0], atol=1e-10)
            assert np.array_equal(two.indices[k], a.indices[rows])
    # moved off the axis, an example keeps its coordinate; moved along it, it does not
    off = random_rotation(a.features.shape[1])[0]
    w = a.head.weight[1] - a.head.weight[0]
    off = off - (off @ w) / (w @ w) * w
    moved = TwoClasses.of(replace(a, features=(a.features + 100 * off).astype(np.float32)))
    assert np.allclose(moved.differences[0], TwoClasses.of(a).differences[0], atol=1e-3)
    along = TwoClasses.of(replace(a, features=(a.features + w).astype(np.float32)))
    assert not np.allclose(along.differences[0], TwoClasses.of(a).differences[0], atol=1e-1)


def test_tightness_by_a_loop() -> None:
    two = TwoClasses.of(pair())
    means = [sum(d) / len(d) for d in two.differences]
    variances = [sum((v - m) ** 2 for v in d) / len(d) for d, m in zip(two.differences, means, strict=True)]
    assert two.radius == pytest.approx(math.sqrt(sum(variances) / 2), rel=1e-12)
    assert two.distance == pytest.approx(abs(means[1] - means[0]), rel=1e-12)
    assert two.rho_d == pytest.approx(two.radius / two.distance, rel=1e-12)
    scaled = pair()
    head = Head(scaled.head.weight * 3, scaled.head.bias * 3)
    assert TwoClasses.of(replace(scaled, head=head)).rho_d == pytest.approx(two.rho_d, rel=1e-9)


def test_the_jackknife_leaves_out_one_example_at_a_time() -> None:
    two = TwoClasses.of(pair(n=40))
    quick = two.log_ratio_without()
    for k in (0, 1):
        for i in range(len(two.differences[k])):
            parts = list(two.differences)
            parts[k] = np.delete(parts[k], i)
            slow = replace(two, differences=tuple(parts))
            assert quick[k][i] == pytest.approx(math.log(slow.rho_d), abs=1e-12)


def test_the_interval_covers_what_resampling_gives() -> None:
    two = TwoClasses.of(pair(n=400))
    rng = random.Random(0)
    drawn = []
    for _ in range(2000):
        parts = [np.array(rng.choices(list(d), k=len(d))) for d in two.differences]
        drawn.append(replace(two, differences=tuple(parts)).rho_d)
    low, high = two.interval()
    assert low == pytest.approx(np.quantile(drawn, 0.025), rel=0.03)
    assert high == pytest.approx(np.quantile(drawn, 0.975), rel=0.03)


def test_a_change_is_paired_where_the_examples_are_the_same() -> None:
    one, other = TwoClasses.of(pair(1.0)), TwoClasses.of(pair(0.7))
    value, low, high = one.change_to(other)
    assert value == pytest.approx(other.rho_d / one.rho_d - 1, rel=1e-12)
    assert low < value < high
    apart = one.change_to(replace(other, dataset_id="another"))
    assert apart[2] - apart[1] > high - low


@pytest.mark.parametrize(
    ("targets", "wanted"),
    [
        (SOFT, 2.944),
        (Targets("others", 0.1), 2.197),
        (Targets("binary", 0.1), 5.889),
        (HARD, None),
        (Targets("unknown"), None),
    ],
    ids=lambda v: getattr(v, "kind", ""),
)
def test_the_optimum(targets: Targets, wanted: float | None) -> None:
    found = optimum(targets)
    if wanted is None:
        assert found is None
    else:
        assert found == pytest.approx((-wanted, wanted), abs=5e-4)


def test_a_prior_moves_the_optimum_to_one_side() -> None:
    low, high = optimum(Targets("prior", 0.2, (0.9, 0.1)))
    assert low == pytest.approx(math.log(0.02 / 0.98))
    assert high == pytest.approx(math.log(0.82 / 0.18))


def test_densities_are_shares_of_all_examples() -> None:
    train, validation = TwoClasses.of(pair()), TwoClasses.of(pair(split="validation", seed=2))
    charts = two_class_charts(
        [{"train": train, "validation": validation}], titles=["soft"], targets=[SOFT], scale="nats"
    )
    assert len(charts) == 2
    assert charts[0].x_limits == charts[1].x_limits
    assert charts[0].y_limits == charts[1].y_limits
    low, high = charts[0].x_limits
    n_bins = len(charts[0].series[0].x)
    fewest = min(len(d) for s in (train, validation) for d in s.differences)
    assert 0 <= n_bins - int(4 * math.sqrt(fewest)) <= 1
    width = (high - low) / n_bins
    assert abs(low / width - round(low / width)) < 1e-9  # the boundary is an edge
    for chart, two in zip(charts, (train, validation), strict=True):
        for k in (0, 1):
            series = chart.series[k]
            inside = 0
            for b in range(n_bins):
                left, right = low + b * width, low + (b + 1) * width
                n = sum(left <= v < right for v in two.differences[k])
                inside += n
                assert series.x[b] == pytest.approx((left + right) / 2)
                assert series.y[b] == pytest.approx(n / len(two.differences[k]) / width, abs=1e-9)
            assert series.y.sum() * width == pytest.approx(inside / len(two.differences[k]))
        star = chart.series[2]
        assert star.x == pytest.approx([-2.944, 2.944], abs=5e-4)
        assert chart.lines[0].start[0] == chart.lines[0].end[0] == 0
    assert f"{len(train.differences[0]):,} class 0" in charts[0].about


def test_class_means_give_half_the_difference_of_squared_distances() -> None:
    """By a loop over the examples; no word speaks of logits or nats, which there are none of."""
    a = with_class_means({"train": replace(pair(), head=None)})["train"]
    two = TwoClasses.of(a)
    x = a.features.astype(np.float64)
    centres = [sum(x[i] for i in np.flatnonzero(a.labels == k)) / (a.labels == k).sum() for k in (0, 1)]
    for k in (0, 1):
        for i, value in zip(np.flatnonzero(a.labels == k), two.differences[k], strict=True):
            far = [sum((x[i] - centre) ** 2) for centre in centres]
            assert value == pytest.approx((far[0] - far[1]) / 2, abs=1e-5)
    assert (two.unit, TwoClasses.of(pair()).unit) == ("feature units squared", "nats")
    charts = [
        two_class_charts([{"train": of}], titles=["net"], targets=[HARD], scale=scale)[0]
        for of in (two, TwoClasses.of(pair()))
        for scale in ("nats", "distance")
    ]
    assert [chart.x_label for chart in charts] == [
        "half the difference of squared distances (feature units squared)",
        "half the difference of squared distances, distance of the means = 1",
        "z(class 1) − z(class 0) (nats)",
        "z(class 1) − z(class 0), distance of the means = 1",
    ]
    assert "through the two class means, on which half the difference of squared distances" in charts[0].about
    assert "logit" not in charts[0].about
    assert "through the two templates, on which the logit difference z(class 1)" in charts[2].about


def test_the_radius_on_screen_is_the_headline() -> None:
    """With distance = 1 the class means of train are one apart, and the star moves with them."""
    two = TwoClasses.of(pair())
    (chart,) = two_class_charts([{"train": two}], titles=["soft"], targets=[SOFT])
    assert chart.series[2].x == pytest.approx([-2.944 / two.distance, 2.944 / two.distance], rel=1e-3)
    assert len(two_class_charts([{"train": two}], titles=["hard"], targets=[HARD])[0].series) == 2
    tight = TwoClasses.of(pair(0.5))
    both = two_class_charts([{"train": two}, {"train": tight}], titles=["a", "b"], targets=[HARD, SOFT])
    assert both[0].x_limits == both[1].x_limits
    assert both[0].y_limits == both[1].y_limits
    with pytest.raises(ValueError, match="one of distance, nats"):
        two_class_charts([{"train": two}], titles=["hard"], targets=[HARD], scale="metres")


def test_what_has_no_axis_is_said() -> None:
    a = pair()
    with pytest.raises(ActivationsError, match="has 7 classes: choose two of them"):
        TwoClasses.of(make())
    level = Head(np.ones_like(a.head.weight), np.zeros(2))
    with pytest.raises(ActivationsError, match="templates of run are equal"):
        TwoClasses.of(replace(a, head=level))
    with pytest.raises(ActivationsError, match="no train examples of one of its two classes"):
        TwoClasses.of(a.take(a.labels == 0))
    with pytest.raises(ActivationsError, match="have one mean: nothing sets a scale"):
        TwoClasses.of(replace(a, features=np.zeros_like(a.features)))


def test_the_finding() -> None:
    one, other = TwoClasses.of(pair(1.0)), TwoClasses.of(pair(0.6))
    names = ["a", "b"]
    found = axis_finding(Compared(names, [HARD, SOFT], [0, 0]), [{"train": one}, {"train": other}])
    share = round(100 * (1 - other.rho_d / one.rho_d))
    assert found.kind == "tighter"
    assert f"training clusters are {share} % tighter" in found.headline
    turned = axis_finding(Compared(names, [SOFT, HARD], [0, 0]), [{"train": other}, {"train": one}])
    assert turned == found
    same = axis_finding(Compared(names, [HARD, SOFT], [0, 0]), [{"train": one}, {"train": one}])
    assert same.kind == "same"
    near = TwoClasses.of(pair(0.97))
    assert one.change_to(near)[2] < 0  # the interval is clear of 0, by less than two seeds may differ
    trifle = axis_finding(Compared(names, [HARD, SOFT], [0, 0]), [{"train": one}, {"train": near}])
    assert (trifle.kind, trifle.headline) == ("unclear", "No clear difference")
    differ = axis_finding(
        Compared(names, [HARD, SOFT], [0, 0], differences=["epochs", "seed"]),
        [{"train": one}, {"train": other}],
    )
    assert "epochs" in differ.headline
    assert axis_finding(Compared(["a"], [HARD], [0]), [{"train": one}]).kind == "one"
    unknown = axis_finding(
        Compared(names, [HARD, Targets("unknown")], [0, 0]), [{"train": one}, {"train": other}]
    )
    assert unknown.headline.startswith("The targets of b are not known")


def test_a_class_that_is_a_point_without_one_example_has_no_interval() -> None:
    """Three examples a class, two of them the same: leaving the third out leaves a point."""
    two = TwoClasses.of(pair(n=6))
    same = (np.array([0.0, 0.0, 1.0]), np.array([3.0, 3.0, 3.0]))
    point = replace(two, differences=same)
    assert point.rho_d > 0
    assert point.interval() is None
    assert point.change_to(TwoClasses.of(pair())) is None
    assert TwoClasses.of(pair()).change_to(point) is None
    said = axis_finding(
        Compared(["a", "b"], [HARD, SOFT], [0, 0]), [{"train": point}, {"train": TwoClasses.of(pair())}]
    )
    assert "nan" not in said.headline + said.detail


def test_two_of_ten_classes_have_an_axis_of_their_own() -> None:
    a = small_activations(alpha=0.1)
    assert a.head is not None
    assert a.head.bias is not None
    two = TwoClasses.of(a, classes=("dog", "cat"))
    dog, cat = CLASSES.index("dog"), CLASSES.index("cat")
    assert (two.class_names, two.classes) == (("dog", "cat"), (dog, cat))
    for k, own in zip((dog, cat), two.differences, strict=True):  # by hand, one example after the other
        x = a.features[a.labels == k].astype(float)
        loop = [sum(row * (a.head.weight[cat] - a.head.weight[dog])) for row in x]
        np.testing.assert_allclose(
            own, np.array(loop) + a.head.bias[cat] - a.head.bias[dog], rtol=1e-5, atol=1e-5
        )
    held = np.isin(a.labels, (dog, cat))
    assert two.accuracy == pytest.approx((a.predictions[held] == a.labels[held]).mean())
    gap = math.log((1 - 0.1 + 0.01) / 0.01)  # ln q_i / q_j of label smoothing 0.1 over ten classes
    assert optimum(Targets.of(0.1), 10, (dog, cat)) == pytest.approx((-gap, gap))
    with pytest.raises(ActivationsError, match="two different classes"):
        TwoClasses.of(a, classes=("cat", "cat"))
    with pytest.raises(ActivationsError, match="of two classes, not of 3"):
        TwoClasses.of(a, classes=("cat", "dog", "bird"))
