"""The fitted temperature against scipy's minimum, its interval against the bootstrap, the halves counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from faults import Fault, Planted, each_is_seen
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss
from synthetic import make

from penviz.metrics.calibration import temperature as TEMPERATURE
from penviz.metrics.calibration.temperature import (
    Temperature,
    at_edge,
    fit_temperature,
    halve,
    lowest_on_grid,
)
from penviz.metrics.collapse.moments import class_rows


def made(true: float = 1.7, n: int = 500, n_classes: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose best temperature is known but for sampling."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, n_classes)) * 3
    p = softmax(z / true, axis=1)
    return z, np.array([rng.choice(n_classes, p=row) for row in p])


def check_fit() -> None:
    for true in (0.05, 0.6, 1.7, 12.0):
        z, y = made(true)
        fitted = TEMPERATURE.fit_temperature(z, y)
        expected = minimize_scalar(
            lambda u, z=z, y=y: log_loss(y, softmax(z / math.exp(u), axis=1), labels=range(8)),
            bounds=(-5, 5),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert math.log(fitted.value) == pytest.approx(expected.x, abs=2e-6)
        assert fitted.n == 500


def test_fit_is_the_minimum_that_scipy_finds() -> None:
    check_fit()


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 1.0, 1e3, 1e12])
def test_a_factor_of_the_logits_is_a_factor_of_the_temperature(factor: float) -> None:
    z, y = made()
    assert fit_temperature(z * factor, y).value == pytest.approx(
        fit_temperature(z, y).value * factor, rel=1e-9
    )
    assert fit_temperature(z * factor + 7 * factor, y).value == pytest.approx(
        fit_temperature(z, y).value * factor, rel=1e-6
    )


def test_no_temperature_fits_best_where_all_or_fewer_than_chance_are_right() -> None:
    z, _ = made()
    right, wrong = fit_temperature(z, z.argmax(axis=1)), fit_temperature(z, z.argmin(axis=1))
    assert right.value == 0
    assert wrong.value == math.inf
    assert not right.finite
    assert not wrong.finite
    assert right.low is wrong.high is None
    assert math.isnan(fit_temperature(np.zeros((0, 3)), []).value)
    assert fit_temperature(z, made()[1]).finite


def test_equal_logits_have_no_temperature() -> None:
    assert not fit_temperature(np.zeros((9, 3)), np.arange(9) % 3).finite


def check_interval() -> None:
    z, y = made(n=400)
    fitted = TEMPERATURE.fit_temperature(z, y)
    rng = np.random.default_rng(0)
    drawn = [math.log(fit_temperature(z[r], y[r]).value) for r in rng.integers(400, size=(300, 400))]
    half = math.log(fitted.high / fitted.value)
    assert half == pytest.approx(1.96 * np.std(drawn), rel=0.12)
    assert math.log(fitted.value / fitted.low) == pytest.approx(half)


def test_interval_is_that_of_the_bootstrap() -> None:
    check_interval()


def test_interval_holds_the_truth() -> None:
    inside = 0
    for seed in range(200):
        fitted = fit_temperature(*made(1.7, n=320, seed=seed))
        inside += fitted.low <= 1.7 <= fitted.high
    assert 182 <= inside <= 198  # 95 % of 200 is 190, two standard deviations are 6


def check_softmax() -> None:
    z, _ = made()
    for t in (0.5, 1.0, 3.0):
        np.testing.assert_allclose(TEMPERATURE.softmax(z, t), np.exp(log_softmax(z / t, axis=1)), rtol=1e-12)
    assert np.isfinite(TEMPERATURE.softmax(z * 1e4)).all()


def test_softmax_is_scipys() -> None:
    check_softmax()


@pytest.mark.parametrize("temperature", [0.05, 0.3, 1.7, 40.0])
def test_accuracy_does_not_depend_on_the_temperature(temperature: float) -> None:
    z, _ = made(n=4000)
    np.testing.assert_array_equal((z / temperature).argmax(axis=1), z.argmax(axis=1))
    np.testing.assert_array_equal(TEMPERATURE.softmax(z, temperature).argmax(axis=1), z.argmax(axis=1))


def check_halves() -> None:
    a = make(0, n=151)
    rows = class_rows(a.labels, 7, a.indices)
    fit, report = TEMPERATURE.halve(rows)
    assert sorted([*fit.tolist(), *report.tolist()]) == list(range(151))
    counts = [np.bincount(a.labels[r], minlength=7) for r in (fit, report)]
    assert ((counts[1] - counts[0] == 0) | (counts[1] - counts[0] == 1)).all()
    assert (np.diff(fit) > 0).all()
    # the order of the file does not matter
    shuffled = a.take(np.random.default_rng(5).permutation(151))
    again, _ = TEMPERATURE.halve(class_rows(shuffled.labels, 7, shuffled.indices))
    assert set(shuffled.indices[again]) == set(a.indices[fit])
    assert TEMPERATURE.halve(rows, 1)[0].tolist() != fit.tolist()
    assert TEMPERATURE.halve(rows, 0)[0].tolist() == fit.tolist()
    # another class of another size changes nothing in this one
    fewer = [*rows[:2], rows[2][:5], *rows[3:]]
    own = set(rows[4].tolist())
    assert own & set(TEMPERATURE.halve(fewer)[0].tolist()) == own & set(fit.tolist())


def test_halves() -> None:
    check_halves()
    assert [len(h) for h in halve([np.array([3]), np.zeros(0, np.int64)])] == [0, 1]


def check_grid() -> None:
    for true in (-2.2, -0.31, 0.5, 2.2):
        found = TEMPERATURE.lowest_on_grid(lambda t, true=true: (math.log(t) - true) ** 2)
        assert math.log(found) == pytest.approx(true, abs=0.006)
    assert TEMPERATURE.lowest_on_grid(lambda t: 0.0) == pytest.approx(1, rel=1e-12)
    # two valleys, and steps: the deeper one counts
    deep = TEMPERATURE.lowest_on_grid(lambda t: 0.0 if 3 < t < 3.5 else 0.1 if 0.5 < t < 0.6 else 1.0)
    assert 3 < deep < 3.5


def test_lowest_on_the_grid() -> None:
    check_grid()


def widened(by: Callable[[Temperature], float]) -> Fault:
    """Half the width of the interval of ln T, times a factor."""

    def fault(fit: Callable) -> Callable:
        def wrong(z: np.ndarray, y: np.ndarray) -> Temperature:
            t = fit(z, y)
            half = by(t) * math.log(t.high / t.value)
            return replace(t, low=t.value * math.exp(-half), high=t.value * math.exp(half))

        return wrong

    return fault


def kept(to: Callable[[float], float]) -> Fault:
    """Another value of the fit."""
    return lambda fit: lambda z, y: replace(fit(z, y), value=to(fit(z, y).value))


MUTANTS: dict[str, Planted] = {
    "the zero is off": (check_fit, TEMPERATURE, "fit_temperature", kept(lambda t: t * 1.00001)),
    "the bracket does not grow": (check_fit, TEMPERATURE, "fit_temperature", kept(lambda t: min(t, math.e))),
    "an interval of T and not of ln T": (
        check_interval,
        TEMPERATURE,
        "fit_temperature",
        widened(lambda t: 1 / t.value),
    ),
    "a deviation and not an error": (
        check_interval,
        TEMPERATURE,
        "fit_temperature",
        widened(lambda t: math.sqrt(t.n)),
    ),
    "multiplied by T": (
        check_softmax,
        TEMPERATURE,
        "softmax",
        lambda softmax: lambda z, t: softmax(z, 1 / t),
    ),
    "no seed": (check_halves, TEMPERATURE, "halve", lambda halve: lambda rows, seed=0: halve(rows)),
    "the same half twice": (
        check_halves,
        TEMPERATURE,
        "halve",
        lambda halve: lambda rows, seed=0: halve(rows, seed)[:1] * 2,
    ),
    "other classes count": (
        check_halves,
        TEMPERATURE,
        "halve",
        lambda halve: lambda rows, seed=0: halve(rows, seed + len(rows[2])),
    ),
    "of equal ones the largest": (
        check_grid,
        TEMPERATURE,
        "lowest_on_grid",
        lambda lowest: lambda of: lowest(lambda t: (of(t), -t)),
    ),
    "the coarse grid alone": (
        check_grid,
        TEMPERATURE,
        "lowest_on_grid",
        lambda lowest: lambda of: min(TEMPERATURE.GRID, key=of),
    ),
}


test_an_error_is_seen = each_is_seen(MUTANTS)


def test_logits_that_do_not_depend_on_the_example_have_no_interval() -> None:
    """A network that says the same of every image, with as many of each class: the best T is infinite."""
    wide = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n_classes = int(rng.integers(2, 12))
        logits = rng.normal(size=n_classes) * 10.0 ** rng.integers(-3, 2)
        labels = np.arange(n_classes * rng.integers(5, 60)) % n_classes
        fitted = fit_temperature(np.tile(logits, (len(labels), 1)), labels)
        assert fitted.value > 1e6 or fitted.low is None or fitted.low <= fitted.value <= fitted.high
        wide += fitted.low is None
    assert wide > 10


def test_the_edge_of_the_search_is_known() -> None:
    assert at_edge(lowest_on_grid(lambda t: t))
    assert at_edge(lowest_on_grid(lambda t: -t))
    assert not at_edge(lowest_on_grid(lambda t: abs(math.log(t) - 2)))
