"""The sentence of `penviz calibrate`, case by case; its numbers are those of the table."""

from __future__ import annotations

import re

import numpy as np
import pytest
from synthetic import make

from penviz.metrics.calibration.calibrated import SCALED, Calibrated
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import three
from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.study.calibration_finding import calibration_finding
from penviz.study.finding import NONE_DRAWN, Compared


def network(factor: float, seed: int = 0, n: int = 1800, data: int = 0) -> Calibrated:
    """A run whose logits are `factor` times as far apart; the same examples for the same `data`."""
    a = make(data, n=n, noise=1.5, split="validation")
    rng = np.random.default_rng([seed, data])
    head = Head(a.head.weight * factor, a.head.bias * factor)
    features = a.features + 0.05 * rng.normal(size=a.features.shape)
    guess = head.logits(features).argmax(axis=1)
    return Calibrated.of(
        Activations(
            features, a.labels, guess, a.indices, a.class_names, f"run {seed}", "validation", head, "made"
        )
    )


def said(found, alphas, seeds=None, differences=(), names=None, adopted=(), targets=()):
    names = names or [f"run {i}" for i in range(len(found))]
    targets = targets or [Targets.of(a) for a in alphas]
    compared = Compared(names, targets, seeds or [0] * len(found), adopted, differences)
    return calibration_finding(compared, found)


WIDE, NARROW = network(3.0), network(0.05)
UNKNOWN = Targets("unknown", None)


def test_one_run() -> None:
    finding = said([WIDE], [0.0], names=["mine"])
    assert finding.kind == "one"
    assert finding.headline == (
        f"mine: ECE {three(WIDE.value('ece'))} before temperature scaling "
        f"and {three(WIDE.value('ece', SCALED))} after it"
    )
    assert f"over-confident by {three(WIDE.value('confidence_gap'))}" in finding.detail
    assert "under-confident" in said([NARROW], [0.1]).detail
    assert f"Fitted on {WIDE.n_fit} validation examples, measured on {WIDE.n} others." in finding.detail


def test_pair_names_the_direction_with_both_numbers() -> None:
    finding = said([WIDE, network(1.0)], [0.0, 0.1])
    assert finding.kind == "lower"
    both = f"{three(WIDE.value('ece'))} → {three(network(1.0).value('ece'))}"
    assert finding.headline == (
        "Label smoothing (α = 0.1): ECE before temperature scaling is lower than with hard targets "
        f"({both}), in this pair of networks"
    )
    other = said([network(1.0), WIDE], [0.0, 0.1])
    assert other.kind == "higher"
    assert "is higher" in other.headline


def test_the_kind_of_soft_targets_is_named() -> None:
    hard, clip = Targets("hard", 0.0), Targets("clip", 0.1)
    finding = said([WIDE, network(1.0)], [0.0, 0.1], targets=[hard, clip])
    assert finding.headline.startswith("Clipping of the targets (α = 0.1): ")
    equal = said([WIDE, network(1.0)], [0.1, 0.1], targets=[clip, clip]).headline
    assert "(targets clipped by 0.1)" in equal
    three_levels = said(
        [WIDE, network(1.0), NARROW], [0.0, 0.1, 0.2], targets=[hard, clip, Targets("clip", 0.2)]
    ).headline
    assert three_levels.endswith("at clipping of the targets 0, 0.1 and 0.2")


def calibrated(mean: float, seed: int, n: int = 8000) -> Calibrated:
    """A network of two classes that is right as often as it says, by construction."""
    rng = np.random.default_rng(seed)
    confidences = np.clip(rng.beta(mean * 20, (1 - mean) * 20, n), 0.5, 1 - 1e-9)
    guess = rng.integers(0, 2, n)
    labels = np.where(rng.random(n) < confidences, guess, 1 - guess)
    z = np.log(confidences / (1 - confidences))[:, None] * np.eye(2)[guess]
    head = Head(np.eye(2), np.zeros(2))
    return Calibrated.of(
        Activations(z, labels, guess, np.arange(n), ("a", "b"), f"{mean}", "validation", head, f"set {seed}")
    )


def test_two_calibrated_networks_do_not_differ_by_the_floors_alone() -> None:
    kinds = [
        said([calibrated(0.83, seed), calibrated(0.98, 100 + seed)], [0.0, 0.1]).kind for seed in range(12)
    ]
    assert kinds == ["unclear"] * 12
    shown = said([calibrated(0.83, 0), calibrated(0.98, 100)], [0.0, 0.1]).detail
    assert "Perfect calibration would show" in shown


def test_order_of_the_runs_does_not_turn_the_sentence() -> None:
    one, two = said([WIDE, NARROW], [0.0, 0.1]), said([NARROW, WIDE], [0.1, 0.0])
    assert (one.headline, one.detail) == (two.headline, two.detail)
    assert "the first is over-confident by" in one.detail
    assert "the second under-confident by" in one.detail


def test_pair_without_a_clear_difference() -> None:
    finding = said([network(0.3), network(0.3, data=1)], [0.0, 0.1])
    assert finding.kind == "unclear"
    assert finding.headline.startswith("No conclusion, ")  # chance alone shows as much
    near = said([network(0.05), network(0.05, 1)], [0.0, 0.1])
    assert (near.kind, near.headline) == ("unclear", "No clear difference")


def test_a_difference_that_two_seeds_often_show_is_none() -> None:
    """The same examples, so that the interval excludes 0 however small the difference."""
    a, b = NARROW, network(0.06)
    change = a.difference_to(b, "ece").change(relative=False)
    assert change.clear
    assert -0.02 < change.value < 0
    assert said([a, b], [0.0, 0.1]).kind == "unclear"


def test_one_network_under_two_alphas_is_not_compared() -> None:
    finding = said([WIDE, WIDE], [0.0, 0.1])
    assert finding.kind == "same"
    assert "one and the same network" in finding.headline
    assert said([WIDE, WIDE], [0.1, 0.1]).kind == "equal"


def test_interval_of_the_pair_is_that_of_the_table() -> None:
    a, b = WIDE, network(1.0)
    low, high = a.difference_to(b, "ece").bounds()
    span = f"95 % CI {three(low)} to {three(high)}".replace("-", "−")
    assert span in said([a, b], [0.0, 0.1]).detail
    assert high < 0


def test_nothing_is_concluded_where_nothing_can_be() -> None:
    both = [WIDE, NARROW]
    assert said(both, [0.0, None]).kind == "unknown"
    assert "The targets of run 1 are not known" in said(both, [0.0, None]).headline
    differs = said(both, [0.0, 0.1], differences=["epochs", "label_smoothing", "targets"])
    assert (differs.kind, "epochs" in differs.headline) == ("differs", True)
    equal = said(both, [0.1, 0.1], seeds=[0, 1])
    assert "Both runs have the same targets (label smoothing 0.1)" in equal.headline
    assert "They differ in seed." in equal.detail
    for finding in (differs, said(both, [0.0, None])):
        assert NONE_DRAWN in finding.headline


def test_runs_that_penviz_did_not_train() -> None:
    both = [WIDE, NARROW]
    mixed = said(both, [0.0, 0.1], adopted=[False, True])
    assert mixed.kind == "adopted"
    stated = said(both, [0.0, 0.1], adopted=[True, True])
    assert stated.headline.startswith("Label smoothing (α = 0.1, as stated): ")
    assert "does not know what else differs." in stated.detail
    plain = said(both, [0.0, 0.1], adopted=[False, False])
    assert "as stated" not in plain.headline + plain.detail
    many = said(both * 3, [0.0, 0.1] * 3, seeds=[0, 0, 1, 1, 2, 2], adopted=[True] * 6)
    assert (many.kind, many.headline.endswith("training seeds are not known")) == ("series", True)
    assert said([*both, network(1.0)], [0.0, 0.1, 0.2], adopted=[True] * 3).detail.endswith(
        "what else differs."
    )


def test_three_alphas_are_a_series() -> None:
    finding = said([WIDE, NARROW, network(1.0)], [0.0, 0.2, 0.1])
    values = [three(c.value("ece")) for c in (WIDE, network(1.0), NARROW)]
    expected = f"is {values[0]}, {values[1]} and {values[2]} at label smoothing 0, 0.1 and 0.2"
    assert expected in finding.headline


def test_three_seeds_a_side_are_an_interval_over_seeds() -> None:
    hard = [network(3.0, s, data=s) for s in range(3)]
    soft = [network(1.0, s, data=s) for s in range(3)]
    finding = said([*hard, *soft], [0.0] * 3 + [0.1] * 3, seeds=[0, 1, 2] * 2)
    assert finding.kind == "lower"
    logs = [np.log([c.value("ece") for c in side]) for side in (hard, soft)]
    percent = round(100 * (1 - np.exp(logs[1].mean() - logs[0].mean())))
    assert f"is {percent} % lower than with hard targets, over 3 training seeds per" in finding.headline
    assert "Fitted T " in finding.detail
    few = said([*hard, *soft], [0.0] * 3 + [0.1] * 3, seeds=[0, 1, 1] * 2)
    assert (few.kind, few.headline.endswith("too few seeds for a conclusion")) == ("series", True)
    same = said([*soft, *soft], [0.0] * 3 + [0.1] * 3, seeds=[0, 1, 2] * 2)
    assert same.kind in ("same", "unclear")
    near = [network(1.0, s + 3, data=s) for s in range(3)]
    assert said([*soft, *near], [0.0] * 3 + [0.1] * 3, seeds=[0, 1, 2] * 2).kind == "unclear"


def test_no_finite_temperature_is_said() -> None:
    y = np.arange(70) % 7
    sure = Calibrated.of(
        Activations(
            50.0 * np.eye(7)[y], y, y, np.arange(70), tuple("abcdefg"), "sure", "train", Head(np.eye(7))
        )
    )
    finding = said([sure], [0.0])
    assert "No finite temperature fits best" in finding.detail
    assert "after" not in finding.headline
    assert "Scaled by" not in said([sure, WIDE], [0.0, 0.1]).detail


@pytest.mark.parametrize("alphas", [[0.0, 0.1], [0.1, 0.1], [0.0, None], [0.1, 0.4]])
def test_never_a_judgement(alphas: list[float | None]) -> None:
    for found in ([WIDE, NARROW], [NARROW, WIDE], [network(1.0), network(1.0, 3)]):
        finding = said(found, alphas)
        text = f"{finding.headline} {finding.detail}"
        assert not re.search(r"\b(better|worse|good|bad|improve|best|separat)", text, re.IGNORECASE)
        assert not finding.headline.endswith(".")
        assert finding.detail.endswith(".")
        assert "nan" not in text


def test_a_student_learned_from_a_teacher() -> None:
    targets = [Targets("hard", 0.0), Targets("distilled", None)]
    finding = said([WIDE, NARROW], [0.0, None], names=["hard", "student"], targets=targets)
    assert finding.headline.startswith("student learned from a teacher")
    finding = said([WIDE, NARROW], [0.0, None], names=["hard", "theirs"], targets=[targets[0], UNKNOWN])
    assert finding.headline.startswith("The targets of theirs are not known")
