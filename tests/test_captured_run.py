"""A run in memory goes to a directory and back, and is read there like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penviz.store import run_activations, shards
from penviz.store.activations import Activations
from penviz.store.captured_run import CapturedRun, Statement, in_memory, load, save
from penviz.store.head import Head
from penviz.store.run_config import RunError
from penviz.store.run_differences import differences
from penviz.store.runs import read_run, stored_path

K, D = 4, 6


def activations(split: str, n: int = 40, seed: int = 0) -> Activations:
    rng = np.random.default_rng(seed)
    head = Head(rng.normal(size=(K, D)), rng.normal(size=K))
    features = rng.normal(size=(n, D)).astype(np.float32)
    predictions = head.logits(features).argmax(1)
    names = tuple("abcd")
    return Activations(
        features, np.arange(n) % K, predictions, np.arange(n)[::-1], names, "soft", split, head
    )


def captured(alpha: float | None = 0.1, targets: str | None = None, **change: Any) -> CapturedRun:
    splits = {s: activations(s, seed=i) for i, s in enumerate(("validation", "train"))}
    options: dict[str, Any] = {"dataset": "mine", "model": "CNN", "head": {"kind": "stated"}} | change
    return in_memory(Statement("soft", alpha, targets), splits, **options)


def test_a_saved_run_is_read_like_any_other(tmp_path: Path) -> None:
    one = captured(nll={"train": 0.5})
    run = read_run(save(one, tmp_path / "runs" / "soft"))
    assert run.adopted
    assert run.seed is None
    assert (run.config.targets, run.config.label_smoothing) == ("uniform", 0.1)
    assert run.splits() == list(one.splits) == ["train", "validation"]
    assert run.metrics == one.run.metrics
    right = np.mean(one.splits["train"].predictions == one.splits["train"].labels)
    assert run.metrics["train"] == {"accuracy": right, "nll": 0.5, "n": 40}
    assert run.adoption.measured == run.metrics["validation"]["accuracy"]
    for split, a in run_activations.load(run).items():
        for field in ("features", "labels", "predictions", "indices"):
            assert np.array_equal(getattr(a, field), getattr(one.splits[split], field))
    again = load(tmp_path / "runs" / "soft")
    assert again.run.record == one.run.record
    assert not differences([one.run, again.run])


def test_only_what_is_known_is_compared() -> None:
    hard, soft = captured(0.0), captured(0.1)
    assert differences([hard.run, soft.run]) == ["targets", "label_smoothing"]
    assert "model" in differences([hard.run, captured(0.1, model="ViT").run])
    assert captured(None).run.config.targets == "unknown"


def test_a_large_split_is_saved_in_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = captured()
    monkeypatch.setattr(shards, "LARGEST_FILE", 4 * 40 * D - 1)
    run = read_run(save(one, tmp_path / "soft"))
    path = stored_path(run.directory, "train")
    assert path.name == "manifest.json"
    whole = shards.ShardedActivations.open(path.parent).load()
    assert np.array_equal(whole.features, one.splits["train"].features)
    assert load(tmp_path / "soft").splits["train"].labels.max() == 2  # the first three classes


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "soft").mkdir()
    (tmp_path / "soft" / "thesis.tex").write_text("")
    with pytest.raises(RunError, match="exists already"):
        save(captured(), tmp_path / "soft")
    bad = captured()
    bad.run.record["metrics"] = {"train": float("nan")}
    with pytest.raises(ValueError, match="JSON"):
        save(bad, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["soft"]


def test_a_run_is_shown_in_few_words() -> None:
    said = repr(captured(model="x" * 5000))
    assert len(said) < 2000
    assert "label smoothing 0.1" in said
    assert "train 40 x 6" in said


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ({"name": ""}, "a name"),
        ({"name": "a/b"}, "a name"),
        ({"name": "x", "targets": "others"}, "State the label smoothing"),
        ({"name": "x", "targets": "hard", "label_smoothing": 0.1}, "Hard targets have label smoothing 0"),
        ({"name": "x", "label_smoothing": 1.5}, "at least 0 and below 1"),
        ({"name": "x", "targets": "soft", "label_smoothing": 0.1}, "one of hard"),
    ],
)
def test_statements_that_do_not_fit_are_one_sentence(statement: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RunError, match=sentence):
        Statement(**statement).config("mine", "CNN")


def test_the_prior_is_that_of_the_training_labels(tmp_path: Path) -> None:
    one = captured(0.1, "prior")
    assert run_activations.targets_of(one.run).prior == (0.25,) * 4
    assert run_activations.targets_of(load(save(one, tmp_path / "p")).run).prior == (0.25,) * 4
    with pytest.raises(RunError, match="train split"):
        in_memory(
            Statement("x", 0.1, "prior"),
            {"test": activations("test")},
            dataset="mine",
            model="CNN",
            head={"kind": "stated"},
        )
