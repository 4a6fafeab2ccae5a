from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import make_adopted, make_run

from penviz import InputError
from penviz.figures.charts.sweep import build
from penviz.store.run_activations import load
from penviz.store.runs import Run, list_runs, read_run
from penviz.study.families import families
from penviz.study.sweep import SWEPT_BY_KEY
from penviz.study.table import SplitStatistics, compare


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three seeds of hard and of soft targets; the seeds have data of their own."""
    root = tmp_path_factory.mktemp("sweep")
    for seed in range(3):
        for alpha in (0.0, 0.1):
            make_run(root, f"net-{alpha:g}-seed{seed}", alpha, seed=seed, per_class=20)
    return list_runs(root)[0]


def changed(run: Run, name: str, **fields: object) -> Run:
    return replace(run, name=name, config=replace(run.config, **fields))


def test_runs_of_one_curve_differ_in_alpha_and_seed_only(runs: list[Run]) -> None:
    assert {name: len(part) for name, part in families(runs).items()} == {"tutorial_alexnet": 6}
    dropped = [changed(run, f"{run.name}-dropout", dropout=0.5) for run in runs[:4]]
    lone = changed(runs[0], "lone", epochs=99)
    found = families([*runs, *dropped, lone])
    assert {name: len(part) for name, part in found.items()} == {
        "tutorial_alexnet, dropout 0": 6,
        "tutorial_alexnet, dropout 0.5": 4,
    }
    assert list(families([lone])) == ["tutorial_alexnet"]  # nothing better to show
    other = [changed(run, f"{run.name}-20", model="resnet20") for run in runs]
    assert list(families([*runs, *other])) == ["tutorial_alexnet", "resnet20"]


def test_hard_targets_belong_to_every_kind_of_soft_ones(runs: list[Run]) -> None:
    others = [changed(r, f"{r.name}-others", targets="others") for r in runs if r.config.label_smoothing]
    found = families([*runs, *others])
    assert {name: len(part) for name, part in found.items()} == {
        "tutorial_alexnet, targets uniform": 6,
        "tutorial_alexnet, targets others": 6,
    }


def test_hard_targets_belong_to_every_prior(runs: list[Run]) -> None:
    soft = [run for run in runs if run.config.label_smoothing]
    hard = [run for run in runs if not run.config.label_smoothing]
    priors = [
        [changed(r, f"{r.name}-{i}", targets="prior", prior=prior) for r in soft]
        for i, prior in enumerate(((0.1,) * 10, (0.2, *(0.8 / 9,) * 9)))
    ]
    assert [len(part) for part in families([*hard, *priors[0]]).values()] == [6]
    assert [len(part) for part in families([*hard, *priors[0], *priors[1]]).values()] == [6, 6]


def test_k_sigmoids_have_a_curve_of_their_own(runs: list[Run]) -> None:
    sigmoids = [
        changed(run, f"{run.name}-{alpha}", targets="binary", label_smoothing=alpha)
        for run in runs
        if run.config.label_smoothing
        for alpha in (0.1, 0.2)
    ]
    found = families([*runs, *sigmoids])
    assert {name: len(part) for name, part in found.items()} == {
        "tutorial_alexnet, targets uniform": 6,
        "tutorial_alexnet, targets binary": 6,
    }
    hard = [run for run in runs if not run.config.label_smoothing]
    parts = families([*hard, *sigmoids]).values()
    assert [len(part) for part in parts] == [6], "hard targets alone are no curve"


def test_unknown_targets_belong_nowhere(runs: list[Run], tmp_path: Path) -> None:
    theirs = read_run(make_adopted(tmp_path, "theirs", 0.1))
    assert families([theirs]) == {}
    with pytest.raises(InputError, match="known targets"):
        build([theirs])
    assert families([*runs, theirs]) == families(runs)


def test_the_charts_hold_the_numbers_of_the_table(runs: list[Run]) -> None:
    charts = build(runs, classes=("bird", "cat", "dog"), numbers=("rho_d", "temperature"))
    assert [c.title for c in charts] == [SWEPT_BY_KEY["rho_d"].label, SWEPT_BY_KEY["temperature"].label]
    by_name = {s.name: s for s in charts[0].series}
    assert list(by_name) == ["train, single runs", "train", "validation, single runs", "validation"]
    values = {}
    for run in runs:
        summaries = {split: SplitStatistics.of(a) for split, a in load(run, ("train", "validation")).items()}
        values[run.name] = compare([summaries], ("bird", "cat", "dog")).row("rho_d").values[0]
    for split in ("train", "validation"):
        single = by_name[f"{split}, single runs"]
        assert dict(zip(single.labels, single.y, strict=True)) == {n: v[split] for n, v in values.items()}
        hard = [v[split] for n, v in values.items() if n.startswith("net-0-")]
        mean = by_name[split]
        assert mean.x.tolist() == [0.0, 0.1]
        assert mean.y[0] == pytest.approx(np.mean(hard))
        half = 4.303 * np.std(hard, ddof=1) / np.sqrt(3)
        assert mean.low is not None
        assert mean.low[0] == pytest.approx(np.mean(hard) - half)
        assert mean.labels == ("3 seeds", "3 seeds")
        assert mean.dashed == (split == "validation"), "as on the page Over training"
    assert {s.name for s in charts[1].series} == {"validation, single runs", "validation"}
    assert "6 runs, seeds 0, 1 and 2" in charts[0].about


def test_what_is_no_sweep_is_one_sentence(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of train and validation, not of test"):
        build(runs, splits=["validation", "test"])
    other = read_run(make_run(tmp_path, "two", names=("cat", "dog")))
    with pytest.raises(InputError, match="different lists of classes"):
        build([*runs, other])


def test_two_networks_have_a_colour_each(runs: list[Run]) -> None:
    from penviz.figures.charts.sweep import charts_of, digest
    from penviz.study.sweep_comparison import swept

    one = [swept(run, digest(run)) for run in runs]
    (chart,) = charts_of({"a": one, "b": one}, ("accuracy",))
    assert {s.name.split(",")[0]: s.colour for s in chart.series} == {"a": 0, "b": 1}
    (plain,) = charts_of({"a": one[::3]}, ("accuracy",))  # one seed: no band, no points under the mean
    assert [s.name for s in plain.series] == ["train", "validation"]
    assert all(s.low is None for s in plain.series)
    with pytest.raises(InputError, match="no number beauty"):
        charts_of({"a": one}, ("beauty",))
