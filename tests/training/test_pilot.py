from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_training import small_digits

from penviz import InputError
from penviz.cli.main import application
from penviz.store.pilots import Pilot, conditions, read_pilot
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import MODEL_FILE, Run, read_run
from penviz.training import checkpoints, data, data_set, evaluate, pilot, train
from penviz.training.data_set import Split
from penviz.training.network import Network
from penviz.training.pilot_request import Request
from penviz.training.progress import Stopped
from penviz.training.train_options import TrainOptions

HARD = RunConfig("digits", "fc1200", epochs=2, batch_size=64, lr=0.05)
SOFT = replace(HARD, targets="uniform", label_smoothing=0.2)
SMALL = small_digits()
CHOSEN = {"epochs": 1, "batch_size": 64}


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    root = tmp_path_factory.mktemp("teachers")
    for name, config in (("hard", HARD), ("soft", SOFT)):
        train.train(config, SMALL, root / name, TrainOptions(device="cpu"))
    return read_run(root / "hard"), read_run(root / "soft")


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "load", lambda *arguments, **options: SMALL)


def request(teachers: tuple[Run, ...], out: Path, **changes: Any) -> Request:
    usual: dict[str, Any] = {
        "temperatures": (1.0, 3.0),
        "seeds": (0, 1),
        "chosen": CHOSEN,
        "device": "cpu",
    }
    return Request(teachers, "fc800", out, **(usual | changes))


@pytest.fixture(scope="module")
def done(teachers: tuple[Run, Run], tmp_path_factory: pytest.TempPathFactory) -> Pilot:
    """Stopped after the third student, and gone on with."""
    out = tmp_path_factory.mktemp("pilot")
    whole = data.load
    data.load = lambda *arguments, **options: SMALL  # type: ignore[assignment]
    try:
        told: list[str] = []

        def stopped() -> bool:
            return len(told) == 3

        with pytest.raises(Stopped):
            pilot.Test(request(teachers, out), told.append).run(stopped=stopped)
        partial = read_pilot(out)
        assert partial is not None
        assert not partial.finished
        assert [row.role for row in partial.rows] == ["teacher"] * 2 + ["distilled"] * 3
        first = next(out.iterdir()) / MODEL_FILE
        kept = {p: p.stat().st_mtime_ns for p in out.glob(f"*/{MODEL_FILE}")}
        assert len(kept) == 3, first
        test = pilot.Test(request(teachers, out))
        found = test.run()
        assert all(p.stat().st_mtime_ns == when for p, when in kept.items())  # none was trained again
        assert len([row for row in found.rows if row.role != "teacher"]) == test.n_students()
        return found
    finally:
        data.load = whole


def test_all_conditions_are_there(done: Pilot) -> None:
    assert done.finished
    assert done == read_pilot(done.directory)
    keys = [(c.role, c.label_smoothing, c.temperature, len(c.rows)) for c in conditions(done)]
    assert keys[:2] == [("teacher", 0.0, 1.0, 1), ("teacher", 0.2, 1.0, 1)]
    assert keys[-4:] == [("distilled", a, t, 2) for a in (0.0, 0.2) for t in (1.0, 3.0)]
    tuned = [c for c in conditions(done) if c.tuned]
    assert [c.label_smoothing for c in tuned] == [0.0, 0.2]
    alone = sorted(c.label_smoothing for c in conditions(done) if c.role == "alone")
    assert alone == pytest.approx(sorted([0.0, *(c.gamma for c in tuned)]), abs=5e-4)  # type: ignore[list-item]
    for row in done.rows:
        assert (row.accuracy.keys(), row.nll.keys()) == ({"validation"}, {"validation"})


def probabilities(network: Network, split: Split, temperature: float = 1.0) -> np.ndarray:
    """What a network says of each image [n, K], in float64."""
    features, _ = evaluate.features_and_predictions(network, split, 0)
    weight, bias = (p.detach().double().numpy() for p in (network.head.weight, network.head.bias))
    z = (features.astype(float) @ weight.T + bias) / temperature
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def test_gamma_is_the_mass_off_the_true_class(done: Pilot, teachers: tuple[Run, Run]) -> None:
    split = SMALL.splits["train"]
    for run in teachers:
        p = probabilities(checkpoints.load_network(run), split, 3)
        expected = np.mean([1 - p[i, y] for i, y in enumerate(split.labels)]) * 10 / 9
        rows = [r for r in done.rows if r.teacher == run.name and r.temperature == 3]
        assert len(rows) == 2
        assert all(r.gamma == pytest.approx(expected, rel=1e-9) for r in rows)


def test_gamma_is_of_the_share_that_the_teacher_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(HARD, data_share=0.5)
    train.train(config, SMALL, tmp_path / "half", TrainOptions(device="cpu"))
    run = read_run(tmp_path / "half")
    asked = request((run,), tmp_path / "o", temperatures=(1.0,), seeds=(0,))
    found = pilot.Test(asked).run()
    share = data_set.first_share(SMALL, 0.5).splits["train"]
    assert len(share) == 160
    network = checkpoints.load_network(run)
    expected, whole = (
        (1 - given[np.arange(len(given)), split.labels]).mean() * 10 / 9
        for split in (share, SMALL.splits["train"])
        for given in [probabilities(network, split)]
    )
    (row,) = [row for row in found.rows if row.role == "distilled"]
    assert row.gamma == pytest.approx(expected, rel=1e-9)
    assert abs(whole - expected) > 1e-3

    other = SMALL.splits["train"]
    moved = replace(other, labels=np.roll(other.labels, 1))  # the same validation, another training split
    others = replace(SMALL, splits={**SMALL.splits, "train": moved})
    monkeypatch.setattr(data, "load", lambda *arguments, **options: others)
    with pytest.raises(RunError, match=r"half was trained on other data than this digits \(train\)"):
        pilot.Test(replace(asked, out=tmp_path / "p")).run()
    assert not (tmp_path / "p").exists()


def test_table_for_people(done: Pilot) -> None:
    with open(done.directory / "pilot.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(done.rows)
    assert [line["run"] for line in lines] == [row.run for row in done.rows]
    assert {line["temperature_tuned"] for line in lines if line["role"] == "alone"} == {""}
    assert sum(line["temperature_tuned"] == "yes" for line in lines) == 4


def test_students_share_the_teachers_split_and_differ_by_seed(done: Pilot) -> None:
    configs = [read_run(done.directory / row.run).config for row in done.rows if row.role != "teacher"]
    assert {c.held_out_seed for c in configs} == {0}
    assert {c.seed for c in configs} == {0, 1}
    assert {c.epochs for c in configs} == {1}


def test_teachers_of_several_seeds_teach_students_of_their_own(
    teachers: tuple[Run, Run], tmp_path: Path
) -> None:
    others = [replace(run, name=f"{run.name}-1", config=replace(run.config, seed=1)) for run in teachers]
    asked = request((*teachers, *others), tmp_path)
    assert [(run.config.seed, seed) for run, seed in asked.pairs(0.0)] == [(0, 0), (1, 1)]
    assert request(teachers, tmp_path).pairs(0.2) == [(teachers[1], 0), (teachers[1], 1)]
    with pytest.raises(RunError, match="Give the same seeds of every teacher"):
        request((*teachers, others[0]), tmp_path)


def test_sweep_has_soft_teachers_at_one_temperature(teachers: tuple[Run, Run], tmp_path: Path) -> None:
    asked = request(teachers, tmp_path, kind="sweep")
    assert (asked.tried(0.0), asked.tried(0.2)) == ((1.0, 3.0), (1.0,))
    assert pilot.Test(asked).n_students() == 2 * (2 + 1 + 2)


def test_refusals(teachers: tuple[Run, Run], done: Pilot, tmp_path: Path) -> None:
    hard, soft = teachers
    close = replace(soft, name="close", config=replace(soft.config, label_smoothing=0.2000001))
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: request((), tmp_path), "needs a teacher"),
        (lambda: request(teachers, tmp_path, temperatures=(2.0,)), "1 must be among them"),
        (lambda: request(teachers, tmp_path, temperatures=(1.0, 0.0)), "finite and above 0"),
        (lambda: request(teachers, tmp_path, temperatures=(1.0, float("inf"))), "finite and above 0"),
        (lambda: request(teachers, tmp_path, temperatures=(1.0, float("nan"))), "finite and above 0"),
        (lambda: request(teachers, tmp_path, seeds=(0, 1, 0)), "must differ: one network counts once"),
        (lambda: request((hard, hard), tmp_path), "the same smoothing and seed"),
        (lambda: request((hard, replace(soft, name=hard.name)), tmp_path), "Two teachers .* called hard"),
        (lambda: request((*teachers, close), tmp_path), "Two smoothings of teachers .* called 0.2"),
        (lambda: request(teachers, tmp_path, temperatures=(1.0, 1.0000001)), "Two temperatures .* called 1,"),
        (
            lambda: request((hard, replace(soft, config=replace(soft.config, model="fc800"))), tmp_path),
            "differ in model",
        ),
        (
            lambda: request(teachers, tmp_path, chosen={"distillation_loss": "squared-logits"}),
            "no temperature: use --temperatures 1",
        ),
        (
            lambda: pilot.Test(request(teachers, done.directory, kind="sweep")).run(),
            "holds another test",
        ),
    ]
    for call, sentence in cases:
        with pytest.raises(RunError, match=sentence):
            call()


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ({"epochs": 5}, {"epochs": 30}, "epochs"),
        ({"model": "fc800"}, {}, "model"),
        ({"data_share": 0.5, "weight_decay": 0.0}, {}, "weight decay and data share"),
        ({}, {"targets": "others", "seed": 1}, "kind of targets"),
        ({}, {"targets": "binary", "seed": 1}, "kind of targets and loss"),
        ({"targets": "binary"}, {"targets": "binary", "seed": 1}, "loss"),  # the hard ones have a softmax
        ({"targets": "prior", "prior": (0.1,) * 10}, {}, "prior and kind of targets"),
    ],
)
def test_teachers_that_differ_in_more_than_smoothing_and_seed_are_refused(
    teachers: tuple[Run, Run], tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any], words: str
) -> None:
    hard, soft = teachers
    given = [replace(run, name=f"{run.name}-1", config=replace(run.config, seed=1)) for run in teachers]
    one = replace(soft, config=replace(soft.config, **ours))
    other = replace(given[1], config=replace(given[1].config, **theirs))
    with pytest.raises(RunError, match=f"^The teachers differ in {words}: a fair test needs equal ones.$"):
        request((hard, one, given[0], other), tmp_path)
    assert len(request((hard, soft, *given), tmp_path).groups) == 2


def test_equal_names_are_refused_before_anything_is_written(
    teachers: tuple[Run, Run], tmp_path: Path
) -> None:
    hard, soft = (run.directory for run in teachers)
    other = tmp_path / "other" / hard.name
    shutil.copytree(soft, other)
    options = ["--pilot", "--student", "fc800", "--out", str(tmp_path / "o")]
    for runs, more in (([hard, other], []), ([hard, soft], ["--temperatures", "1,1.0000001"])):
        with pytest.raises(InputError, match="would both be called"):
            application()(["distill", *map(str, runs), *options, *more], standalone_mode=False)
    assert not (tmp_path / "o").exists()
    asked = request(teachers, tmp_path, temperatures=(1.0, 1.0))
    assert asked.tried(0.0) == (1.0,), "the same number twice counts once"


def test_command_says_how_long_before_it_starts(
    teachers: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(run.directory) for run in teachers]
    options = "--student fc800 --pilot --epochs 1 --temperatures 1 --seeds 0 --progress none --device cpu"
    command = ["distill", *names, *options.split(), "--out", str(tmp_path / "p")]
    application()(command, standalone_mode=False)
    out, said = capsys.readouterr()
    lines = said.splitlines()
    assert lines[0].startswith("5 students: about 0:")
    assert "fc800-from-hard-T1-seed0: accuracy validation" in lines[1]
    assert "best T on validation" in out
    assert "There is no test split" in out
    assert json.loads((tmp_path / "p" / "pilot.json").read_text())["finished"]
    application()(command, standalone_mode=False)
    assert capsys.readouterr().err.startswith("5 students, 5 of them trained already: about 0:00 on")


def test_the_time_said_is_of_the_students_that_are_left(
    done: Pilot, teachers: tuple[Run, Run], tmp_path: Path
) -> None:
    out = tmp_path / "again"
    shutil.copytree(done.directory, out)
    test, anew = (pilot.Test(request(teachers, place)) for place in (out, tmp_path / "new"))
    n = test.n_students()
    assert (n, test.n_left(), test.expected_seconds()) == (14, 0, 0.0)
    alone = [row.run for row in done.rows if row.role == "alone"]
    distilled = [row.run for row in done.rows if row.role == "distilled"]
    (out / alone[-1] / MODEL_FILE).unlink()
    assert test.n_left() == 1
    assert anew.n_left() == n
    assert 0 < test.expected_seconds() < anew.expected_seconds() / 2
    assert not (tmp_path / "new").exists()
    shutil.rmtree(out / distilled[0])  # it decides anew which temperature is the best, and so the smoothings
    assert test.n_left() == 1 + 6


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Give a teacher's run and the student's network"),
        (("fc800", "--pilot"), "Name the students' network with --student"),
        (("--pilot", "--sweep", "--student", "fc800"), "Choose --pilot or --sweep"),
        (("fc800", "--temperatures", "1,2"), "^--temperatures needs --pilot or --sweep.$"),
        (("fc800", "--seeds", "0"), "^--seeds needs --pilot or --sweep.$"),
        (("fc800", "--student", "fc800"), "^--student needs --pilot or --sweep.$"),
        (("--pilot", "--student", "fc800", "--temperature", "2"), "^--temperature is for a single student"),
        (("--sweep", "--student", "fc800", "--seed", "0"), "^--seed is for a single student"),
        (("--pilot", "--student", "fc800", "--validate-every", "2"), "^--validate-every is for a single"),
        (("--sweep", "--student", "fc800", "--compile"), "^--compile is for a single student"),
        (("fc801",), "There is no network fc801"),
        (("--pilot", "--student", "fc800", "--temperatures", "1,x"), "takes numbers with commas"),
        (("--pilot", "--student", "fc800", "--seeds", "0,nan"), "--seeds takes whole numbers"),
        (("--pilot", "--student", "fc800", "--seeds", "0.5"), "--seeds takes whole numbers"),
        (("fc800", "--weight", "0"), "distillation weight must be above 0"),
        (("fc800", "--loss", "hinge"), "The distillation loss must be"),
    ],
)
def test_bad_commands_are_one_sentence(
    teachers: tuple[Run, Run], tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        application()(
            ["distill", str(teachers[0].directory), *options, "--out", str(tmp_path / "o")],
            standalone_mode=False,
        )
    assert not (tmp_path / "o").exists()
