"""The calibration figures as data against plain loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from small_runs import make_run, small_activations

from penviz import InputError
from penviz.figures import charts
from penviz.figures.charts import calibration
from penviz.metrics.calibration.calibrated import PLAIN, SCALED, Calibrated
from penviz.metrics.calibration.reliability import Reliability
from penviz.metrics.calibration.temperature import halve
from penviz.metrics.collapse.moments import class_rows
from penviz.store.activations import Activations
from penviz.store.run_activations import load
from penviz.store.run_config import RunConfig
from penviz.store.runs import Run, read_run
from penviz.study.calibration_comparison import CalibrationComparison
from penviz.study.study_run import StudyRun


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return [make_run(tmp_path, "hard"), make_run(tmp_path, "soft", 0.1)]


def reported(a: Activations, seed: int) -> np.ndarray:
    """Rows of the half that is reported on."""
    return halve(class_rows(a.labels, len(a.class_names), a.indices), seed)[1]


def probabilities(a: Activations, temperature: float) -> np.ndarray:
    z = a.logits().astype(np.float64) / temperature
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def bins_by_loop(a: Activations, temperature: float, seed: int) -> dict[int, tuple[int, float, float]]:
    """Bin -> (n, mean confidence, accuracy) of the reported half, 15 bins closed on the right."""
    held: dict[int, list[tuple[float, bool]]] = {}
    p = probabilities(a, temperature)
    for row in reported(a, seed):
        confidence = float(p[row].max())
        b = next(k for k in range(15) if confidence <= (k + 1) / 15 + 1e-15 or k == 14)
        held.setdefault(b, []).append((confidence, bool(p[row].argmax() == a.labels[row])))
    return {
        b: (len(own), float(np.mean([c for c, _ in own])), float(np.mean([r for _, r in own])))
        for b, own in held.items()
    }


@pytest.mark.parametrize("seed", [0, 3])
def test_diagrams_are_those_of_the_half_that_nothing_was_fitted_on(pair: list[Path], seed: int) -> None:
    runs = [read_run(path) for path in pair]
    made = charts.build("reliability", runs, {"seed": seed})
    assert [c.title for c in made] == ["Before temperature scaling", "After temperature scaling"]
    for number, run in enumerate(runs):
        a = load(run)["validation"]
        temperature = Calibrated.of(a, seed).temperature.value
        for chart, t in zip(made, (1.0, temperature), strict=True):
            band, series = chart.series[number], chart.series[2 + number]
            wanted = bins_by_loop(a, t, seed)
            order = sorted(wanted)
            counts = np.array([wanted[b][0] for b in order])
            np.testing.assert_allclose(series.x, [wanted[b][1] for b in order], rtol=1e-9)
            np.testing.assert_allclose(series.y, [wanted[b][2] for b in order], rtol=1e-9)
            assert series.labels == tuple(f"n = {n:,}" for n in counts)
            np.testing.assert_allclose(series.weights**2, counts / counts.max())
            assert (series.colour, band.band_alone) == (number, True)
            low, high = binom.ppf([[0.025], [0.975]], counts, series.x) / counts
            np.testing.assert_allclose([band.low, band.high], [low, high])


def test_the_ece_in_the_legend_is_that_of_the_bins_drawn(pair: list[Path]) -> None:
    for chart in charts.build("reliability", [read_run(p) for p in pair], {}):
        for series in chart.series[2:]:
            n = np.array([int(word.removeprefix("n = ").replace(",", "")) for word in series.labels])
            ece = float((n * np.abs(series.x - series.y)).sum() / n.sum())
            assert float(series.name.split("ECE ")[1].split(", ")[0]) == pytest.approx(ece, rel=5e-3)


def test_bounds_of_a_bin_solve_wilsons_equation() -> None:
    bins = Reliability(
        np.linspace(0, 1, 5), np.array([10, 0, 1, 400]), np.full(4, 0.5), np.array([0.3, np.nan, 1.0, 0.97])
    )
    for ends in bins.bounds():
        assert np.isnan(ends[1])
        for p, a, n in zip(ends, bins.accuracy, bins.counts, strict=True):
            if n:
                assert abs(a - p) == pytest.approx(1.959963984540054 * np.sqrt(p * (1 - p) / n), abs=1e-12)
    low, high = bins.bounds()
    assert high[2] == pytest.approx(1)
    assert (low[[0, 2, 3]] < high[[0, 2, 3]]).all()


def test_risk_is_the_share_of_errors_among_the_surest(pair: list[Path]) -> None:
    runs = [read_run(path) for path in pair]
    made = charts.build("risk-coverage", runs, {})
    assert [c.title for c in made] == list(calibration.SCORES.values())
    area = np.zeros((2, 3))
    for number, run in enumerate(runs):
        a = load(run)["validation"]
        rows = reported(a, 0)
        z = a.logits().astype(np.float64)[rows]
        wrong = a.predictions[rows] != a.labels[rows]
        norm = Calibrated.of(a).norm
        centred = z - z.mean(axis=1, keepdims=True)
        scores = {
            "max-softmax": probabilities(a, 1.0)[rows].max(axis=1),
            "max-logit": z.max(axis=1),
            "p-norm logit": centred.max(axis=1) / (np.abs(centred) ** norm).sum(axis=1) ** (1 / norm),
        }
        for position, chart in enumerate(made):
            order = np.argsort(-scores[chart.title], kind="stable")
            risk = [wrong[order[: i + 1]].mean() for i in range(len(rows))]
            series = chart.series[number]
            at = np.rint(series.x * len(rows)).astype(int) - 1
            np.testing.assert_allclose(series.y, np.array(risk)[at], atol=1e-12)
            area[number, position] = np.mean(risk)
            assert float(series.name.split("AURC ")[1]) == pytest.approx(np.mean(risk), rel=6e-3, abs=1e-9)
    for position, chart in enumerate(made):
        said = float(chart.notes[0].removeprefix("difference ").replace("−", "-"))
        assert said == pytest.approx(area[1, position] - area[0, position], rel=6e-3, abs=1e-9)


def test_the_forest_holds_the_numbers_of_both_sides_of_the_temperature(pair: list[Path]) -> None:
    runs = [read_run(path) for path in pair]
    made = {c.title: c for c in charts.build("calibration", runs, {"seed": 3})}
    for number, run in enumerate(runs):
        a = load(run)["validation"]
        t, rows = Calibrated.of(a, 3).temperature, reported(a, 3)
        picked = np.arange(len(rows)), a.labels[rows]
        at = [probabilities(a, value)[rows] for value in (1.0, t.value)]
        np.testing.assert_allclose(made["NLL"].series[number].y, [-np.log(p[picked]).mean() for p in at])
        squares = [((p - np.eye(p.shape[1])[a.labels[rows]]) ** 2).sum(axis=1).mean() for p in at]
        np.testing.assert_allclose(made["Brier score"].series[number].y, squares)
        fitted = made["Fitted T"].series[number]
        assert fitted.y.tolist() == [t.value]
        right = int((a.predictions[rows] == a.labels[rows]).sum())
        ends = binomtest(right, len(rows)).proportion_ci(method="wilson")
        accuracy = made["Accuracy"].series[number]
        np.testing.assert_allclose([accuracy.low[0], accuracy.high[0]], ends)
        apart = [s.x[0] for s in made["NLL"].series]
        assert apart[0] < 0 < apart[1]


def test_curves_share_their_limits_so_that_they_can_be_compared(pair: list[Path]) -> None:
    made = charts.build("risk-coverage", [read_run(p) for p in pair], {"scores": ["logit", "softmax"]})
    assert [c.title for c in made] == ["max-logit", "max-softmax"]
    assert len({c.y_limits for c in made}) == 1


def test_without_the_scaled_curve(pair: list[Path]) -> None:
    made = calibration.reliability([read_run(pair[0])], split="validation", seed=0, scaled=False)
    assert len(made) == 1
    assert "After temperature scaling" not in made[0].about


def test_a_network_that_is_always_right_has_no_scaled_curve(tmp_path: Path) -> None:
    a = small_activations()
    found = Calibrated.of(
        Activations(
            a.features, a.logits().argmax(axis=1), a.predictions, a.indices, a.class_names, "sure", "train",
            a.head, "small", a.checkpoint_sha256,
        )
    )  # fmt: skip
    assert not found.temperature.finite
    assert SCALED not in found.reliability
    run = Run(Path("sure"), "sure", RunConfig("small", "fc800", "unknown", None))
    measured = CalibrationComparison((StudyRun(run, {}),), (found,), "train", 0)
    (chart,) = calibration.reliability_charts(measured)
    assert len(chart.series) == 2
    assert "No finite temperature fits sure best." in chart.about
    risk = calibration.risk_charts(measured)
    assert all(c.y_limits == (0, 1) for c in risk)
    assert found.reliability[PLAIN].counts.sum() == found.n


@pytest.mark.parametrize("name", list(charts.FIGURES))
def test_every_figure_has_what_the_registry_says(name: str) -> None:
    settings, build, files = charts.chart_figure(name)
    module = charts.FIGURES[name]
    assert module.startswith("penviz.figures.charts."), "so that the layer test sees its imports"
    assert build.__module__ == files.__module__ == module
    assert isinstance(settings, dict)


def test_unknown_figures_and_options_are_one_sentence(pair: list[Path]) -> None:
    runs = [read_run(pair[0])]
    for name, options, words in (
        ("nothing", {}, "no figure nothing"),
        ("reliability", {"bins": 3}, "no option bins"),
        ("reliability", {"seed": "x"}, "cannot be 'x'"),
        ("reliability", {"seed": 0.5}, "cannot be 0.5"),
        ("reliability", {"seed": None}, "cannot be None"),
        ("reliability", {"seed": -1}, "must be at least 0"),
        ("sweep", {"classes": [[0], 1, 2]}, "cannot be"),
        ("sweep", {"classes": 5}, "cannot be 5"),
        ("reliability", {"seed": True}, "cannot be True"),
        ("reliability", {"scaled": 1}, "cannot be 1"),
        ("reliability", {"split": "nowhere"}, "no split nowhere"),
        ("reliability", {"split": "test"}, "has no test activations"),
        ("risk-coverage", {"scores": []}, "at least one score"),
        ("risk-coverage", {"scores": ["x"]}, "no score x"),
    ):
        with pytest.raises(InputError, match=words):
            charts.build(name, runs, options)
    with pytest.raises(InputError, match="Name the runs"):
        charts.build("reliability", [], {})
    with pytest.raises(InputError, match="at most 12"):
        charts.build("reliability", runs * 13, {})
