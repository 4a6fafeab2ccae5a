"""A study knows what its runs share, and its answers do not depend on the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import CLASSES, SHA, make_adopted, make_run, small_activations

from penviz import InputError
from penviz.figures.open_study import open_study
from penviz.store.activations import Activations
from penviz.store.run_config import RunConfig
from penviz.store.runs import Run
from penviz.study.comparison import ComparisonOptions
from penviz.study.study import Study

TRIPLE = ("airplane", "automobile", "bird")


@dataclass(frozen=True)
class Captured:
    """A run in memory, as anybody may make one."""

    run: Run
    splits: dict[str, Activations]


def in_memory(
    name: str,
    alpha: float,
    seed: int = 0,
    splits: tuple[str, ...] = ("train", "validation"),
    per_class: int = 30,
) -> Captured:
    config = RunConfig("cifar10", "resnet20", "uniform" if alpha else "hard", alpha, seed=seed)
    run = Run(Path(name), name, config, class_names=CLASSES, model_sha256=SHA)
    return Captured(
        run, {s: small_activations(name, s, alpha, per_class=per_class, seed=seed) for s in splits}
    )


def plain_rho_d(a: Activations, classes: tuple[int, int, int]) -> float:
    """Radius over distance on the plane of three templates with their bias, by plain loops."""
    assert a.head is not None
    assert a.head.bias is not None
    w = np.column_stack([a.head.weight, a.head.bias]).astype(float)[list(classes)]
    x = np.column_stack([a.features, np.ones(len(a))]).astype(float)
    basis = np.linalg.qr(np.stack([w[1] - w[0], w[2] - w[0]], axis=1))[0]
    parts = [(x[a.labels == k] - w.mean(axis=0)) @ basis for k in classes]
    means = [p.mean(axis=0) for p in parts]
    rho = np.sqrt(np.mean([((p - m) ** 2).sum(axis=1).mean() for p, m in zip(parts, means, strict=True)]))
    sides = [np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    return float(rho / np.mean(sides))


def test_the_table_holds_the_plain_numbers_of_runs_in_memory() -> None:
    hard, soft = in_memory("hard", 0.0), in_memory("soft", 0.1)
    table = Study.of([hard, soft]).compare(TRIPLE).table
    for one, values in zip((hard, soft), table.row("rho_d").values, strict=True):
        for split, a in one.splits.items():
            assert values[split] == pytest.approx(plain_rho_d(a, (0, 1, 2)), rel=1e-9)


def test_answers_do_not_depend_on_the_order_of_the_runs() -> None:
    hard, soft = in_memory("hard", 0.0, per_class=110), in_memory("soft", 0.1, per_class=110)
    one, other = Study.of([hard, soft]), Study.of([soft, hard])
    assert one.compare(TRIPLE).finding == other.compare(TRIPLE).finding
    assert one.compare(TRIPLE).finding.kind == "tighter"
    assert one.calibration().finding.headline == other.calibration().finding.headline
    there, back = one.triples(), other.triples()
    assert (there.before.name, back.before.name) == ("hard", "hard")
    np.testing.assert_array_equal(there.pair.change, back.pair.change)


def test_what_runs_share_and_in_what_they_differ() -> None:
    study = Study.of([in_memory("a", 0.0), in_memory("b", 0.1, seed=1)])
    assert set(study.differences) == {"targets", "label_smoothing", "seed"}
    assert study.shared["model"] == "resnet20"
    assert not {"targets", "label_smoothing", "seed"} & study.shared.keys()


def test_a_run_that_lacks_a_split_leaves_its_cell_empty() -> None:
    study = Study.of([in_memory("hard", 0.0), in_memory("soft", 0.1, splits=("validation",))])
    assert study.splits == ("train", "validation")
    comparison = study.compare(TRIPLE)
    assert [[p is not None for p in row] for row in comparison.rows] == [[True, True], [False, True]]
    only = study.compare(TRIPLE, ComparisonOptions(splits=("validation",)))
    assert [len(row) for row in only.rows] == [1, 1]


def test_classes_are_named_or_the_first_three() -> None:
    study = Study.of([in_memory("hard", 0.0)])
    assert study.compare().classes == (0, 1, 2)
    assert study.compare(["frog", 3, "truck"]).classes == (6, 3, 9)
    with pytest.raises(InputError, match="dragon"):
        study.compare(["frog", "dragon", "truck"])


def test_numbers_do_not_depend_on_how_many_are_drawn() -> None:
    study = Study.of([in_memory("hard", 0.0), in_memory("soft", 0.1)])
    few, many = (study.compare(TRIPLE, ComparisonOptions(per_class=n)) for n in (3, 30))
    assert few.table.row("rho_d").values == many.table.row("rho_d").values
    assert [len(p.xy) for p in few.panels] == [9] * 4
    assert [len(p.xy) for p in many.panels] == [90] * 4


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], "at least one run"),
        ([("a", 0.0), ("a", 0.1)], "Two runs are called a"),
    ],
)
def test_runs_that_make_no_study(runs: list[tuple[str, float]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Study.of([in_memory(name, alpha) for name, alpha in runs])


def test_runs_of_other_classes_make_no_study() -> None:
    other = in_memory("b", 0.1)
    names = tuple(name.upper() for name in CLASSES)
    other = replace(other, splits={s: replace(a, class_names=names) for s, a in other.splits.items()})
    with pytest.raises(InputError, match="different lists of classes"):
        Study.of([in_memory("a", 0.0), other])


def test_a_run_without_logits_is_left_out_of_calibration_with_a_word(tmp_path: Path) -> None:
    make_run(tmp_path, "hard")
    make_adopted(tmp_path, "theirs", head=False)
    found = open_study([tmp_path / "hard", tmp_path / "theirs"]).calibration()
    assert [one.name for one in found.runs] == ["hard"]
    assert len(found.refused) == 1
    assert "theirs" in found.refused[0]


def test_calibration_takes_the_first_unseen_split_that_there_is() -> None:
    assert Study.of([in_memory("a", 0.0)]).calibration().split == "validation"
    assert Study.of([in_memory("a", 0.0, splits=("train", "test"))]).calibration().split == "test"
    both = ("validation", "test")
    mixed = [in_memory("a", 0.0, splits=both), in_memory("b", 0.1, splits=("train", "test"))]
    assert Study.of(mixed).calibration().split == "test"
    with pytest.raises(InputError, match="no test activations"):
        Study.of([in_memory("a", 0.0)]).calibration("test")


def test_a_sweep_has_a_curve_with_the_values_of_its_runs() -> None:
    study = Study.of([in_memory(f"a{alpha}", alpha) for alpha in (0.2, 0.0, 0.1)])
    curve = study.sweep(TRIPLE).curve("rho_d", "train")
    assert curve.alphas.tolist() == [0.0, 0.1, 0.2]
    assert curve.mean[0] == pytest.approx(plain_rho_d(study.runs[1].splits["train"], (0, 1, 2)), rel=1e-9)


def test_triples_need_two_runs_and_a_split_in_common() -> None:
    with pytest.raises(InputError, match="in two runs, not in 1"):
        Study.of([in_memory("a", 0.0)]).triples()
    apart = [in_memory("a", 0.0, splits=("train",)), in_memory("b", 0.1, splits=("test",))]
    with pytest.raises(InputError, match="Not both runs have activations"):
        Study.of(apart).triples()


def test_a_study_of_directories_says_what_must_be_said(tmp_path: Path) -> None:
    make_run(tmp_path, "hard", stale=True)
    make_adopted(tmp_path, "theirs")
    study = open_study([tmp_path / "hard", tmp_path / "theirs"])
    assert any("another checkpoint" in note for note in study.notes)
    assert any("did not train theirs" in note for note in study.notes)
    with pytest.raises(InputError, match="nothing"):
        open_study([tmp_path / "nothing"])


def test_nothing_prints_its_arrays() -> None:
    study = Study.of([in_memory("hard", 0.0), in_memory("soft", 0.1)])
    comparison = study.compare(TRIPLE)
    calibration, triples, sweep = study.calibration(), study.triples(), study.sweep()
    statistics = study.runs[0].statistics["train"]
    shown = [
        *(study, study.runs[0], study.runs[0].run, statistics, statistics.project((0, 1, 2))),
        *(comparison, comparison.table, comparison.panels[0], comparison.finding),
        *(calibration, calibration.calibrated[0], triples, triples.pair, sweep, sweep.families),
    ]
    assert max(len(repr(one)) for one in shown) < 2_000
