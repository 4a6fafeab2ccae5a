"""Isotonic regression and Platt's fit against scikit-learn's."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from mutants import mutant
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


def check_isotonic(module: ModuleType) -> None:
    for seed in range(5):
        x, a = made(seed=seed)
        new = np.linspace(-9, 9, 501)
        theirs = IsotonicRegression(out_of_bounds="clip").fit(x, a)
        assert module.Isotonic.fit(x, a)(new) == pytest.approx(theirs.predict(new), abs=1e-12)


def test_isotonic_is_scikit_learns() -> None:
    check_isotonic(RECALIBRATION)
    ours = Isotonic.fit([1.0, 2, 3, 4], [1, 0, 1, 1])
    assert ours.confidences.tolist() == [0.5, 0.5, 1, 1]
    assert Isotonic.fit([2.0], [1])([0, 5]).tolist() == [1, 1]
    assert Isotonic.fit([1.0, 2, 3], [1, 0, 0]).confidences == pytest.approx([1 / 3] * 3)


def check_platt(module: ModuleType) -> None:
    for shift, factor in ((0, 1), (50, 1e-3), (-3, 400)):
        x, a = made()
        x = x * factor + shift
        ours = module.Platt.fit(x, a)
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
    check_platt(RECALIBRATION)


@pytest.mark.parametrize("a", [[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]])
def test_scores_that_part_right_from_wrong(a: list[int]) -> None:
    ours = Platt.fit([1.0, 2, 3, 4], a)
    assert np.isfinite([ours.slope, ours.offset]).all()
    p = ours([1.0, 2, 3, 4])
    assert ((p > 0) & (p < 1)).all()
    assert np.isfinite(Platt.fit([3.0, 3, 3], [1, 0, 1]).slope)


def check_odds(module: ModuleType) -> None:
    z = np.random.default_rng(0).normal(size=(80, 6)) * 4
    c = softmax(z, axis=1).max(axis=1)
    assert module.log_odds(z) == pytest.approx(logit(c), rel=1e-8)
    # a confidence of 1 in float64 keeps its order, huge logits stay finite
    sure = module.log_odds([[60.0, 0, 0], [70.0, 0, 0], [900.0, -900, 0]])
    assert sure == pytest.approx([60 - np.log(2), 70 - np.log(2), 900])
    assert module.log_odds([[1.0, 1.0]])[0] == 0


def test_log_odds_are_scipys() -> None:
    check_odds(RECALIBRATION)
    identity = Platt(1.0, 0.0)(log_odds([[2.0, 0, 1]]))
    assert identity == pytest.approx(softmax([2.0, 0, 1]).max())


MUTANTS = [
    (check_odds, "z[here, top] = -np.inf", "pass"),
    (check_odds, "z -= second[:, None]", "pass"),
    (check_isotonic, ">= blocks[-1][0] * blocks[-2][1]", ">= blocks[-1][0] * blocks[-1][1]"),
    (check_isotonic, "[total, count, 1]", "[total, 1.0, 1]"),
    (check_platt, "(right + 1) / (right + 2)", "1.0"),
    (check_platt, "float(w[1] - w[0] * centre / scale)", "float(w[1])"),
]


@pytest.mark.parametrize(("check", "old", "new"), MUTANTS)
def test_an_error_is_seen(check, old: str, new: str) -> None:
    with mutant("recalibration", old, new, "recalibration") as module, pytest.raises(AssertionError):
        check(module)
