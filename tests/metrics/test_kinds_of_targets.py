"""Stars, gaps and sentences follow the kind of the targets."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import make

from penviz.metrics.target_vectors import Targets
from penviz.plot.theme import abbreviated, short_names, targets_name
from penviz.plot.words import optimum_words
from penviz.projection.build_panel import build_grid, build_panel
from penviz.projection.panel import Panel
from penviz.projection.plane import Plane
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.run_activations import targets_of
from penviz.store.run_config import RunConfig
from penviz.store.run_differences import differences
from penviz.store.runs import Run
from penviz.study.finding import NONE_DRAWN, Compared, Finding
from penviz.study.table import compare
from penviz.study.tightness_finding import plane_finding

CLASSES = (0, 4, 2)
PRIOR = (0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1)


def gaps_at_stars(panel: Panel) -> np.ndarray:
    """Logit differences z_j - z_i of the three classes at the three stars."""
    head = make(n_classes=7, n=400).head
    assert head is not None
    z = Plane.of_head(head, CLASSES).logit_differences(panel.ideal_xy * panel.unit)
    return np.concatenate([np.zeros((3, 1)), z], axis=1)


def own_gap(targets: Targets) -> float:
    """The logit of the true class over another at its star, which must be equal for all six pairs."""
    z = gaps_at_stars(build_panel(make(n=400), CLASSES, targets=targets))
    found = [z[i, i] - z[i, j] for i in range(3) for j in range(3) if i != j]
    assert np.ptp(found) < 1e-9
    return float(found[0])


@pytest.mark.parametrize("kind", ["uniform", "others", "binary", "sampled", "clip"])
def test_stars_of_every_kind(kind: str) -> None:
    a, k = 0.1, 7
    expected = {
        "uniform": math.log((1 - a + a / k) / (a / k)),
        "sampled": math.log((1 - a + a / k) / (a / k)),
        "others": math.log((1 - a) / (a / (k - 1))),
        "binary": 2 * math.log((1 - a / 2) / (a / 2)),
        "clip": math.log((1 - a) / (a / 9)),
    }[kind]
    assert own_gap(Targets(kind, a)) == pytest.approx(expected, abs=1e-9)
    wrong = own_gap(Targets("uniform", 0.2))
    assert abs(wrong - expected) > 0.1


def test_stars_of_a_prior_are_nearer_to_classes_of_more_weight() -> None:
    targets = Targets("prior", 0.2, PRIOR)
    z = gaps_at_stars(build_panel(make(n=400), CLASSES, targets=targets))
    for i, own in enumerate(CLASSES):
        for j, other in enumerate(CLASSES):
            if i != j:
                gap = math.log((0.8 + 0.2 * PRIOR[own]) / (0.2 * PRIOR[other]))
                assert z[i, i] - z[i, j] == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize(
    "targets",
    [Targets("unknown"), Targets("distilled"), Targets("hard", 0.0), Targets("prior", 0.1)],
    ids=lambda t: t.kind,
)
def test_there_is_no_star_without_an_optimum(targets: Targets) -> None:
    (row,) = build_grid([{"train": make()}], CLASSES, targets=[targets])
    assert row[0].ideal_xy is None
    table = compare([{"train": SplitStatistics.of(make())}], CLASSES, targets=[targets])
    assert table.row("gap_ratio").values[0]["train"] is None


@pytest.mark.parametrize(
    ("targets", "best"),
    [(Targets("uniform", 0.1), None), (Targets("others", 0.1), math.log(0.9 / (0.1 / 6)))],
    ids=["uniform", "others"],
)
def test_the_share_of_the_optimal_gap(targets: Targets, best: float | None) -> None:
    a = make(n=300)
    table = compare([{"train": SplitStatistics.of(a)}], CLASSES, targets=[targets])
    z = a.logits()
    gap = np.mean([z[i, y] - (z[i].sum() - z[i, y]) / 6 for i, y in enumerate(a.labels)])
    best = best or math.log((0.9 + 0.1 / 7) / (0.1 / 7))
    assert table.row("gap_ratio").values[0]["train"] == pytest.approx(gap / best, rel=1e-6)


def test_the_share_of_the_gap_of_a_prior_is_over_the_examples() -> None:
    a, targets = make(n=300), Targets("prior", 0.2, PRIOR)
    table = compare([{"train": SplitStatistics.of(a)}], CLASSES, targets=[targets])
    z, best = a.logits(), []
    for y in a.labels:
        q = [0.8 * (k == y) + 0.2 * PRIOR[k] for k in range(7)]
        best.append(math.log(q[y]) - sum(math.log(q[k]) for k in range(7) if k != y) / 6)
    gap = np.mean([z[i, y] - (z[i].sum() - z[i, y]) / 6 for i, y in enumerate(a.labels)])
    expected = gap / np.mean(best)
    assert table.row("gap_ratio").values[0]["train"] == pytest.approx(expected, rel=1e-6)


# Words.


def say(*targets: Targets, differ: tuple[str, ...] = ()) -> Finding:
    runs = [{"train": SplitStatistics.of(make(n=1200, noise=1 - 0.2 * i))} for i in range(len(targets))]
    names = [f"run {i}" for i in range(len(targets))]
    compared = Compared(names, targets, [0] * len(targets), differences=differ)
    return plane_finding(compared, compare(runs, CLASSES, targets=targets))


HARD = Targets("hard", 0.0)


def test_a_finding_names_the_kind() -> None:
    others = say(HARD, Targets("others", 0.1)).headline
    assert others.startswith("Label smoothing over the others (α = 0.1): ")
    assert say(HARD, Targets("uniform", 0.1)).headline.startswith("Label smoothing (α = 0.1): ")
    series = say(HARD, Targets("clip", 0.1), Targets("clip", 0.2)).headline
    assert series.endswith("at clipping of the targets 0, 0.1 and 0.2")
    equal = say(Targets("binary", 0.1), Targets("binary", 0.1)).headline
    assert "(label smoothing 0.1 of K sigmoids)" in equal


def test_two_kinds_allow_no_conclusion() -> None:
    for other in (0.1, 0.2):
        found = say(Targets("uniform", 0.1), Targets("others", other))
        assert found.kind == "differs"
        assert found.headline == (
            "These runs differ in the kind of their targets (label smoothing and label smoothing over the "
            f"others): {NONE_DRAWN}"
        )


def test_another_loss_allows_no_conclusion() -> None:
    found = say(HARD, Targets("binary", 0.1), differ=("targets", "label_smoothing", "loss"))
    assert found.kind == "differs"
    assert found.headline.startswith("These runs also differ in loss:")


def test_a_student_is_not_called_unknown() -> None:
    found = say(HARD, Targets("distilled"))
    assert found.headline.startswith("run 1 learned from a teacher")
    assert say(HARD, Targets("unknown")).headline.startswith("The targets of run 1 are not known")


def test_names_of_panels_and_columns() -> None:
    assert targets_name(0.1) == "label smoothing α = 0.1"
    assert targets_name(0.1, "others") == "label smoothing α = 0.1 over the others"
    assert abbreviated(targets_name(0.1, "others")) == "α = 0.1 over the others"
    assert targets_name(None, "distilled") == "distilled targets"
    assert short_names([0.1, 0.1], ["a", "b"], ["uniform", "others"]) == [
        "label smoothing α = 0.1",
        "label smoothing α = 0.1 over the others",
    ]
    panel = build_panel(make(), CLASSES, targets=Targets("others", 0.1))
    assert panel.title == "label smoothing 0.1 over the others, train"
    assert panel.targets == "others"
    student = build_panel(make(), CLASSES, targets=Targets("distilled"))
    assert optimum_words([student]) == "no optimum for distilled targets"


def made_run(name: str, record: dict[str, object] | None = None, **fields: object) -> Run:
    return Run(Path(name), name, replace(RunConfig("digits", "fc800"), **fields), record=record or {})


def test_differences_between_kinds() -> None:
    hard = made_run("hard")
    soft = made_run("soft", targets="uniform", label_smoothing=0.1)
    others = made_run("others", targets="others", label_smoothing=0.1)
    given = made_run("given", targets="prior", label_smoothing=0.1, prior=(0.5, 0.5))
    other = made_run("other", targets="prior", label_smoothing=0.1, prior=(0.4, 0.6))
    assert differences([hard, soft]) == ["targets", "label_smoothing"]
    assert differences([hard, given]) == ["targets", "label_smoothing"]
    assert differences([given, other]) == ["prior"]
    assert differences([soft, others]) == ["targets", "kind_of_targets"]
    sigmoids = made_run("sigmoids", targets="binary", label_smoothing=0.1)
    assert differences([hard, sigmoids]) == ["targets", "label_smoothing", "loss"]
    assert differences([sigmoids, made_run("more", targets="binary", label_smoothing=0.2)]) == [
        "label_smoothing"
    ]
    assert targets_of(given) == Targets("prior", 0.1, (0.5, 0.5))
    measured = made_run("m", {"prior": [0.7, 0.3]}, targets="prior", label_smoothing=0.1)
    assert targets_of(measured) == Targets("prior", 0.1, (0.7, 0.3))
