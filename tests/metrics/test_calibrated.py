"""The calibration of a run: nothing fitted is reported on itself, every number from its own definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from faults import Planted, each_is_seen
from references import ece as plain_ece
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from synthetic import make

from penviz.metrics.calibration import calibrated as CALIBRATED
from penviz.metrics.calibration.calibrated import PLAIN, SCALED, Calibrated
from penviz.metrics.calibration.errors import adaptive_ece
from penviz.metrics.calibration.selective import aurc, normalised_logit
from penviz.metrics.calibration.temperature import fit_temperature, halve
from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.numbers import CALIBRATION, TABLES
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError, Head


def sharper(a: Activations, factor: float) -> Activations:
    """The same network with its logits multiplied: the same predictions, other confidences."""
    head = Head(a.head.weight * factor, a.head.bias * factor)
    return Activations(
        a.features, a.labels, a.predictions, a.indices, a.class_names, a.run, a.split, head, a.dataset_id
    )


A = make(0, n=600, noise=1.5, split="validation")
B = sharper(make(1, n=600, noise=1.5, split="validation"), 0.4)


def halves(a: Activations) -> tuple[np.ndarray, np.ndarray]:
    return halve(class_rows(a.labels, len(a.class_names), a.indices))


def check_numbers() -> None:
    found = CALIBRATED.Calibrated.of(A)
    fit, report = halves(A)
    z, y = A.logits(), A.labels
    right = [int(p == label) for p, label in zip(A.predictions, y, strict=True)]
    t = fit_temperature(z[fit], y[fit]).value
    assert found.temperature.value == pytest.approx(t, rel=1e-9)
    assert (found.n_fit, found.n) == (len(fit), len(report))
    for at, temperature in ((PLAIN, 1.0), (SCALED, t)):
        p = softmax(z[report] / temperature, axis=1)
        c = p.max(axis=1).tolist()
        hits = [right[i] for i in report]
        expected = {
            "ece": plain_ece(c, hits),
            "nll": log_loss(y[report], p, labels=range(7)),
            "brier": brier_score_loss(y[report], p, labels=range(7), scale_by_half=False),
            "adaptive_ece": adaptive_ece(c, hits),
            "confidence_gap": sum(c) / len(c) - sum(hits) / len(hits),
            "classwise_ece": sum(
                plain_ece(p[:, k].tolist(), (y[report] == k).astype(float).tolist()) for k in range(7)
            )
            / 7,
        }
        order = sorted(range(len(c)), key=lambda i: -c[i])
        risks = [sum(1 - hits[j] for j in order[:i]) / i for i in range(1, len(c) + 1)]
        expected["aurc_softmax"] = sum(risks) / len(risks)
        for key, value in expected.items():
            assert found.value(key, at) == pytest.approx(value, rel=1e-9), (key, at)
    p = min(range(1, 11), key=lambda p: aurc(normalised_logit(z[fit], p), np.array(right)[fit]))
    expected_aurc = aurc(normalised_logit(z[report], p), np.array(right)[report])
    assert found.value("aurc_norm") == pytest.approx(expected_aurc, rel=1e-12)
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(odds(z[fit]), np.array(right)[fit])
    expected_isotonic = plain_ece(isotonic.predict(odds(z[report])).tolist(), [right[i] for i in report])
    assert found.value("ece_isotonic", SCALED) == pytest.approx(expected_isotonic, rel=1e-9)
    assert found.value("accuracy") == pytest.approx(accuracy_score(y[report], A.predictions[report]))
    wrong = [np.std(np.delete(row, label)) for row, label in zip(z[report], y[report], strict=True)]
    assert found.value("spread") == pytest.approx(np.mean(wrong))


def odds(z: np.ndarray) -> np.ndarray:
    c = softmax(z, axis=1).max(axis=1)
    return np.log(c) - np.log1p(-c)


def test_numbers_are_their_definitions_on_the_other_half() -> None:
    check_numbers()


def check_no_leak() -> None:
    """Whatever was right in the reported half, what was fitted stays; and the other way round."""
    fit, report = halves(A)
    whole = CALIBRATED.Calibrated.of(A)
    guess = A.predictions.copy()
    guess[report] = np.roll(guess[report], 1)
    turned = CALIBRATED.Calibrated.of(changed(A, guess))
    assert turned.temperature == whole.temperature
    assert turned.ece_temperature == whole.ece_temperature
    assert turned.norm == whole.norm
    assert turned.value("ece") != whole.value("ece")
    guess = A.predictions.copy()
    guess[fit] = np.roll(guess[fit], 1)
    turned = CALIBRATED.Calibrated.of(changed(A, guess))
    assert turned.ece_temperature != whole.ece_temperature
    for key in ("ece", "accuracy", "aurc_softmax", "smooth_ece"):
        assert turned.value(key) == whole.value(key)


def changed(a: Activations, predictions: np.ndarray) -> Activations:
    return Activations(
        a.features, a.labels, predictions, a.indices, a.class_names, a.run, a.split, a.head, a.dataset_id
    )


def test_nothing_is_reported_on_what_it_was_fitted_on() -> None:
    check_no_leak()


@pytest.mark.parametrize("factor", [0.2, 1.0, 5.0])
def test_scaling_undoes_a_factor_of_the_logits_and_leaves_accuracy(factor: float) -> None:
    plain, other = Calibrated.of(A), Calibrated.of(sharper(A, factor))
    assert other.temperature.value == pytest.approx(plain.temperature.value * factor, rel=1e-5)
    for key in ("ece", "nll", "brier", "smooth_ece", "aurc_softmax"):
        assert other.value(key, SCALED) == pytest.approx(plain.value(key, SCALED), rel=1e-3)
    assert other.value("accuracy") == plain.value("accuracy")
    assert ("accuracy", SCALED) not in plain.numbers
    z = sharper(A, factor).logits()
    assert accuracy_score(A.labels, (z / other.temperature.value).argmax(axis=1)) == accuracy_score(
        A.labels, z.argmax(axis=1)
    )


def check_order() -> None:
    order = np.random.default_rng(0).permutation(len(A))
    here, there = CALIBRATED.Calibrated.of(A), CALIBRATED.Calibrated.of(A.take(order))
    for key in here.numbers:
        assert there.numbers[key].value == pytest.approx(here.numbers[key].value, rel=1e-9)
    assert here.same_examples(there)
    difference = here.difference_to(there, "nll")
    assert difference.value == pytest.approx(0, abs=1e-12)
    assert difference.variance is None or difference.variance < 1e-20


def test_the_order_of_the_file_does_not_matter() -> None:
    check_order()


def test_differences_are_paired_on_the_same_examples_only() -> None:
    a, b = Calibrated.of(A), Calibrated.of(sharper(A, 1.5))
    assert a.same_examples(b)
    terms = b.numbers["nll", PLAIN].terms - a.numbers["nll", PLAIN].terms
    paired = a.difference_to(b, "nll")
    assert paired.value == pytest.approx(terms.mean())
    assert paired.variance == pytest.approx(terms.var(ddof=1) / len(terms))
    apart = Calibrated.of(B)
    assert not a.same_examples(apart)
    independent = a.difference_to(apart, "nll")
    assert independent.variance == pytest.approx(
        sum(c.numbers["nll", PLAIN].terms.var(ddof=1) / c.n for c in (a, apart))
    )
    assert a.difference_to(b, "naurc_norm").variance is None
    assert a.difference_to(b, "accuracy", SCALED) is None


def test_bounds() -> None:
    found = Calibrated.of(A)
    terms = found.numbers["nll", PLAIN].terms
    half = 1.959964 * math.sqrt(terms.var(ddof=1) / len(terms))
    assert found.bounds("nll") == pytest.approx((terms.mean() - half, terms.mean() + half))
    assert found.bounds("naurc_norm") is None
    assert found.bounds("nonsense") is None
    assert found.value("nonsense") is None
    for number in TABLES[CALIBRATION]:
        for at in (PLAIN, SCALED):
            bounds = found.bounds(number.key, at)
            assert bounds is None or number.key == "confidence_gap" or bounds[0] >= 0
    assert {key for key, _ in found.numbers} == {n.key for n in TABLES[CALIBRATION]}


def test_intervals_end_where_a_number_ends_and_are_never_empty() -> None:
    found = Calibrated.of(A)
    n, right = found.n, round(found.value("accuracy") * found.n)
    expected = binomtest(right, n).proportion_ci(0.95, "wilson")
    assert found.bounds("accuracy") == pytest.approx((expected.low, expected.high))
    z = 9.0 * np.eye(7)[A.labels]
    all_right = Calibrated.of(
        Activations(
            z,
            A.labels,
            A.labels,
            A.indices,
            A.class_names,
            "all",
            "train",
            Head(np.eye(7), np.zeros(7)),
            "made",
        )
    )
    assert all_right.value("accuracy") == 1
    assert all_right.bounds("accuracy") == pytest.approx(
        binomtest(all_right.n, all_right.n).proportion_ci(0.95, "wilson")
    )
    assert all_right.value("aurc_softmax") == 0
    assert all_right.bounds("aurc_softmax") is None, "no error among these says little of others"
    for number in TABLES[CALIBRATION]:
        bounds = all_right.bounds(number.key)
        assert bounds is None or bounds[0] < bounds[1]


def test_no_finite_temperature() -> None:
    right = changed(A, A.labels)
    z = 50.0 * np.eye(7)[A.labels]
    sure = Activations(
        z, A.labels, A.labels, A.indices, A.class_names, "sure", "train", Head(np.eye(7), np.zeros(7)), "made"
    )
    found = Calibrated.of(sure)
    assert not found.temperature.finite
    assert found.value("ece", SCALED) is None
    assert found.value("accuracy") == 1
    assert np.isfinite(found.value("ece"))
    assert Calibrated.of(right).temperature.finite


def test_what_cannot_be_measured_is_refused() -> None:
    bare = Activations(A.features, A.labels, A.predictions, A.indices, A.class_names, "bare", "validation")
    with pytest.raises(ActivationsError, match="bare has no linear head"):
        Calibrated.of(bare)
    with pytest.raises(ActivationsError, match="too few validation examples"):
        Calibrated.of(A.take(np.arange(12)))


def other_half(fit: Callable) -> Callable:
    """The map is fitted on what it is reported on."""
    report = halves(A)[1]
    right = (A.predictions == A.labels).astype(float)[report]
    return staticmethod(lambda scores, correct: fit(odds(A.logits()[report]), right))


def told_of_all(of: Callable) -> Callable:
    """The temperature knows how many of all examples are right."""

    def wrong(a: Activations) -> Calibrated:
        t = (found := of(a)).temperature
        return replace(found, temperature=replace(t, value=t.value * (a.predictions == a.labels).mean()))

    return staticmethod(wrong)


def as_stored(of: Callable) -> Callable:
    """The reported examples stand in the order of the file."""
    return staticmethod(lambda a: replace(of(a), examples=(a.dataset_id, a.indices[halves(a)[1]])))


def shuffled(of: Callable) -> Callable:
    """So do the terms of a number, and the indices beside them do not."""

    def wrong(a: Activations) -> Calibrated:
        found, report = of(a), halves(a)[1]
        order = np.argsort(np.argsort(a.indices[report]))
        nll = found.numbers["nll", PLAIN]
        return replace(found, numbers={**found.numbers, ("nll", PLAIN): replace(nll, terms=nll.terms[order])})

    return staticmethod(wrong)


MUTANTS: dict[str, Planted] = {
    "half of the half": (
        check_numbers,
        CALIBRATED,
        "fit_temperature",
        lambda fit: lambda z, y: fit(z[::2], y[::2]),
    ),
    "rows of other examples": (
        check_numbers,
        CALIBRATED,
        "numbers_at",
        lambda of: lambda z, y, right, scaled: of(z, y, np.roll(right, 1), scaled),
    ),
    "a map of the other half": (check_numbers, CALIBRATED.Isotonic, "fit", other_half),
    "bins of equal width": (check_numbers, CALIBRATED, "adaptive_gaps", lambda _: CALIBRATED.ece_gaps),
    "another norm": (check_numbers, CALIBRATED, "normalised_logit", lambda of: lambda z, p: of(z, 3 * p)),
    "fitted on all": (
        check_no_leak,
        CALIBRATED,
        "halve",
        lambda halve: lambda rows, seed: (np.arange(len(A)), halve(rows, seed)[1]),
    ),
    "a temperature that knows all": (check_no_leak, Calibrated, "of", told_of_all),
    "examples as stored": (check_order, Calibrated, "of", as_stored),
    "terms as stored": (check_order, Calibrated, "of", shuffled),
}


test_an_error_is_seen = each_is_seen(MUTANTS)
