from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import make_run

from penviz import InputError
from penviz.figures.charts import distillation, erasure
from penviz.figures.new_figure import new_figure
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_files import find_runs
from penviz.figures.spec_yaml import RecipeError
from penviz.store.pilots import PILOT_FILE, Pilot, Row, conditions, find_pilots, read_pilot, write_pilot
from penviz.store.run_config import RunError
from penviz.store.runs import RUN_FILE, Run, read_run


def row(role: str, alpha: float, t: float, gamma: float, seed: int, validation: float, test: float) -> Row:
    scores = {"validation": validation, "test": test}
    of = "" if role != "distilled" else f"teacher-{alpha}"
    return Row(role, f"{role}-{alpha}-{t}-{seed}", of, alpha, t, gamma, seed, scores, scores)


def small_pilot(directory: Path, **changes: Any) -> Pilot:
    """Hard teacher: T = 2 is best on validation, T = 4 on test. Soft teacher: T = 1 on both."""
    rows = []
    for seed in (0, 1, 2):
        up = 0.01 * (seed - 1)
        rows += [row("teacher", a, 1, a, seed, 0.9 + a / 10 + up, 0.9 + up) for a in (0.0, 0.1)]
        for t, validation, test in ((1, 0.80, 0.79), (2, 0.83, 0.81), (4, 0.82, 0.84)):
            rows.append(row("distilled", 0.0, t, 0.05 * t, seed, validation + up, test + up))
        for t, validation, test in ((1, 0.81, 0.80), (2, 0.80, 0.79), (4, 0.70, 0.69)):
            rows.append(row("distilled", 0.1, t, 0.15 * t, seed, validation + up, test + up))
        rows += [row("alone", a, 1, a, seed, 0.78 + up, 0.77 + up) for a in (0.0, 0.1, 0.15)]
    usual: dict[str, Any] = {
        "kind": "pilot",
        "dataset": "mnist",
        "teachers": "fc1200",
        "student": "fc800",
        "epochs": 3,
        "loss": "cross-entropy",
        "weight": 1.0,
        "finished": True,
        "seconds": 12.0,
    }
    return Pilot(directory=directory, rows=tuple(rows), **(usual | changes))


def test_temperature_is_tuned_on_validation_and_not_on_test(tmp_path: Path) -> None:
    pilot = small_pilot(tmp_path)
    tuned = {c.label_smoothing: c.temperature for c in conditions(pilot) if c.tuned}
    assert tuned == {0.0: 2, 0.1: 1}
    by_test = max((c for c in conditions(pilot) if c.role == "distilled"), key=lambda c: c.mean("test"))
    assert by_test.temperature == 4  # what a look at the test split would have taken
    assert pilot.reported_on == "test"


def test_written_and_read_back(tmp_path: Path) -> None:
    pilot = small_pilot(tmp_path)
    write_pilot(pilot)
    assert read_pilot(tmp_path) == pilot
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pilot.csv", "pilot.json"]
    lines = (tmp_path / "pilot.csv").read_text().splitlines()
    assert len(lines) == 1 + len(pilot.rows)
    assert {len(line.split(",")) for line in lines} == {15}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"rows": [1]}', '{"rows": [], "speed": 1}', '{"rows": [{"role": "x"}]}']
)
def test_damaged_results_are_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / PILOT_FILE).write_text(text)
    with pytest.raises(RunError, match="is not readable: run its command again"):
        read_pilot(tmp_path)
    found, sentences = find_pilots([tmp_path])
    assert not found
    assert len(sentences) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("label_smoothing", "0.1"),
        ("temperature", None),
        ("gamma", [1]),
        ("seed", {}),
        ("accuracy", {"validation": "high"}),
        ("accuracy", {"validation": float("nan")}),
        ("accuracy", [0.5]),
        ("nll", 3),
        ("run", 7),
        ("role", "judge"),
    ],
)
def test_an_entry_of_the_wrong_type_is_one_sentence(tmp_path: Path, key: str, value: object) -> None:
    write_pilot(small_pilot(tmp_path))
    record = json.loads((tmp_path / PILOT_FILE).read_text())
    record["rows"][-1][key] = value
    (tmp_path / PILOT_FILE).write_text(json.dumps(record))
    with pytest.raises(RunError, match="is not readable: run its command again"):
        read_pilot(tmp_path)


def test_found_one_level_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    write_pilot(small_pilot(tmp_path / "a"))
    write_pilot(small_pilot(tmp_path / "a" / "b"))
    assert [p.directory for p in find_pilots([tmp_path, tmp_path])[0]] == [tmp_path / "a"]


def test_chart_has_the_curves_of_figure_5(tmp_path: Path) -> None:
    write_pilot(small_pilot(tmp_path))
    (chart,) = distillation.build([read_run(make_run(tmp_path, "student"))])
    by_name = {s.name: s for s in chart.series}
    hard = by_name["student of the hard teacher, by T"]
    assert hard.x == pytest.approx([0.05, 0.1, 0.2])
    assert hard.y == pytest.approx([79, 81, 84])
    assert hard.low == pytest.approx([78, 80, 83])  # type: ignore[comparison-overlap]
    assert hard.high == pytest.approx([80, 82, 85])  # type: ignore[comparison-overlap]
    assert hard.labels == ("T = 1", "T = 2, best on validation", "T = 4")
    soft = by_name["student of soft teachers, T = 1"]
    assert (soft.x.tolist(), soft.labels) == ([0.15], ("α = 0.1, T = 1, best on validation",))
    assert by_name["student of the soft teacher, α = 0.1, other T"].x == pytest.approx([0.3, 0.6])
    assert by_name["teacher, by its α"].x == pytest.approx([0, 0.1])
    assert by_name["student alone, by its α"].x == pytest.approx([0, 0.1, 0.15])
    assert "accuracy on test" in chart.y_label
    with pytest.raises(InputError, match="belongs to no distillation test"):
        distillation.build([read_run(make_run(tmp_path / "x", "student"))])


def watched(root: Path, name: str, alpha: float, values: list[float], seed: int = 0) -> None:
    directory = make_run(root, name, alpha, seed=seed)
    record = json.loads((directory / RUN_FILE).read_text())
    keys = ("train_wrong_logit_spread", "validation_wrong_logit_spread")
    keys += ("train_instability", "validation_instability")
    record["history"] = [
        {"epoch": i + 1, "mutual_information": v} | dict.fromkeys(keys, v / 2) for i, v in enumerate(values)
    ]
    (directory / RUN_FILE).write_text(json.dumps(record))


def test_erasure_over_epochs_is_the_mean_of_the_seeds(tmp_path: Path) -> None:
    watched(tmp_path, "hard", 0.0, [1.0, 3.0, 4.0])
    watched(tmp_path, "soft-0", 0.1, [1.0, 2.0, 1.0])
    watched(tmp_path, "soft-1", 0.1, [2.0, 4.0], seed=1)
    plain = make_run(tmp_path, "plain", 0.0)
    runs = [read_run(tmp_path / name) for name in ("hard", "soft-0", "soft-1", "plain")]
    charts = erasure.build(runs, details=True)
    assert len(charts) == 5
    hard, soft = charts[0].series
    assert (hard.name, hard.y.tolist(), hard.low) == ("hard targets", [1, 3, 4], None)
    assert (soft.x.tolist(), soft.y.tolist()) == ([1, 2], [1.5, 3])
    assert soft.low is not None
    assert soft.low.tolist() == [1, 2]
    assert charts[0].lines[0].start[1] == pytest.approx(np.log(2))
    assert charts[0].lines[0].words == "ln 2: only the class is left (0.63 with 5 samples)"
    assert len(erasure.build(runs, details=False)) == 1
    watched(tmp_path, "soft-2", 0.1, [])
    record = json.loads((tmp_path / "soft-2" / RUN_FILE).read_text())
    record["history"] = [{"epoch": 9, "mutual_information": 1.0}]
    (tmp_path / "soft-2" / RUN_FILE).write_text(json.dumps(record))
    with pytest.raises(InputError, match="no epoch in common"):
        erasure.build([runs[2], read_run(tmp_path / "soft-2")], details=False)
    with pytest.raises(InputError, match="None of these runs was trained with --erasure"):
        erasure.build([read_run(plain)], details=True)


def test_a_line_is_of_runs_that_differ_in_the_seed_alone(tmp_path: Path) -> None:
    """Networks, kinds of targets and recipes that were one line with a band before."""

    def run(name: str, alpha: float, values: list[float], **fields: Any) -> Run:
        watched(tmp_path, name, alpha, values)
        one = read_run(tmp_path / name)
        return replace(one, config=replace(one.config, **fields))

    def lines(*runs: Run) -> dict[str, tuple[list[float], bool]]:
        (chart,) = erasure.build(runs, details=False)
        assert [s.colour for s in chart.series] == list(range(len(chart.series)))
        return {s.name: (s.y.tolist(), s.low is not None) for s in chart.series}

    hard, soft = run("hard", 0.0, [1.0, 3.0]), run("soft", 0.1, [1.0, 2.0])
    again = replace(hard, name="again")  # the same seed: one network, not two
    assert lines(soft, hard) == {
        "hard targets": ([1, 3], False),
        "label smoothing α = 0.1": ([1, 2], False),
    }
    assert lines(hard, again)["hard targets"] == ([1, 3], False)
    other = run("other", 0.0, [4.0, 9.0], seed=1)
    assert lines(hard, again, other) == {"hard targets": ([2.5, 6], True)}
    assert lines(hard, run("wide", 0.0, [5.0, 6.0], model="resnet20"), soft) == {
        "tutorial_alexnet, hard targets": ([1, 3], False),
        "tutorial_alexnet, label smoothing α = 0.1": ([1, 2], False),
        "resnet20, hard targets": ([5, 6], False),
    }
    assert lines(soft, run("sigmoids", 0.1, [3.0, 3.0], targets="binary")) == {
        "label smoothing α = 0.1": ([1, 2], False),
        "label smoothing α = 0.1 of K sigmoids": ([3, 3], False),
    }
    assert list(lines(hard, run("dropped", 0.0, [5.0, 6.0], dropout=0.5, seed=1))) == [
        "tutorial_alexnet, dropout 0, hard targets",
        "tutorial_alexnet, dropout 0.5, hard targets",
    ]
    priors = [
        run(f"prior-{seed}", 0.1, [1.0], targets="prior", prior=prior, seed=seed)
        for seed, prior in enumerate(((0.5, 0.5), (0.2, 0.8)))
    ]
    assert list(lines(hard, *priors)) == [
        "hard targets",
        "label smoothing α = 0.1 to a prior",
        "label smoothing α = 0.1 to a prior (2)",
    ]


def test_a_recipe_knows_its_results_by_their_digest(tmp_path: Path) -> None:
    student = make_run(tmp_path, "student")
    write_pilot(small_pilot(tmp_path))
    recipe = new_figure([student], {"figure": "distillation"}).spec
    assert list(recipe.runs[0].digests) == ["../pilot.json"]
    assert FigureSpec.from_yaml(recipe.to_yaml()) == recipe
    find_runs(recipe, tmp_path)
    write_pilot(small_pilot(tmp_path, seconds=13.0))
    with pytest.raises(RecipeError, match=r"pilot.json of run student has changed"):
        find_runs(recipe, tmp_path)
    with pytest.raises(RecipeError, match="not names with digests"):
        FigureSpec.from_yaml(recipe.to_yaml().replace("../pilot.json", "../other.json"))
