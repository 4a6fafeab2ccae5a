"""What speaks against a conclusion: points, the bias switch, two seeds, the median of all triples, copies."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from small_findings import CLASSES, run, say, scaled
from synthetic import make

from penviz.metrics.intervals.bootstrap import Change
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import change_text
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.head import Head
from penviz.study.finding import Compared
from penviz.study.table import compare
from penviz.study.tightness_finding import plane_finding


@pytest.mark.parametrize("width", [0.0, 1e-9])
def test_clusters_that_are_points_are_not_compared(width: float) -> None:
    """One example a class has no radius; and one of rounding would make any change of it."""
    wide = [run(1.0, seed) for seed in range(3)]
    points = [run(width, seed, n=8 if width == 0 else 600) for seed in range(3)]
    seeds = [0, 1, 2] * 2
    finding = say([*points, *wide], [0, 0, 0, 0.1, 0.1, 0.1], seeds)
    assert finding.kind == "unclear"
    assert finding.headline == "Clusters that are single points cannot be compared"


def test_a_triple_that_does_not_move_is_not_counted_as_tighter() -> None:
    """The triples that are tighter, counted one by one, the chosen one among them only where it is."""
    for seed in range(8):
        runs = [run(1.0), run(1.0, seed=seed + 5)]
        finding = say(runs, [0, 0.1])
        if finding.kind != "unclear":
            continue
        n = len(runs[0]["train"].activations.class_names)
        count = 0
        for triple in combinations(range(n), 3):
            before, after = (
                float(Projection.of(r["train"].activations, triple).clusters.rho_d()) for r in runs
            )
            count += after < before
        assert f"Of all 35 triples {count} are tighter" in finding.detail


@pytest.mark.parametrize("bias", [True, False])
def test_a_conclusion_that_changes_with_the_bias_switch_is_not_drawn(bias: bool) -> None:
    """A copy with features times 100 and weights over 100 is the same function, and its plane another."""
    plain = run(1.0)
    copy = scaled(plain, 100)
    ratios = [
        [float(Projection.of(r["train"].activations, CLASSES, b).clusters.rho_d()) for r in (plain, copy)]
        for b in (True, False)
    ]
    assert abs(ratios[0][1] / ratios[0][0] - 1) > 0.25  # looser or tighter by the paper's plane alone
    assert ratios[1][1] == pytest.approx(ratios[1][0], rel=1e-5)
    finding = say([plain, copy], [0, 0.1], bias=bias)
    assert finding.kind == "depends"
    assert finding.headline.endswith("it depends on whether the bias counts as part of the template")
    table = compare([plain, copy], CLASSES, bias=bias)
    with_bias, without = (table.row("rho_d"), table.switched)[:: 1 if bias else -1]
    assert [v["train"] for v in with_bias.values] == pytest.approx(ratios[0])
    assert [v["train"] for v in without.values] == pytest.approx(ratios[1])
    assert table.row("rho_d").number.scale_free is not bias
    assert say([run(1.0), run(0.7)], [0, 0.1], bias=bias).kind == "tighter"


def test_without_a_bias_there_is_one_plane() -> None:
    runs = []
    for noise in (1.0, 0.7):
        own = {s: v.activations for s, v in run(noise).items()}
        runs.append(
            {s: SplitStatistics.of(replace(a, head=Head(a.head.weight, None))) for s, a in own.items()}
        )
    table = compare(runs, CLASSES)
    assert table.switched is None
    assert all(table.row(key).number.scale_free for key in ("rho_d", "plane_share", "radius_ratio"))
    assert say(runs, [0, 0.1]).kind == "tighter"


def test_over_seeds_the_bias_switch_counts_too() -> None:
    hard = [run(1.0, seed) for seed in range(3)]
    runs = [*hard, *(scaled(run(1.0, seed + 3), 100) for seed in range(3))]
    assert say(runs, [0, 0, 0, 0.1, 0.1, 0.1], seeds=[0, 1, 2, 0, 1, 2]).kind == "depends"


def test_a_change_that_two_seeds_often_show_is_no_difference() -> None:
    runs = [run(1.0, n=60_000), run(0.93, n=60_000)]
    change = compare(runs, CLASSES).row("rho_d").changes["train"]
    assert change.clear
    assert -0.1 < change.value < -0.05
    unknown = say(runs, [0, 0.1])
    assert (unknown.kind, unknown.headline) == ("unclear", "No clear difference")
    assert "was not measured" in unknown.detail
    measured = say(runs, [0, 0.1], recipe=("cifar10", "tutorial_alexnet"))
    assert measured.kind == "tighter"
    assert "Two seeds of this recipe differ by about" in measured.detail


def test_a_trifle_over_seeds_is_no_difference() -> None:
    """Three seeds a side that hardly vary: an interval that excludes 0 by far less than matters."""
    table = compare([run(1.0)] * 6, CLASSES)
    values = tuple({"train": 0.3 * f} for f in (1, 1.0001, 0.9999, 1.01, 1.0101, 1.0099))
    small = replace(table, rows=(replace(table.row("rho_d"), values=values),), switched=None, alike=())
    targets = [Targets.of(a) for a in (0, 0, 0, 0.1, 0.1, 0.1)]
    given = Compared("abcdef", targets, [0, 1, 2] * 2)
    assert plane_finding(given, small).kind == "unclear"
    wide = tuple({"train": v["train"] * (1.03 if i > 2 else 1)} for i, v in enumerate(values))
    large = replace(small, rows=(replace(small.rows[0], values=wide),))
    assert plane_finding(given, large).kind == "looser"


def test_a_triple_against_the_median_of_all_is_mixed() -> None:
    """Class 0 alone is tightened, and all the others are loosened."""
    runs = [run(1.0, n=3000), run(1.5, n=3000)]
    made = {}
    for split, summary in runs[1].items():
        a = summary.activations
        means = np.array([a.features[a.labels == k].mean(axis=0) for k in range(7)])
        factor = np.where(np.isin(a.labels, (0, 4, 2)), 0.3, 1.0)[:, None]
        features = (means[a.labels] + factor * (a.features - means[a.labels])).astype(np.float32)
        made[split] = SplitStatistics.of(replace(a, features=features))
    finding = say([runs[0], made], [0, 0.1])
    assert finding.kind == "mixed"
    assert re.search(r"tighter .*, but the median of all triples is \d+ % looser$", finding.headline)
    assert say([runs[0], made], [0, 0.1], classes=(1, 3, 5)).kind == "looser"


def test_one_network_under_two_alphas_is_not_compared() -> None:
    plain = run(1.0)
    for copy in (
        plain,
        {s: SplitStatistics.of(replace(v.activations, checkpoint_sha256="other")) for s, v in plain.items()},
    ):
        finding = say([plain, copy], [0, 0.1])
        assert finding.kind == "same"
        assert "one and the same network" in finding.headline
        assert say([plain, copy], [0, 0]).kind == "equal"
    hard = [run(1.0, seed) for seed in range(3)]
    copies = [run(0.7, 0)] * 3
    assert say([*hard, *copies], [0, 0, 0, 0.1, 0.1, 0.1], seeds=[0, 1, 2] * 2).kind == "series"


def test_runs_that_hold_other_examples_are_called_so() -> None:
    other = {
        s: SplitStatistics.of(make(1, split=s, n=1200, noise=0.7, dataset_id="other")) for s in ("train",)
    }
    finding = say([run(1.0), other], [0, 0.1])
    assert "The two hold different examples" in finding.detail
    assert "different examples" not in say([run(1.0), run(0.7)], [0, 0.1]).detail


@pytest.mark.parametrize("wide", [Change(-0.2, -0.6, 0.9), Change(0.6, 0.01, 4.0), Change(-0.9, -1.0, 0.1)])
def test_an_interval_too_wide_to_read_is_not_printed(wide: Change) -> None:
    table = compare([run(1.0), run(0.7)], CLASSES)
    row = replace(table.row("rho_d"), changes={"train": wide, "validation": wide})
    compared = Compared(["a", "b"], [Targets.of(0.0), Targets.of(0.1)], [0, 0])
    finding = plane_finding(compared, replace(table, rows=(row,)))
    assert (finding.kind, finding.headline) == ("unclear", "Too few examples for an interval")
    assert "too wide" in finding.detail
    assert change_text(wide) == f"{round(100 * wide.value):+d} %"
