from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import small_digits

from penviz.cli.main import application
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import MODEL_FILE, RUN_FILE, Run, read_run, write_json
from penviz.training import checkpoints, distill, evaluate, models, students, train
from penviz.training.data_set import DataSet
from penviz.training.progress import Stopped
from penviz.training.train_options import TrainOptions

HARD = RunConfig("digits", "fc800", epochs=12, batch_size=64, lr=0.05)
STUDENT: dict[str, Any] = {"epochs": 2, "batch_size": 64, "dropout": 0.3, "flip": True}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("teachers") / "hard"
    return read_run(train.train(HARD, small_digits(), out, TrainOptions(device="cpu")))


def student(teacher: Run, **changes: Any) -> RunConfig:
    return students.student_config(teacher, "fc800", **(STUDENT | {"temperature": 2.0} | changes))


def weights(out: Path) -> dict[str, torch.Tensor]:
    return checkpoints.read_tensors(out / MODEL_FILE)[0]


def by_hand(
    config: RunConfig, z: list[list[float]], y: list[int], v: list[list[float]]
) -> tuple[float, list[list[float]]]:
    """The loss and its gradient in plain loops."""
    n, k, b = len(z), len(z[0]), config.distillation_weight

    def soft(row: list[float], t: float) -> list[float]:
        parts = [math.exp(value / t) for value in row]
        return [part / sum(parts) for part in parts]

    total, gradient = 0.0, [[0.0] * k for _ in range(n)]
    for i in range(n):
        p, told = soft(z[i], 1.0), soft(v[i], config.temperature)
        cool = soft(z[i], config.student_temperature)
        total += (1 - b) * -math.log(p[y[i]]) / n
        for j in range(k):
            gradient[i][j] += (1 - b) * (p[j] - (j == y[i])) / n
            if config.distillation_loss == "squared-logits":
                total += b * (z[i][j] - v[i][j]) ** 2 / (2 * n * k)
                gradient[i][j] += b * (z[i][j] - v[i][j]) / (n * k)
            else:
                total -= b * told[j] * math.log(cool[j]) / n
                gradient[i][j] += b * (cool[j] - told[j]) / (n * config.student_temperature)
    return total, gradient


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 4.0},
        {"distillation_weight": 0.3, "temperature": 2.0},
        {"distillation_weight": 0.6, "student_temperature": 3.0},
        {"distillation_weight": 0.6, "distillation_loss": "squared-logits"},
    ],
)
def test_loss_and_gradient_by_plain_loops(changes: dict[str, Any]) -> None:
    config = RunConfig("digits", "fc800", targets="distilled", label_smoothing=None, teacher="t", **changes)
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(5, 4, generator=generator, dtype=torch.float64).requires_grad_()
    v = torch.randn(5, 4, generator=generator, dtype=torch.float64) * 3
    y = torch.tensor([0, 3, 1, 1, 2])
    value = distill.loss(config, z, y, v)
    value.backward()
    expected, gradient = by_hand(config, z.tolist(), y.tolist(), v.tolist())
    assert float(value.detach()) == pytest.approx(expected, rel=1e-12)
    assert torch.allclose(z.grad, torch.tensor(gradient, dtype=torch.float64), atol=1e-13)
    other = replace(config, distillation_weight=config.distillation_weight / 2)
    assert by_hand(other, z.tolist(), y.tolist(), v.tolist())[0] != pytest.approx(expected, rel=1e-3)


def test_a_sharp_teacher_is_a_hard_label_and_a_flat_one_the_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    z, v = torch.randn(2, 6, 5, generator=generator)
    config = RunConfig("digits", "fc800", targets="distilled", label_smoothing=None, teacher="t")
    labels = torch.zeros(6, dtype=torch.long)  # have no say at b = 1
    sharp = distill.loss(replace(config, temperature=1e-3), z, labels, v)
    assert sharp == pytest.approx(float(torch.nn.functional.cross_entropy(z, v.argmax(1))), rel=1e-5)
    flat = distill.loss(replace(config, temperature=1e6), z, labels, v)
    assert flat == pytest.approx(float(-torch.log_softmax(z, 1).mean()), rel=1e-5)


def test_run_says_who_taught(teacher: Run, tmp_path: Path) -> None:
    out = students.distil(
        student(teacher), small_digits(), teacher, tmp_path / "s", TrainOptions(device="cpu")
    )
    record = json.loads((out / RUN_FILE).read_text())
    config = record["config"]
    assert (config["targets"], config["label_smoothing"]) == ("distilled", None)
    assert (config["teacher"], config["teacher_sha256"]) == ("hard", teacher.model_sha256)
    assert (config["temperature"], config["distillation_weight"], config["split_seed"]) == (2.0, 1.0, 0)
    assert record["status"] == "finished"
    assert read_run(out).config == student(teacher)


def test_the_options_of_a_recipe_reach_the_student(
    teacher: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[RunConfig, TrainOptions]] = []

    def stop(config: RunConfig, data: Any, run: Any, out: Any, options: TrainOptions, **more: Any) -> None:
        asked.append((config, options))
        raise Stopped("seen")

    monkeypatch.setattr(students, "distil", stop)
    words = "--momentum 0 --loss-factor 3 --clip-norm 1 --schedule steps --milestones 0.25 --milestones 0.5"
    command = ["distill", str(teacher.directory), "fc800", "--out", str(tmp_path / "s"), "--progress", "none"]
    application()([*command, *words.split(), "--validate-every", "7"], standalone_mode=False)
    ((config, options),) = asked
    assert (config.momentum, config.loss_factor, config.clip_norm) == (0, 3, 1)
    assert (config.schedule, config.milestones, options.validate_every) == ("steps", (0.25, 0.5), 7)


def test_student_learns_from_the_teacher_and_not_from_the_labels(teacher: Run, tmp_path: Path) -> None:
    """A teacher whose classes are turned by one teaches just that."""
    network = checkpoints.load_network(teacher)
    with torch.no_grad():
        network.head.weight.copy_(network.head.weight.roll(1, 0))
        network.head.bias.copy_(network.head.bias.roll(1, 0))
    config = student(teacher, epochs=12, dropout=0.0, flip=False, temperature=1.0)
    out = train.train(config, small_digits(), tmp_path / "s", TrainOptions(device="cpu"), teacher=network)
    learned = checkpoints.load_network(read_run(out))
    split = small_digits().splits["train"]
    _, predictions = evaluate.features_and_predictions(learned, split, 0)
    assert (predictions == (split.labels + 1) % 10).mean() > 0.8
    assert (predictions == split.labels).mean() < 0.1


def test_teacher_draws_no_random_numbers_and_stays_as_it_is(teacher: Run, tmp_path: Path) -> None:
    """With next to no share in the loss, the student is the one that never had a teacher."""
    config = student(teacher, distillation_weight=1e-12)
    network = checkpoints.load_network(teacher)
    network.dropout = 0.9  # would draw, and speak otherwise, were it not in evaluation mode
    before = {key: value.clone() for key, value in network.state_dict().items()}
    taught = train.train(
        config, small_digits(), tmp_path / "taught", TrainOptions(device="cpu"), teacher=network
    )
    assert not network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    alone = replace(
        config, targets="hard", label_smoothing=0.0, teacher="", teacher_sha256="", distillation_weight=1.0
    )
    train.train(alone, small_digits(), tmp_path / "alone", TrainOptions(device="cpu"))
    one, other = weights(taught), weights(tmp_path / "alone")
    assert all(torch.allclose(one[key], other[key], atol=1e-6) for key in one)
    seeded = train.train(
        replace(alone, seed=1, split_seed=0), small_digits(), tmp_path / "x", TrainOptions(device="cpu")
    )
    assert not torch.allclose(one["head.weight"], weights(seeded)["head.weight"], atol=1e-3)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import torch; torch.set_num_threads(1)
from small_training import small_digits
from test_distill import student
from penviz.training import students
from penviz.training.train_options import TrainOptions
from penviz.store.runs import read_run
def observe(point):
    if point == "step 1 3":
        os.kill(os.getpid(), signal.SIGKILL)
run = read_run(sys.argv[1])
options = TrainOptions(device="cpu", save_every=0.0, observe=observe)
students.distil(student(run), small_digits(), run, Path(sys.argv[2]), options)
"""


def test_killed_student_goes_on_to_the_same_weights(teacher: Run, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole = students.distil(
        student(teacher), small_digits(), teacher, tmp_path / "whole", TrainOptions(device="cpu")
    )
    out = tmp_path / "killed"
    arguments = [str(teacher.directory), str(out), str(Path(__file__).parent)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (out / MODEL_FILE).exists()
    students.distil(student(teacher), small_digits(), teacher, out, TrainOptions(device="cpu", resume=True))
    torch.set_num_threads(threads)
    assert read_run(out).model_sha256 == read_run(whole).model_sha256
    assert read_run(out).metrics == read_run(whole).metrics
    other = students.distil(
        student(teacher, temperature=1.0),
        small_digits(),
        teacher,
        tmp_path / "other",
        TrainOptions(device="cpu"),
    )
    assert read_run(other).model_sha256 != read_run(whole).model_sha256


def changed(teacher: Run, **entries: Any) -> Run:
    return replace(teacher, record=teacher.record | entries)


def test_refusals(teacher: Run, tmp_path: Path) -> None:
    digits = small_digits()
    other_names = DataSet("digits", digits.splits, tuple("abcdefghij"))
    others = replace(digits.splits["train"], dataset_id="digits:0000")
    other_data = DataSet("digits", {**digits.splits, "train": others}, digits.class_names)
    cases: list[tuple[Run, RunConfig, DataSet, str]] = [
        (teacher, student(teacher), other_names, "hard knows other classes than digits"),
        (teacher, student(teacher), other_data, r"hard was trained on other data than this digits \(train\)"),
        (changed(teacher, image_shape=[9, 8, 1]), student(teacher), digits, "images of another shape"),
        (
            teacher,
            student(teacher, crop=6),
            digits,
            "fed 6 x 6 pixels and its teacher 8 x 8: give the student",
        ),
        (replace(teacher, model_sha256=""), student(teacher), digits, "hard is not finished"),
    ]
    for run, config, dataset, sentence in cases:
        with pytest.raises(RunError, match=sentence):
            students.distil(config, dataset, run, tmp_path / "s", TrainOptions(device="cpu"))
        assert not (tmp_path / "s").exists()
    with pytest.raises(RunError, match="need a teacher: use penviz distill"):
        train.train(student(teacher), digits, tmp_path / "s", TrainOptions(device="cpu"))
    with pytest.raises(RunError, match="need a teacher"):
        train.train(
            HARD,
            digits,
            tmp_path / "s",
            TrainOptions(device="cpu"),
            teacher=models.build("fc800", (1, 8, 8), 10),
        )


def test_changed_teacher_is_refused_on_resume(teacher: Run, tmp_path: Path) -> None:
    out = tmp_path / "s"
    with pytest.raises(Stopped):
        students.distil(
            student(teacher), small_digits(), teacher, out, TrainOptions(device="cpu", stopped=lambda: True)
        )
    again = train.train(
        replace(HARD, seed=1, split_seed=0), small_digits(), tmp_path / "hard", TrainOptions(device="cpu")
    )
    run = read_run(again)
    with pytest.raises(RunError, match="other weights than those of hard: give that teacher, or another"):
        students.distil(student(run), small_digits(), run, out, TrainOptions(device="cpu", resume=True))
    spoilt = read_run(again)
    write_json(again / RUN_FILE, spoilt.record | {"model_sha256": "0" * 64})
    with pytest.raises(RunError, match="not the file that"):
        students.distil(
            student(run), small_digits(), read_run(again), tmp_path / "t", TrainOptions(device="cpu")
        )
    students.distil(student(teacher), small_digits(), teacher, out, TrainOptions(device="cpu", resume=True))
