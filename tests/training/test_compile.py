"""Steps that torch compiles: the same training but for rounding, and a sentence where none can be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_training import small_config

from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, read_run
from penviz.training import train
from penviz.training.data_set import DataSet
from penviz.training.progress import Stopped
from penviz.training.train_options import TrainOptions


class CompilerFailed(RuntimeError):
    """As torch's own, from a module of its compiler."""

    __module__ = "torch._inductor.exc"


def test_a_compiled_training_is_the_plain_one_but_for_rounding(small: DataSet, tmp_path: Path) -> None:
    """On a machine without g++, which torch needs to compile for a CPU, the sentence is what is tested."""
    if shutil.which("g++") is None:
        with pytest.raises(RunError, match="leave out --compile"):
            train.train(
                small_config(), small, tmp_path / "compiled", TrainOptions(device="cpu", compiled=True)
            )
        return
    for name, compiled in (("plain", False), ("compiled", True)):
        train.train(small_config(), small, tmp_path / name, TrainOptions(device="cpu", compiled=compiled))
    runs = [read_run(tmp_path / name) for name in ("plain", "compiled")]
    assert [run.record["machine"]["compiled"] for run in runs] == [False, True]
    assert runs[0].config == runs[1].config
    plain, compiled = (load_file(run.directory / MODEL_FILE) for run in runs)
    assert plain.keys() == compiled.keys()  # no prefix of the compiler's
    apart = max(float((plain[key] - compiled[key]).abs().max()) for key in plain)
    assert 0 <= apart < 1e-4
    losses = [[line["train_loss"] for line in run.record["history"]] for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def failing(network: torch.nn.Module) -> Any:
    def forward(batch: torch.Tensor) -> torch.Tensor:
        raise CompilerFailed("no g++ here")

    return forward


def test_without_a_compiler_there_is_a_sentence(
    small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", failing)
    with pytest.raises(
        RunError, match=r"torch cannot compile the network on this machine .*: leave out --compile"
    ):
        train.train(small_config(), small, tmp_path / "run", TrainOptions(device="cpu", compiled=True))


def test_other_errors_of_a_step_are_not_the_compilers(
    small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(network: torch.nn.Module) -> Any:
        def forward(batch: torch.Tensor) -> torch.Tensor:
            raise ValueError("a bug")

        return forward

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(ValueError, match="a bug"):
        train.train(small_config(), small, tmp_path / "run", TrainOptions(device="cpu", compiled=True))


def test_going_on_compiled_is_said(small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda network: network)
    out, asked, told = tmp_path / "run", [], []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Stopped):
        train.train(small_config(), small, out, TrainOptions(device="cpu", stopped=stop))
    train.train(
        small_config(), small, out, TrainOptions(device="cpu", resume=True, compiled=True, say=told.append)
    )
    assert any("started not compiled, it continues compiled" in sentence for sentence in told)
    assert json.loads((out / "run.json").read_text())["machine"]["compiled"] is True
