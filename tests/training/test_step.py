"""The learning rate over a run, and one step of training by arithmetic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_training import small_config

from penviz.store.run_config import RunConfig
from penviz.store.runs import Run
from penviz.training import defaults, images, models
from penviz.training.data_set import DataSet
from penviz.training.train_options import TrainOptions
from penviz.training.trainer import Training

# The learning rate over a run, by hand.


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        ("constant", 0, 0.4),
        ("constant", 99, 0.4),
        ("steps", 0, 0.4),
        ("steps", 49, 0.4),
        ("steps", 50, 0.04),
        ("steps", 74, 0.04),
        ("steps", 75, 0.004),
        ("steps", 99, 0.004),
        ("one-cycle", 0, 0.04),
        ("one-cycle", 10, 0.4 * 0.55),
        ("one-cycle", 20, 0.4),
        ("one-cycle", 60, 0.2),
        ("one-cycle", 99, 0.4 * 0.0125),
    ],
)
def test_learning_rate(schedule: str, step: int, expected: float) -> None:
    config = RunConfig("digits", "fc800", lr=0.4, schedule=schedule)
    assert defaults.learning_rate(config, step, 100) == pytest.approx(expected, rel=1e-12)


def test_learning_rate_ends_at_a_thousandth() -> None:
    config = RunConfig("digits", "fc800", lr=1.0)
    assert defaults.learning_rate(config, 99_999, 100_000) == 0.001
    rates = [defaults.learning_rate(config, s, 50) for s in range(50)]
    assert max(rates) == 1.0
    assert np.argmax(rates) == 10


# One step, by arithmetic.


def one_step(small: DataSet, out: Path, **changes: Any) -> tuple[dict, dict, dict, float]:
    """Weights before, raw gradients of the plain loss, weights after, and the loss; of one step."""
    config = small_config(
        **({"epochs": 1, "schedule": "constant", "clip_norm": 0.0, "momentum": 0.0} | changes)
    )
    run = Training(config, small, out, TrainOptions(device="cpu"))
    before = {k: v.detach().double().clone() for k, v in run.network.named_parameters()}
    plan = run.plan()
    rows = plan.order[: config.batch_size]
    batch = images.standardise(images.crop_batch(run.images, rows, plan, run.size))
    logits = run.network(batch)
    log_p = torch.log_softmax(logits, 1)
    n_classes, alpha = logits.shape[1], config.label_smoothing
    loss = torch.zeros(())
    for i, row in enumerate(rows):
        for k in range(n_classes):
            q = (1 - alpha) * (k == int(run.labels[row])) + alpha / n_classes
            loss = loss - q * log_p[i, k] / len(rows)
    gradients = torch.autograd.grad(loss, list(run.network.parameters()))
    raw = {k: g.double() for k, g in zip(before, gradients, strict=True)}
    run.run_step(plan)
    after = {k: v.detach().double() for k, v in run.network.named_parameters()}
    assert float(run.state.sums[0]) / len(rows) == pytest.approx(float(loss.detach()), rel=1e-5)
    return before, raw, after, config.lr


def assert_step(before: dict, after: dict, expected: dict, lr: float) -> None:
    for name, value in expected.items():
        moved = (before[name] - after[name]) / lr
        scale = max(float(value.abs().max()), 1e-6)
        assert float((moved - value).abs().max()) < 2e-3 * scale, name


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_decay_acts_on_the_two_hidden_layers_and_the_factor_on_the_gradient(
    factor: float, small: DataSet, tmp_path: Path
) -> None:
    changes = {"loss_factor": factor, "weight_decay": 0.5, "lr": 0.5, "batch_size": 16}
    before, raw, after, lr = one_step(small, tmp_path, **changes)
    linear = [k for k, m in models.build("tutorial_alexnet", (1, 8, 8), 10).named_modules()
              if isinstance(m, torch.nn.Linear)]  # fmt: skip
    assert len(linear) == 3
    assert linear[-1] == "head"
    hidden = {f"{name}.weight" for name in linear[:2]}
    expected = {k: factor * g + (0.5 * before[k] if k in hidden else 0) for k, g in raw.items()}
    assert_step(before, after, expected, lr)
    for wrong in (  # decay on the head too, on no layer, another factor
        {k: factor * g + (0.5 * before[k] if k in hidden | {"head.weight"} else 0) for k, g in raw.items()},
        {k: factor * g for k, g in raw.items()},
        {k: 1.01 * factor * g + (0.5 * before[k] if k in hidden else 0) for k, g in raw.items()},
    ):
        with pytest.raises(AssertionError):
            assert_step(before, after, wrong, lr)


def test_gradients_are_clipped_to_the_norm(small: DataSet, tmp_path: Path) -> None:
    changes = {"loss_factor": 3.0, "weight_decay": 0.0, "lr": 0.5, "batch_size": 16}
    before, raw, after, lr = one_step(small, tmp_path, clip_norm=0.25, **changes)
    norm = math.sqrt(sum(float((3 * g).pow(2).sum()) for g in raw.values()))
    assert norm > 0.25
    assert_step(before, after, {k: 3 * g * 0.25 / norm for k, g in raw.items()}, lr)
    before, raw, after, lr = one_step(small, tmp_path, clip_norm=10 * norm, **changes)
    assert_step(before, after, {k: 3 * g for k, g in raw.items()}, lr)


def test_two_steps_of_nesterov_momentum(small: DataSet, tmp_path: Path) -> None:
    config = small_config(
        epochs=1, schedule="constant", clip_norm=0.0, weight_decay=0.0, lr=0.05, momentum=0.9
    )
    run = Training(config, small, tmp_path, TrainOptions(device="cpu"))
    plan = run.plan()
    name, parameter = "head.weight", run.network.head.weight
    velocity, expected = 0.0, parameter.detach().double().clone()
    for _ in range(2):
        run.run_step(plan)
        assert parameter.grad is not None
        gradient = parameter.grad.double()  # scaled by the loss factor
        velocity = 0.9 * velocity + gradient
        expected = expected - 0.05 * (gradient + 0.9 * velocity)
        assert torch.allclose(parameter.detach().double(), expected, atol=1e-6), name


def test_smoothed_loss_falls_to_just_above_its_floor(soft_run: Run) -> None:
    losses = [line["train_loss"] for line in soft_run.record["history"]]
    floor = -(0.91 * math.log(0.91) + 9 * 0.01 * math.log(0.01))
    assert floor == pytest.approx(0.5003, abs=5e-5)
    assert floor < losses[-1] < losses[0]
    assert losses[-1] < floor + 0.25
    assert soft_run.record["history"][-1]["train_nll"] < losses[-1]  # the plain one is another number
