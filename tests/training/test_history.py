from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from small_training import EPOCHS, STEPS, small_config, small_train

from penviz.store.runs import RUN_FILE, read_run
from penviz.training import targets
from penviz.training.data_set import DataSet
from penviz.training.progress import Progress


def test_progress_and_history(small: DataSet, tmp_path: Path) -> None:
    told: list[Progress] = []
    out = small_train(small, tmp_path / "run", report=told.append, validate_every=2)
    history = json.loads((out / RUN_FILE).read_text())["history"]
    lines = [p.line for p in told if p.line]
    assert lines == history
    assert [line["epoch"] for line in history] == [1, 2, 3]
    assert ["validation_accuracy" in line for line in history] == [False, True, True]
    assert all(p.step == p.steps == STEPS and p.epochs == EPOCHS for p in told if p.line)
    assert told[-1].seconds_left == 0
    run = read_run(out)
    assert run.metrics["validation"]["accuracy"] == history[-1]["validation_accuracy"]
    assert run.metrics["validation"]["n"] == 157
    record = run.record
    assert record["versions"]["torch"] == torch.__version__
    assert record["seconds"] > 0
    assert record["machine"]["threads"] == 1


def test_the_history_holds_means_over_each_epoch(
    small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[float] = []
    real = targets.smoothed_cross_entropy

    def recorded(logits: torch.Tensor, labels: torch.Tensor, alpha: float) -> torch.Tensor:
        losses.append(float(real(logits.detach(), labels, alpha)))
        return real(logits, labels, alpha)

    monkeypatch.setattr(targets, "smoothed_cross_entropy", recorded)
    history = read_run(small_train(small, tmp_path / "run")).record["history"]
    assert len(losses) == EPOCHS * STEPS
    for epoch, line in enumerate(history):
        seen = losses[epoch * STEPS : (epoch + 1) * STEPS]
        assert line["train_loss"] == pytest.approx(sum(seen) / STEPS, rel=1e-6)
    assert history[0]["train_loss"] != pytest.approx(history[2]["train_loss"], rel=1e-4)


@pytest.mark.parametrize("kind", ["hard", "uniform", "others"])
def test_the_history_keeps_both_cross_entropies_the_gap_and_the_largest_logit(
    kind: str, small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    real = targets.Objective.__call__

    def recorded(self: targets.Objective, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        seen.append((logits.detach().double(), self.labels[rows]))
        return real(self, logits, rows)

    monkeypatch.setattr(targets.Objective, "__call__", recorded)
    alpha = 0.0 if kind == "hard" else 0.1
    config = small_config(targets=kind, label_smoothing=alpha)
    history = read_run(small_train(small, tmp_path / "run", config)).record["history"]
    assert len(seen) == EPOCHS * STEPS
    for epoch, line in enumerate(history):
        hard, uniform, gaps, largest = [], [], [], 0.0
        for logits, labels in seen[epoch * STEPS : (epoch + 1) * STEPS]:
            for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
                log_p = [z - math.log(sum(math.exp(v) for v in row)) for z in row]
                wrong = [z for k, z in enumerate(row) if k != label]
                hard.append(-log_p[label])
                uniform.append(-sum(log_p) / len(log_p))
                gaps.append(row[label] - sum(wrong) / len(wrong))
                largest = max(largest, *map(abs, row))
        means = [sum(values) / len(values) for values in (hard, uniform, gaps)]
        assert line["train_nll"] == pytest.approx(means[0], rel=1e-5)
        assert line["train_uniform_nll"] == pytest.approx(means[1], rel=1e-5)
        assert line["train_logit_gap"] == pytest.approx(means[2], rel=1e-4)
        assert line["train_largest_logit"] == pytest.approx(largest, rel=1e-6)
        share = {"hard": 0.0, "uniform": 0.1, "others": 0.1 * 10 / 9}[kind]
        loss = (1 - share) * line["train_nll"] + share * line["train_uniform_nll"]
        assert line["train_loss"] == pytest.approx(loss, rel=1e-5)
