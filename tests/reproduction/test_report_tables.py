"""What the report makes of results.csv."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import numpy as np
import pytest
from result_rows import ABOUT, MANIFEST, measured, row
from scipy.stats import ttest_rel
from typer.testing import CliRunner

from penviz import InputError
from penviz.store.run_config import RunError
from reproduction.__main__ import REPORT, RESULTS, SHIPPED, app
from reproduction.arc import arc
from reproduction.claims import _accuracy, claims
from reproduction.distillation import distillation
from reproduction.information import information
from reproduction.manifest import TIERS, read_manifest
from reproduction.report import BEGIN, END, HEADS, draw_blocks, fill
from reproduction.results import Row, append_results, read_results
from reproduction.tables import (
    Results,
    accuracy,
    calibration,
    change,
    logits,
    over_seeds,
    read_published,
    runs,
    tightness,
)

SHOWN = tuple(tier for tier in TIERS if tier != "digits")


def results(*rows: Row) -> Results:
    return Results(MANIFEST, rows, SHOWN, read_published())


def test_the_students_that_the_app_shows_are_those_of_the_table(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["students", "--to", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert Path("short-cifar10-students/pilot.json") in made
    for path in made:
        assert (SHIPPED / path).read_bytes() == (tmp_path / path).read_bytes(), (
            "python -m reproduction students"
        )


def test_the_report_holds_what_the_table_holds() -> None:
    text, rows = REPORT.read_text(encoding="utf-8"), read_results(RESULTS)
    assert fill(text, draw_blocks(read_manifest(), rows, SHOWN, REPORT)) == text
    for column in ("accuracy", "triple1_rho_d", "gap", "seconds"):
        moved = [{**r, column: str(float(r[column]) * 1.5)} if r[column] else r for r in rows]
        assert fill(text, draw_blocks(read_manifest(), moved, SHOWN, REPORT)) != text, column


def test_the_prose_holds_no_measured_number() -> None:
    """Outside the drawn blocks a decimal is a smoothing or a learning rate, never a result."""
    text = REPORT.read_text(encoding="utf-8")
    for name in HEADS:
        before, _, rest = text.partition(BEGIN.format(name))
        text = before + rest.partition(END.format(name))[2]
    assert set(re.findall(r"\d+\.\d+", text)) <= {"0.05", "0.1", "0.75", "1906.02629"}


def test_tiers_are_never_in_one_row() -> None:
    table = accuracy(
        results(
            row("cifar10-alexnet-hard", accuracy=0.5),
            row("cifar10-alexnet-hard-seed1", accuracy=0.6),
            row("full-cifar10-alexnet-hard", accuracy=0.9),
        )
    )
    full, short = sorted(line for line in table.splitlines() if "alexnet" in line)
    assert "| 90.00 |" in full
    assert full.endswith("| 1 |")
    assert f"| 55.00 ± {100 * statistics.stdev([0.5, 0.6]):.2f} |" in short
    assert short.endswith("| 2 |")
    assert "−31.8" in short  # 55.0 - 86.8, the paper's


def test_an_interval_stands_only_where_there_is_one_seed() -> None:
    numbers = {"triple1_rho_d": 0.25, "triple1_rho_d_low": 0.21, "triple1_rho_d_high": 0.29, "triple1_n": 30}
    one = row("cifar10-alexnet-hard", **numbers)
    assert "0.250 [0.210, 0.290]" in tightness(results(one))
    two = row("cifar10-alexnet-hard-seed1", **{**numbers, "triple1_rho_d": 0.35})
    assert "0.300 ± 0.0707 |" in tightness(results(one, two))
    assert over_seeds([-0.3, -0.1], change) == "−20.0 ± 14.1", "a spread has no sign"


@pytest.mark.parametrize(("accuracy", "fits"), [(0.995, "yes"), (0.985, "no")])
def test_a_run_says_its_epochs_and_whether_it_fits_its_training_images(accuracy: float, fits: str) -> None:
    name = "cifar10-alexnet-hard"
    both = [row(name, "train", **ABOUT, accuracy=accuracy), row(name, **ABOUT, accuracy=0.9, epochs=100)]
    (line,) = runs(results(*both)).splitlines()[2:]
    assert line.split(" | ")[1:6] == [name, "0", "0", "100", fits]


HARD, STUDENT = "full-cifar10-resnet56-hard", "full-cifar10-student-of-hard-T4"


def test_students_stand_beside_their_teachers_and_in_no_other_table() -> None:
    found = []
    for seed, (own, of) in enumerate([(0.7, 0.9), (0.8, 0.92)]):
        end = f"-seed{seed}" if seed else ""
        measured = {"accuracy": own, "gamma": 0.25, "ece": 0.1, "gap": 3, "triple1_rho_d": 1, "triple1_n": 9}
        found += [row(STUDENT + end, s, **ABOUT | measured) for s in ("train", "validation", "test")]
        found.append(row(HARD + end, **ABOUT, accuracy=of))
    found.append(row("full-cifar10-student-soft-0.3", **ABOUT, accuracy=0.6))
    alone, taught = distillation(results(*found)).splitlines()[2:]
    spreads = [f"{100 * statistics.stdev(values):.2f}" for values in ([0.7, 0.8], [0.9, 0.92])]
    assert taught.split(" | ")[2:] == [
        *("paper_resnet56", "0", "4", "0.250", f"75.00 ± {spreads[0]}", f"75.00 ± {spreads[0]}"),
        *(f"91.00 ± {spreads[1]}", "93.59", "2 |"),
    ]
    assert alone.split(" | ")[2:] == ["none", "0.3", "–", "0.300", "60.00", "–", "–", "–", "1 |"]
    assert "75.00" not in accuracy(results(*found))
    assert "91.00" in accuracy(results(*found))
    for table in (tightness, calibration, logits, claims):
        assert table(results(*found)).startswith("Nothing"), "a student stands among runs on labels"
    assert runs(results(*found)).count(STUDENT) == 2


def test_students_of_a_smoothed_teacher_are_set_beside_the_best_of_the_hard_one() -> None:
    """By hand: T = 4 is best on validation and not on test; test accuracies are compared seed by seed."""
    scores = {
        "of-hard-T1": ((0.70, 0.75), (0.71, 0.75), (0.72, 0.75)),
        "of-hard-T4": ((0.74, 0.72), (0.75, 0.74), (0.76, 0.73)),
        "of-soft-0.3": ((0.73, 0.70), (0.73, 0.73), (0.73, 0.72)),
    }
    found = [row(f"{HARD}{end}", **ABOUT, accuracy=0.9) for end in ("", "-seed1", "-seed2")]
    found += [
        row(f"full-cifar10-resnet56-soft-0.3{end}", **ABOUT, accuracy=0.9) for end in ("", "-seed1", "-seed2")
    ]
    for name, seeds in scores.items():
        for end, (validation, test) in zip(("", "-seed1", "-seed2"), seeds, strict=True):
            for split, value in (("validation", validation), ("test", test)):
                student = f"full-cifar10-student-{name}{end}"
                found.append(row(student, split, **ABOUT, accuracy=value, gamma=0.2))
    (line,) = [line for line in claims(results(*found)).splitlines() if "has worse students" in line]
    more = [0.72 - 0.70, 0.74 - 0.73, 0.73 - 0.72]
    low, high = ttest_rel([0.72, 0.74, 0.73], [0.70, 0.73, 0.72]).confidence_interval()
    assert (
        f"student of hard (T = 4) +{100 * statistics.fmean(more):.1f} points ± {50 * (high - low):.2f}"
        in line
    )
    assert line.endswith("| undecided: the interval contains 0 |")
    one = [r for r in found if r["seed"] == "0"]
    (line,) = [line for line in claims(results(*one)).splitlines() if "has worse students" in line]
    assert line.endswith("| undecided: fewer than 3 pairs of seeds |")


def test_without_a_student_there_is_no_line_of_figure_5() -> None:
    found = results(row(HARD, **ABOUT, accuracy=0.9), row("full-cifar10-student-hard", **ABOUT, accuracy=0.8))
    assert distillation(found).startswith("Nothing")


def test_the_arc_is_told_of_recipes_that_name_three_classes() -> None:
    numbers = {"arc_isotropy": 0.9, "arc_continuum": 0.1234}
    more = {"arc_isotropy": 0.7, "arc_continuum": 0.1034}
    table = arc(
        results(
            row("cifar100-compact-hard", "train", **numbers),
            row("cifar100-compact-hard-seed1", "train", **more),
            row("cifar10-compact-hard", "train"),
        )
    )
    train, validation = table.splitlines()[2:]
    assert "| maple_tree, oak_tree, tank | train | 0 |" in train
    spreads = [statistics.stdev(v) for v in ([0.9, 0.7], [12.34, 10.34])]
    assert train.endswith(f"| 0.800 ± {spreads[0]:.3f} | 11.34 ± {spreads[1]:.2f} | 2 |")
    assert validation.endswith("| – | – | – |")


def test_the_information_of_a_run_that_has_none_is_a_dash() -> None:
    soft = {"information": 0.75, "information_n": 600, "information_samples": 5}
    table = information(results(row(HARD, "train"), row("full-cifar10-resnet56-soft-0.3", "train", **soft)))
    without, with_it = (line.split(" | ")[4:] for line in table.splitlines()[2:])
    assert without == ["0", *["–"] * 4, "0 |"]
    assert with_it == ["0.3", "0.750", "6.40", "600", "5", "1 |"]  # ln 600


def told(low: float, high: float, distance: float, seeds: int = 1) -> dict[str, str]:
    """Claim -> its line, of pairs whose radius over distance falls by a fifth and a little more each seed."""
    shared = {"accuracy": 0.8, "triple1_regularity": 0.9, "triple1_towards_centre": 0.1, "triple1_axis": 2}
    soft = {
        **shared,
        "triple1_distance": distance,
        "triple1_change": -0.2,
        "triple1_change_low": low,
        "triple1_change_high": high,
        "triples_tighter": 100,
        "triples_compared": 120,
        "triples_median_change": -0.1,
    }
    rows = []
    for seed in range(seeds):
        name = f"-seed{seed}" if seed else ""
        for split in ("train", "validation"):
            rho = {"triple1_rho_d": 0.3}
            rows.append(row(f"cifar10-alexnet-hard{name}", split, triple1_distance=2.0, **shared, **rho))
            rho = {"triple1_rho_d": 0.24 - seed / 1000}
            rows.append(row(f"cifar10-alexnet-soft{name}", split, **soft, **rho))
    return {line.split(" | ")[4]: line for line in claims(results(*rows)).splitlines()[2:]}


@pytest.mark.parametrize(
    ("low", "high", "distance", "tighter", "apart"),
    [
        (-0.3, -0.1, 1.0, "yes", "no"),
        (-0.3, 0.1, 3.0, "undecided: the interval contains 0", "yes"),
        (0.1, 0.3, 3.0, "no, looser", "yes"),
    ],
)
def test_verdicts_follow_the_numbers(
    low: float, high: float, distance: float, tighter: str, apart: str
) -> None:
    said = told(low, high, distance)
    assert said["training clusters are tighter"].endswith(f"over examples | {tighter} |")
    assert said["classes lie farther apart"].endswith(f"| {apart} |")
    assert "83.3 % of 120" in said["most triples are tighter in train"]
    assert "undecided" in said["accuracy improves"]


def test_three_pairs_are_judged_over_seeds() -> None:
    """The intervals over examples, which hold no change here, give way to the one over seeds."""
    line = told(-0.3, 0.1, 1.0, seeds=3)["training clusters are tighter"]
    assert line.endswith("over seeds | yes |")
    assert "ρ/d −20.3 [" in line  # (0.24 0.239 0.238)^(1/3) / 0.3 - 1


def judged(hard: np.ndarray, soft: np.ndarray) -> tuple[str, str]:
    """What is said of accuracies [n] of hard and soft runs of equal seeds."""
    return _accuracy([({"accuracy": str(a)}, {"accuracy": str(b)}) for a, b in zip(hard, soft, strict=True)])


@pytest.mark.parametrize("n", [3, 5])
def test_a_difference_that_is_not_there_is_seen_once_in_twenty(n: int) -> None:
    """With two standard errors in place of Student's t it is 18 % of the times for three pairs."""
    rng = np.random.default_rng(7)
    trials, seen = 4000, 0
    for _ in range(trials):
        seed = rng.normal(0.9, 0.02, n)  # shared by a pair, and so without effect
        found = judged(*(seed + rng.normal(0, 0.005, n) for _ in range(2)))[1]
        seen += not found.startswith("undecided")
    assert 0.04 < seen / trials < 0.06


def test_the_verdict_on_accuracy_is_that_of_the_paired_t_test() -> None:
    rng, found = np.random.default_rng(8), set()
    for _ in range(100):
        hard = rng.normal(0.9, 0.02, 4)
        soft = hard + rng.normal(0.0, 0.006, 4) + rng.choice([-0.01, 0, 0.01])
        test = ttest_rel(soft, hard)
        said, word = judged(hard, soft)
        low, high = test.confidence_interval(0.95)
        assert said.endswith(" (95 %, over seeds)")
        half = float(said.split("± ")[1].split()[0])
        assert half == pytest.approx(50 * (high - low), abs=0.006)  # two decimals are said
        expected = "undecided" if test.pvalue > 0.05 else "yes" if test.statistic > 0 else "no"
        assert word.split(":")[0] == expected
        found.add(expected)
    assert found == {"undecided", "yes", "no"}


def test_a_report_without_markers_is_refused() -> None:
    with pytest.raises(RunError, match="needs the line"):
        fill("# Reproduction\n", {"accuracy": "x"})


@pytest.mark.parametrize("verb", ["report", "all"])
@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("bare.md", "needs the line"),
        ("latin.md", "is not text in UTF-8"),
        ("place", "is a directory"),
        ("absent/report.md", "There is no directory .*absent"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_a_run_or_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, target: str, sentence: str
) -> None:
    begun: list[str] = []
    monkeypatch.setattr("reproduction.figures.draw_figures", lambda *given: begun.append("figures") or [])
    monkeypatch.setattr("reproduction.__main__.take_next", lambda *given: bool(begun.append("run")))
    (tmp_path / "bare.md").write_text("# Mine\n")
    (tmp_path / "latin.md").write_bytes(b"\xff")
    (tmp_path / "place").mkdir()
    append_results(tmp_path / "results.csv", [measured("cifar10-alexnet-hard")])
    before = sorted(tmp_path.rglob("*"))
    options = ["--results", str(tmp_path / "results.csv"), "--out", str(tmp_path / "runs")]
    if verb == "all":
        options += ["--tier", "digits"]
    with pytest.raises(RunError, match=sentence):
        app([verb, *options, "--report", str(tmp_path / target)], standalone_mode=False)
    assert begun == []
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "bare.md").read_text() == "# Mine\n"


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "-inf"])
@pytest.mark.parametrize("verb", ["next", "all"])
def test_a_slice_has_a_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, seconds: str
) -> None:
    monkeypatch.setattr("reproduction.__main__.take_next", lambda *given: False)
    with pytest.raises(InputError, match="--slice-seconds must be a number of at least 0"):
        app(
            [verb, f"--slice-seconds={seconds}", "--tier", "digits", "--out", str(tmp_path / "runs")],
            standalone_mode=False,
        )


def test_a_report_may_lie_in_a_directory_that_the_runs_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr("reproduction.__main__.take_next", lambda *given: bool(begun.append("run")))
    out = tmp_path / "runs"
    app(
        ["all", "--tier", "digits", "--out", str(out), "--report", str(out / "mine.md")],
        standalone_mode=False,
    )
    assert begun == ["run"]
