from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from small_findings import CLASSES, headless, run, say
from synthetic import make

from penviz.metrics.intervals.bootstrap import Change
from penviz.metrics.wording import change_text, three
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.head import ActivationsError
from penviz.study.finding import NONE_DRAWN, Compared
from penviz.study.table import compare
from penviz.study.tightness_finding import plane_finding


def test_a_pair_that_is_tighter() -> None:
    """The one place where the whole sentence stands; the numbers in it are those of the table."""
    runs = [run(1.0), run(0.7)]
    finding = say(runs, [0, 0.1])
    row = compare(runs, CLASSES).row("rho_d")
    assert finding.kind == "tighter"

    def numbers(split: str) -> str:
        before, after = (own[split] for own in row.values)
        change = row.changes[split]
        value, low, high = (f"−{-round(100 * v)}" for v in (change.value, change.low, change.high))
        assert -1 < change.low < change.value < change.high < 0
        return f"{before:#.3g} → {after:#.3g} ({value} %, 95 % CI {low} to {high})"

    percent = round(100 * (1 - row.values[1]["train"] / row.values[0]["train"]))
    assert finding.headline == (
        f"Label smoothing (α = 0.1): training clusters are {percent} % tighter than with hard targets, "
        "in this pair of networks"
    )
    assert finding.detail.startswith(f"ρ/d {numbers('train')}; validation {numbers('validation')}. ")
    assert "95 % CI over examples; variation across training seeds is not included." in finding.detail
    more = say(runs, [0.1, 0.2])
    assert more.headline.startswith("More label smoothing (α = 0.2, not 0.1): training clusters are ")


def test_rank_among_all_triples_by_a_loop() -> None:
    runs = [run(1.0), run(0.7)]
    changes = {}
    for a in range(7):
        for b in range(a + 1, 7):
            for c in range(b + 1, 7):
                one, two = (
                    float(Projection.of(r["train"].activations, (a, b, c)).clusters.rho_d()) for r in runs
                )
                changes[a, b, c] = 1 - two / one
    rank = 1 + sum(v > changes[0, 2, 4] for v in changes.values())
    tighter = sum(v > 0 for v in changes.values())
    median = round(100 * float(np.median(list(changes.values()))))
    suffix = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    of = f"Of all 35 triples {tighter} are tighter (median −{median} %)"
    expected = f"{of}; the current triple ranks {rank}{suffix}."
    assert say(runs, [0, 0.1]).detail.endswith(expected)


def test_the_order_of_the_runs_does_not_matter() -> None:
    runs = [run(1.0), run(0.7)]
    assert say(runs, [0, 0.1]) == say(runs[::-1], [0.1, 0])


def test_a_pair_that_is_looser() -> None:
    finding = say([run(0.7), run(1.0)], [0, 0.1])
    assert finding.kind == "looser"
    assert "looser" in finding.headline
    low, high = map(int, re.search(r"95 % CI \+(\d+) to \+(\d+)", finding.detail).groups())
    assert 0 < low < high
    assert re.search(r"\d+ are looser \(median \+\d+ %\)", finding.detail)


def test_no_clear_difference() -> None:
    finding = say([run(1.0), run(1.0, seed=5)], [0, 0.1])
    assert (finding.kind, finding.headline) == ("unclear", "No clear difference")
    assert re.search(r"Of all 35 triples \d+ are tighter", finding.detail)


def test_equal_targets_show_no_difference() -> None:
    finding = say([run(1.0), run(0.7, seed=1)], [0.1, 0.1], seeds=[0, 1])
    assert finding.kind == "equal"
    assert "Both runs have the same targets" in finding.headline
    assert "there is no difference between targets to see" in finding.headline
    assert "They differ in seed." in finding.detail
    assert say([run(1.0), run(1.0)], [0, 0]).kind == "equal"


def test_configs_that_differ_otherwise_allow_no_conclusion() -> None:
    finding = say(
        [run(1.0), run(0.7)], [0, 0.1], differences=["epochs", "label_smoothing", "targets", "seed"]
    )
    assert finding.kind == "differs"
    assert finding.headline == f"These runs also differ in epochs: {NONE_DRAWN}"
    two = say([run(1.0), run(0.7)], [0, 0.1], differences=["epochs", "batch_size", "lr"])
    assert "also differ in epochs, batch size and lr:" in two.headline
    assert say([run(1.0), run(0.7)], [0, 0.1], differences=["seed", "targets"]).kind == "tighter"


def test_different_seeds_are_named() -> None:
    assert "different seeds (0 and 3)" in say([run(1.0), run(0.7)], [0, 0.1], seeds=[0, 3]).detail


def test_one_run_has_two_numbers() -> None:
    r = run(1.0)
    finding = say([r], [0])
    values = compare([r], CLASSES).row("rho_d").values[0]
    assert finding.kind == "one"
    assert finding.headline == (
        f"run 0: ρ/d {values['train']:#.3g} on train and {values['validation']:#.3g} on validation"
    )
    bounds = compare([r], CLASSES).row("rho_d").intervals[0]["train"]
    assert bounds[0] < values["train"] < bounds[1]
    assert say([run(1.0, splits=("validation",))], [None]).headline.endswith("on validation")


def test_unknown_targets_are_said() -> None:
    finding = say([run(1.0), run(0.7)], [0, None])
    assert finding.kind == "unknown"
    assert finding.headline == f"The targets of run 1 are not known: {NONE_DRAWN}"
    assert "targets of run 0 and run 1 are" in say([run(1.0), run(0.7)], [None, None]).headline
    one = say([run(1.0)], [None])
    assert one.kind == "one"
    assert one.detail.endswith("Its targets are not known.")


def test_two_adopted_runs_are_compared_as_stated() -> None:
    runs = [run(1.0), run(0.7)]
    plain, stated = say(runs, [0, 0.1]), say(runs, [0, 0.1], seeds=[None, None], adopted=[True, True])
    assert stated.kind == "tighter"
    assert stated.headline == plain.headline.replace("(α = 0.1)", "(α = 0.1, as stated)")
    assert "does not know what else differs" in stated.detail
    assert "seeds (" not in stated.detail
    equal = say(runs, [0.1, 0.1], adopted=[True, True])
    assert "(label smoothing 0.1, as stated)" in equal.headline
    assert "does not know what else differs" in equal.detail
    series = say([*runs, run(0.85)], [0, 0.1, 0.2], adopted=[True] * 3)
    assert series.headline.endswith("at label smoothing 0, 0.1 and 0.2, as stated")
    assert "does not know what else differs" in series.detail
    one = say(runs[:1], [0.1], adopted=[True])
    assert one.detail.endswith("Label smoothing 0.1, as stated: penviz did not train it.")
    differ = say(runs, [0, 0.1], differences=["model"], adopted=[True, True])
    assert differ.headline == f"These runs also differ in model: {NONE_DRAWN}"


def test_unknown_seeds_allow_no_interval_over_seeds() -> None:
    runs = [run(noise, seed) for noise in (1.0, 0.7) for seed in (0, 1, 2)]
    finding = say(runs, [0, 0, 0, 0.1, 0.1, 0.1], seeds=[None] * 6, adopted=[True] * 6)
    assert finding.kind == "series"
    assert "training seeds are not known" in finding.headline


@pytest.mark.parametrize("alphas", [[0, 0.1], [0, 0]])
def test_an_adopted_run_beside_one_of_penviz_allows_no_conclusion(alphas: list[float]) -> None:
    finding = say([run(1.0), run(0.7)], alphas, adopted=[False, True])
    assert finding.kind == "adopted"
    assert finding.headline.startswith("penviz did not train run 1 and does not know what else differs: ")
    assert finding.detail.startswith("ρ/d on train: ")


def test_planes_of_two_kinds_allow_no_conclusion() -> None:
    runs = [run(1.0), headless(0.7)]
    finding = say(runs, [0, 0.1])
    assert finding.kind == "planes"
    assert finding.headline.startswith(
        "Class means stand in for the templates of run 1 and not of the others"
    )
    table = compare(runs, CLASSES)
    assert not table.row("rho_d").changes.get("train")
    assert table.row("triple_ratio").changes["train"] is not None
    both = say([headless(1.0), headless(0.7)], [0, 0.1])
    assert both.kind == "tighter"
    assert "Of all 35 triples" in both.detail


def test_a_quick_look_has_no_rank() -> None:
    runs = [run(1.0), run(0.7)]
    looked = [
        {s: SplitStatistics.of(replace(v.activations, partial=True)) for s, v in r.items()} for r in runs
    ]
    assert say(looked, [0, 0.1]).detail.endswith("The rank among all triples needs the full pass.")
    assert say(looked, [0, 0.1]).headline == say(runs, [0, 0.1]).headline


def test_three_alphas_are_a_series() -> None:
    runs = [run(0.7), run(1.0), run(0.85)]
    finding = say(runs, [0.2, 0, 0.1])
    values = [r["train"] for r in compare(runs, CLASSES).row("rho_d").values]
    listed = f"{values[1]:#.3g}, {values[2]:#.3g} and {values[0]:#.3g}"
    assert finding.kind == "series"
    assert finding.headline == f"ρ/d on train is {listed} at label smoothing 0, 0.1 and 0.2"


def test_three_seeds_a_side_have_an_interval_over_seeds() -> None:
    runs = [run(noise, seed) for noise in (1.0, 0.7) for seed in (0, 1, 2)]
    finding = say(runs, [0, 0, 0, 0.1, 0.1, 0.1], seeds=[0, 1, 2, 0, 1, 2])
    assert finding.kind == "tighter"
    assert finding.headline.endswith(" % tighter than with hard targets, over 3 training seeds per setting")
    few = say(runs[:5], [0, 0, 0, 0.1, 0.1], seeds=[0, 1, 2, 0, 1])
    assert few.kind == "series"
    repeated = say(runs, [0, 0, 0, 0.1, 0.1, 0.1], seeds=[0, 1, 2, 0, 1, 1])
    assert repeated.kind == "series"
    twice = say([*runs, runs[0], runs[3]], [0, 0, 0, 0.1, 0.1, 0.1, 0, 0.1], seeds=[0, 1, 2, 0, 1, 2, 0, 0])
    assert twice == finding  # a run and its copy are one seed
    noise = [run(1.0, seed) for seed in range(6)]
    assert say(noise, [0, 0, 0, 0.1, 0.1, 0.1], seeds=[0, 1, 2, 3, 4, 5]).kind == "unclear"


def test_one_split_alone_and_none_in_common() -> None:
    pair = [run(1.0, splits=("validation",)), run(0.7)]
    assert "validation clusters are" in say(pair, [0, 0.1]).headline
    apart = [run(1.0, splits=("validation",)), run(0.7, splits=("train",))]
    assert say(apart, [0, 0.1]).kind == "none"
    assert plane_finding(Compared([], [], []), compare(pair, CLASSES)).kind == "none"


def test_runs_of_other_classes_are_not_compared() -> None:
    other = {"train": SplitStatistics.of(make(0, n_classes=8))}
    with pytest.raises(ActivationsError, match="different lists"):
        compare([run(1.0), other], CLASSES)
    with pytest.raises(ActivationsError, match="nothing to compare"):
        compare([{}], CLASSES)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.32, "0.320"),
        (0.24649, "0.246"),
        (-0.5, "-0.500"),
        (12.345, "12.3"),
        (123.4, "123"),
        (999.96, "1000"),
        (1234.5, "1234"),
        (1e-9, "1.00e-09"),
        (0, "0.00"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_three_significant_digits(value: float | None, text: str) -> None:
    assert three(value) == text


def test_changes_in_words() -> None:
    assert change_text(Change(-0.238, -0.28, -0.2)) == "-24 % [-28, -20]"
    assert change_text(Change(0.004, -0.3, 0.2)) == "0 % [-30, 20]"
    assert change_text(Change(0.0031, -0.001, 0.007, False)) == "+0.003 [-0.001, 0.007]"
    assert change_text(Change(-0.5)) == "-50 %"
    assert change_text(None) == "–"


def test_measure_imports_no_heavy_library() -> None:
    code = (
        "import sys, penviz.projection.panel, penviz.study.table, penviz.study.finding;"
        "print([m for m in ('torch', 'scipy', 'sklearn', 'pandas', 'matplotlib', 'plotly', 'streamlit')"
        " if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
