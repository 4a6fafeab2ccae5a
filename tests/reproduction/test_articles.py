from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import ttest_ind
from small_runs import make_run

from penviz import InputError
from penviz.figures.charts.sweep import digest
from penviz.metrics.intervals.bootstrap import Change
from penviz.store.runs import list_runs
from reproduction.articles import REPORT, Measured, compare_sides, lines_of, measure_claims, verdict
from reproduction.articles_plan import PLAN, ROBUST, Side, read_plan, sides
from reproduction.articles_report import report


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("claims")
    for seed in range(3):
        for alpha in (0.0, 0.1):
            make_run(root / "small", f"fc-{alpha:g}-seed{seed}", alpha, seed=seed, per_class=60)
    make_run(root / "dropout", "fc-0-seed0", 0.0, per_class=20)
    return root


def plan_of(*claims: dict[str, object]) -> dict[str, object]:
    commands = {"small": "penviz sweep a", "dropout": "penviz sweep b"}
    return {"sweeps": commands, "articles": {"001": "one"}, "claims": list(claims)}


TIGHTER = {
    "article": "001",
    "claim": "tighter",
    "measured": {"number": "rho_d", "split": "train", "before": 0, "after": 0.1, "expected": "less",
                 "sweeps": ["small"]},
}  # fmt: skip


def test_the_plan_is_whole() -> None:
    plan = read_plan()
    assert (
        {claim["article"] for claim in plan["claims"]}
        == set(plan["articles"])
        == {f"00{i}" for i in range(5)}
    )
    assert all(command.startswith("penviz sweep ") for command in plan["sweeps"].values())
    for claim in plan["claims"]:
        if "see" in claim:
            assert (PLAN.parents[1] / claim["see"]).is_file(), claim["see"]
    words = [claim["claim"] for claim in plan["claims"]]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("change", "expected", "word"),
    [
        (Change(-1, -2, -0.5, False), "less", "held"),
        (Change(-1, -2, -0.5, False), "more", "not held"),
        (Change(1, 0.5, 2, False), "more", "held"),
        (Change(-1, -2, 0.5, False), "less", "undecided"),
        (Change(-1, None, None, False), "less", "not tested"),
    ],
)
def test_verdicts(change: Change, expected: str, word: str) -> None:
    assert verdict(change, expected) == word


def test_a_claim_is_measured_over_seeds(root: Path) -> None:
    (line,) = lines_of(plan_of(TIGHTER), Measured(root, Path("data")))
    values: dict[float, list[float]] = {0.0: [], 0.1: []}
    for run in list_runs(root / "small")[0]:
        values[run.config.label_smoothing].append(digest(run)["train"]["rho_d"])
    hard, soft = (np.array(v) for v in values.values())
    assert float(line["before"]) == pytest.approx(hard.mean(), rel=1e-5)
    assert float(line["difference"]) == pytest.approx(soft.mean() - hard.mean(), rel=1e-5)
    expected = ttest_ind(soft, hard, equal_var=False).confidence_interval(0.95)
    found = float(line["low"]), float(line["high"])
    assert found == pytest.approx((expected.low, expected.high), rel=0.02)
    assert (line["verdict"], line["n_before"], line["n_after"]) == ("held", "3", "3")
    assert line["command"] == "penviz sweep a"
    said = report(plan_of(TIGHTER), [line])
    assert "| tighter | small: tutorial_alexnet on cifar10, train |" in said
    assert "3 seeds | held |" in said


def test_other_sweeps_constants_and_too_few_seeds(root: Path) -> None:
    measured = Measured(root, Path("data"))
    across = {"number": "accuracy", "before": ["dropout", 0], "after": ["small", 0.1], "expected": "more"}
    ((before, after),) = sides({"measured": across})
    assert (before, after) == (
        Side("accuracy", "validation", "dropout", 0.0),
        Side("accuracy", "validation", "small", 0.1),
    )
    here, there, change = compare_sides(measured, before, after)
    assert (len(here), len(there), change.low) == (1, 3, None)
    fixed = {"number": "temperature", "constant": 1, "after": 0, "expected": "more", "sweeps": ["small"]}
    ((before, after),) = sides({"measured": fixed})
    _, there, change = compare_sides(measured, before, after)
    assert change.value == pytest.approx(np.mean(there) - 1)
    half = 4.303 * np.std(there, ddof=1) / np.sqrt(3)
    assert (change.low, change.high) == (
        pytest.approx(change.value - half),
        pytest.approx(change.value + half),
    )
    nothing = compare_sides(measured, Side("ece", "validation", "absent"), after)
    assert verdict(nothing[2], "more") == "not tested"


def test_a_copied_run_is_not_another_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("copy-of-a", 0), ("b", 1)):
        make_run(tmp_path / "small", name, 0.0, seed=seed, per_class=20)
    values = Measured(tmp_path, Path("data")).of(Side("rho_d", "train", "small", 0.0))
    alone = [
        digest(run)["train"]["rho_d"] for run in list_runs(tmp_path / "small")[0] if run.name != "copy-of-a"
    ]
    assert values == pytest.approx(alone)
    make_run(tmp_path / "small", "soft", 0.1, seed=0, per_class=20)
    lines = lines_of(plan_of(TIGHTER), Measured(tmp_path, Path("data")))
    assert (lines[0]["n_before"], lines[0]["n_after"], lines[0]["verdict"]) == ("2", "1", "not tested")
    assert "; 1 seed, too few for an interval" in report(plan_of(TIGHTER), lines)


def test_the_command_and_bad_plans(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Measured, "_robust", lambda self, run: dict.fromkeys(ROBUST))  # no weights here
    measure_claims(root, tmp_path, tmp_path / "a.csv", tmp_path / "claims.md")
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    plan = read_plan()
    assert {row["claim"] for row in rows} == {claim["claim"] for claim in plan["claims"]}
    said = (tmp_path / "claims.md").read_text()
    assert all(claim["claim"] in said for claim in plan["claims"])
    with pytest.raises(InputError, match="There is no directory"):
        measure_claims(tmp_path / "absent", tmp_path, tmp_path / "b.csv", tmp_path / "b.md")
    for bad, words in (
        ({**TIGHTER, "answer": "both"}, "either measured or answer"),
        ({**TIGHTER, "1": None}, "unknown keys 1"),
        ({**TIGHTER, "measured": TIGHTER["measured"] | {"number": "beauty"}}, "unknown number"),
    ):
        path = tmp_path / "plan.yaml"
        path.write_text(yaml.safe_dump(plan_of(bad)))
        with pytest.raises(InputError, match=words):
            read_plan(path)


def test_the_report_in_the_docs_is_of_this_plan() -> None:
    said = REPORT.read_text(encoding="utf-8")
    assert all(claim["claim"] in said for claim in read_plan()["claims"])
