"""Isotonic regression and Platt's fit against scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from faults import Planted, each_is_seen
from scipy.special import logit, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from penviz.metrics.calibration import recalibration as RECALIBRATION
from penviz.metrics.calibration.recalibration import Isotonic, Platt, log_odds


def made(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, right more often where they are high."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=n) * 2, 1)
    return x, (rng.random(n) < 1 / (1 + np.exp(-0.7 * x - 0.4))).astype(float)


def check_isotonic() -> None:
    for seed in range(5):
        x, a = made(seed=seed)
        new = np.linspace(-9, 9, 501)
        theirs = IsotonicRegression(out_of_bounds="clip").fit(x, a)
        assert RECALIBRATION.Isotonic.fit(x, a)(new) == pytest.approx(theirs.predict(new), abs=1e-12)


def test_isotonic_is_scikit_learns() -> None:
    check_isotonic()
    ours = Isotonic.fit([1.0, 2, 3, 4], [1, 0, 1, 1])
    assert ours.confidences.tolist() == [0.5, 0.5, 1, 1]
    assert Isotonic.fit([2.0], [1])([0, 5]).tolist() == [1, 1]
    assert Isotonic.fit([1.0, 2, 3], [1, 0, 0]).confidences == pytest.approx([1 / 3] * 3)


def check_platt() -> None:
    for shift, factor in ((0, 1), (50, 1e-3), (-3, 400)):
        x, a = made()
        x = x * factor + shift
        ours = RECALIBRATION.Platt.fit(x, a)
        right = a.sum()
        target = np.where(a > 0, (right + 1) / (right + 2), 1 / (len(a) - right + 2))
        z = np.concatenate([x, x])[:, None]
        z = (z - shift) / factor
        theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(
            z, np.repeat([1, 0], len(a)), np.concatenate([target, 1 - target])
        )
        assert ours.slope * factor == pytest.approx(theirs.coef_[0, 0], rel=1e-5)
        assert ours.offset + ours.slope * shift == pytest.approx(theirs.intercept_[0], rel=1e-5)
        assert ours(x) == pytest.approx(theirs.predict_proba(z[: len(a)])[:, 1], rel=1e-5)


def test_platt_is_a_logistic_regression_on_his_targets() -> None:
    check_platt()


@pytest.mark.parametrize("a", [[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]])
def test_scores_that_part_right_from_wrong(a: list[int]) -> None:
    ours = Platt.fit([1.0, 2, 3, 4], a)
    assert np.isfinite([ours.slope, ours.offset]).all()
    p = ours([1.0, 2, 3, 4])
    assert ((p > 0) & (p < 1)).all()
    assert np.isfinite(Platt.fit([3.0, 3, 3], [1, 0, 1]).slope)


def check_odds() -> None:
    z = np.random.default_rng(0).normal(size=(80, 6)) * 4
    c = softmax(z, axis=1).max(axis=1)
    assert RECALIBRATION.log_odds(z) == pytest.approx(logit(c), rel=1e-8)
    # a confidence of 1 in float64 keeps its order, huge logits stay finite
    sure = RECALIBRATION.log_odds([[60.0, 0, 0], [70.0, 0, 0], [900.0, -900, 0]])
    assert sure == pytest.approx([60 - np.log(2), 70 - np.log(2), 900])
    assert RECALIBRATION.log_odds([[1.0, 1.0]])[0] == 0


def test_log_odds_are_scipys() -> None:
    check_odds()
    identity = Platt(1.0, 0.0)(log_odds([[2.0, 0, 1]]))
    assert identity == pytest.approx(softmax([2.0, 0, 1]).max())


def unweighted(_: Callable) -> Callable:
    """Equal scores count once, however many there are."""

    def wrong(x: np.ndarray, a: np.ndarray) -> Isotonic:
        knots = np.unique(x)
        means = np.array([np.mean(np.asarray(a)[x == knot]) for knot in knots])
        return Isotonic(knots, IsotonicRegression().fit(knots, means).predict(knots))

    return staticmethod(wrong)


def unpooled(_: Callable) -> Callable:
    """A map that falls where the means do."""
    return staticmethod(
        lambda x, a: Isotonic(np.unique(x), np.array([np.mean(a[x == knot]) for knot in np.unique(x)]))
    )


MUTANTS: dict[str, Planted] = {
    "the largest among the others": (
        check_odds,
        RECALIBRATION,
        "log_odds",
        lambda _: lambda z: np.log(softmax(z, axis=1).max(axis=1)),
    ),
    "rounded to a confidence of 1": (
        check_odds,
        RECALIBRATION,
        "log_odds",
        lambda _: lambda z: logit(softmax(z, axis=1).max(axis=1)),
    ),
    "violators side by side": (check_isotonic, Isotonic, "fit", unpooled),
    "ties that count once": (check_isotonic, Isotonic, "fit", unweighted),
    "targets of 1": (
        check_platt,
        Platt,
        "fit",
        lambda fit: staticmethod(lambda x, a: fit(np.tile(x, 100), np.tile(a, 100))),
    ),
    "an offset about the mean": (
        check_platt,
        Platt,
        "fit",
        lambda fit: staticmethod(
            lambda x, a: replace(found := fit(x, a), offset=found.offset + found.slope * x.mean())
        ),
    ),
}


test_an_error_is_seen = each_is_seen(MUTANTS)
